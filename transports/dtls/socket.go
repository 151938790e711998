package dtls

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// A socket is the UDP socket of all sessions and tells their datagrams apart: by Connection ID (RFC 9146), else by where they come from.
//
// A device that has lost power comes back with a ClientHello from the address that its session has. Until the new handshake is complete both have
// that address: "the server … MUST NOT … destroy the existing association" on a ClientHello, which anybody could have sent, and "once a correct
// Finished … is received, the server MUST abandon the previous association" (RFC 6347 §4.2.8). A session with a Connection ID may be that of another
// device, whose address changed: it stays, unless both have proven the same name.
type socket struct {
	conn  *net.UDPConn
	stray func() // is called for each record of no session that is here
	alien func() // is called for each datagram that is not DTLS

	mu     sync.Mutex
	ids    map[[idSize]byte]*flow
	peers  map[netip.AddrPort]*flow
	rising map[netip.AddrPort]*flow // handshakes from addresses that have a session
	// strangers are handshakes whose cookie has not come back, the one that has waited longest in front, with up to as many that have gone on or are over.
	// Their senders may be nobody.
	strangers []*flow
}

func newSocket(conn *net.UDPConn, stray, alien func()) *socket {
	return &socket{conn: conn, stray: stray, alien: alien, ids: make(map[[idSize]byte]*flow), peers: make(map[netip.AddrPort]*flow), rising: make(map[netip.AddrPort]*flow)}
}

// read gives each datagram to its flow until the socket is closed. begin is asked about each new flow, and runs it if it may be.
func (s *socket) read(begin func(*flow) bool) {
	b := make([]byte, 8192)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(b)
		switch {
		case err == nil:
			s.route(b[:n], from, begin)
		case errors.Is(err, net.ErrClosed):
			return
		}
	}
}

func (s *socket) route(b []byte, from netip.AddrPort, begin func(*flow) bool) {
	r, ok := parseRecord(b)
	if !ok {
		s.alien()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.kind == recordConnectionID {
		if f := s.ids[r.id]; f != nil {
			f.numbered = true
			f.put(r, b, from)
		} else {
			s.stray() // and nothing is said to its sender: what is not protected by a session's keys must not end it
		}
		return
	}
	f, rising := s.peers[from], s.rising[from]
	for _, known := range []*flow{f, rising} {
		if known != nil && r.cookie && known.hello == r.random { // pion ends the handshake if it is not the one that was sent
			known.answered = true
		}
	}
	switch {
	case r.hello && (f == nil || f.hello != r.random) && (rising == nil || rising.hello != r.random):
		s.begin(f, r, b, from, begin)
	case rising == nil && f != nil:
		f.put(r, b, from)
	case rising != nil && r.epoch == 0:
		rising.put(r, b, from)
	case rising != nil:
		// Its Finished, or a message of the session that is still there. Whose it is not discards it: it cannot be authenticated.
		rising.put(r, b, from)
		if f != nil {
			f.put(r, b, from)
		}
	default:
		s.stray()
	}
}

// begin makes a flow for a ClientHello that no flow knows. It takes the place of a handshake from there that is not complete, but not that of a session.
func (s *socket) begin(f *flow, r record, b []byte, from netip.AddrPort, begin func(*flow) bool) {
	n := &flow{socket: s, hello: r.random, from: from, addr: net.UDPAddrFromAddrPort(from)}
	n.arrived.L = &n.mu
	rand.Read(n.id[:])
	if !begin(n) {
		return
	}
	place := s.peers
	if f != nil && f.open || s.rising[from] != nil {
		place = s.rising
	}
	if given := place[from]; given != nil {
		s.drop(given)
		given.end()
	}
	place[from], s.ids[n.id] = n, n
	if len(s.strangers) >= 2*handshakesMax {
		s.strangers = slices.DeleteFunc(s.strangers, func(f *flow) bool { return !s.strange(f) })
	}
	s.strangers = append(s.strangers, n)
	n.put(r, b, from)
}

// strange reports whether the cookie of a handshake that is under way has not come back.
func (s *socket) strange(f *flow) bool { return s.ids[f.id] == f && !f.answered }

// dropStranger ends the handshake that has waited longest for its cookie, if there is one. The socket's lock is held.
func (s *socket) dropStranger() bool {
	for len(s.strangers) > 0 {
		f := s.strangers[0]
		s.strangers[0], s.strangers = nil, s.strangers[1:]
		if s.strange(f) {
			s.drop(f)
			f.end()
			return true
		}
	}
	return false
}

// established is told that the handshake of f is complete, and which name its peer has proven, "" = none.
func (s *socket) established(f *flow, identity string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.identity = identity
	if s.rising[f.from] == f {
		delete(s.rising, f.from)
		if old := s.peers[f.from]; old != nil && (!old.numbered || identity != "" && old.identity == identity) {
			s.drop(old)
			old.end()
		}
		s.peers[f.from] = f
	}
	f.openUp()
}

// drop forgets a flow.
func (s *socket) drop(f *flow) {
	delete(s.ids, f.id)
	for _, place := range []map[netip.AddrPort]*flow{s.peers, s.rising} {
		if place[f.from] == f {
			delete(place, f.from)
		}
	}
}

// record is what the first record of a datagram says of itself (RFC 6347 §4.1, RFC 9146 §4).
type record struct {
	kind   byte
	epoch  uint16
	length int
	id     [idSize]byte // of a record with a Connection ID
	hello  bool         // it is a ClientHello, not of a session
	random [32]byte     // of the ClientHello: the same in both that a handshake begins with
	cookie bool         // the ClientHello has one: it is the second
}

const (
	recordHandshake       = 22
	recordApplicationData = 23
	recordConnectionID    = 25

	recordVersion   = 0xFE // the first octet of it, whichever it is
	recordHeader    = 13
	handshakeHeader = 12
	clientHello     = 1
)

func parseRecord(b []byte) (r record, ok bool) {
	if len(b) < recordHeader || b[1] != recordVersion || b[0] == recordConnectionID && len(b) < recordHeader+idSize {
		return record{}, false
	}
	r.kind, r.epoch = b[0], binary.BigEndian.Uint16(b[3:])
	length := b[recordHeader-2:]
	if r.kind == recordConnectionID {
		copy(r.id[:], length)
		length = length[idSize:]
	}
	r.length = int(binary.BigEndian.Uint16(length))
	// A ClientHello: header, version, random, session id, cookie.
	if body := length[2:]; r.kind == recordHandshake && r.epoch == 0 && len(body) >= handshakeHeader+2+len(r.random) && body[0] == clientHello {
		rest := body[handshakeHeader+2:]
		rest = rest[copy(r.random[:], rest):]
		r.hello, r.cookie = true, hasCookie(rest)
	}
	return r, true
}

// hasCookie reads what follows the random of a ClientHello: the session id and the cookie, each behind its length.
func hasCookie(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	at := 1 + int(b[0])
	return at < len(b) && b[at] > 0
}

// early reports whether a record may be a message that comes before the handshake is complete here. pion keeps one of those, and drops others:
// devices that log in send two.
func (r record) early() bool {
	switch r.kind {
	case recordApplicationData:
		return true
	case recordConnectionID: // Finished looks the same; it is 24 octets long before what the cipher suite adds
		return r.length != 24+1+8+8 && r.length != 24+1+8+16 && r.length != 24+1+16 && r.length != 80
	}
	return false
}

// datagram is one that waits to be read.
type datagram struct {
	data []byte
	from *net.UDPAddr
}

func (f *flow) datagram(b []byte, from netip.AddrPort) datagram {
	if from != f.latest {
		f.latest, f.addr = from, net.UDPAddrFromAddrPort(from)
	}
	return datagram{bytes.Clone(b), f.addr}
}
