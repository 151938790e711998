package dtls

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/pion/dtls/v3"

	"midge/transports"
)

// ReasonHandshake counts handshakes that failed or found too many others under way: a key of Stats.Errors.
const ReasonHandshake = "handshake"

// ReasonSession counts records of sessions that are not here, which is what devices send after a restart until they shake hands anew: a key of Stats.Errors.
const ReasonSession = "unknown_session"

// A Link is the gateway's side of DTLS as a transports.Link.
type Link struct {
	socket   *socket
	mtu      int
	most     int // sessions
	counters *transports.Counters
	inbox    chan arrival
	failed   func(Failure)

	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	work    sync.WaitGroup // a goroutine for each session
	reading sync.WaitGroup // the one that reads the socket

	mu       sync.RWMutex
	options  []dtls.ServerOption // of the next handshake
	keys     PSK                 // the same
	sessions map[transports.Addr]*session
	shaking  int // handshakes under way
}

var (
	_ transports.Link       = (*Link)(nil)
	_ transports.Identifier = (*Link)(nil)
)

// Listen opens the gateway's side. An address in use is an error that errors.Is(err, syscall.EADDRINUSE) knows.
func Listen(c Config) (*Link, error) {
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	address, err := net.ResolveUDPAddr("udp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("DTLS address %q: %w", c.Address, err)
	}
	conn, err := net.ListenUDP(network(c.Address), address)
	if err != nil {
		return nil, fmt.Errorf("listen on DTLS %s: %w", c.Address, err)
	}
	l := &Link{failed: c.Failed, options: o, keys: c.PSK, mtu: cmp.Or(c.MTU, mtuMax), most: cmp.Or(c.Sessions, sessionsMax), inbox: make(chan arrival, inboxSize), sessions: make(map[transports.Addr]*session),
		counters: transports.NewCounters(transports.ReasonOversize, transports.ReasonQueueFull, transports.ReasonSend, transports.ReasonAddress,
			transports.ReasonNoGroup, transports.ReasonMalformed, ReasonHandshake, ReasonSession)}
	l.socket = newSocket(conn, func() { l.counters.Count(ReasonSession, 1) }, func() { l.counters.Count(transports.ReasonMalformed, 1) })
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.reading.Go(func() { l.socket.read(l.accept) })
	return l, nil
}

// network is the family that an address asks for by its way of writing, as package udp has it.
func network(address string) string {
	host, _, _ := net.SplitHostPort(address)
	switch ip, err := netip.ParseAddr(host); {
	case err != nil:
		return "udp"
	case ip.Is4():
		return "udp4"
	}
	return "udp6"
}

// accept begins a handshake, if the link is open and there is room for one more: whoever has not answered his cookie gives way. The socket's lock is held.
func (l *Link) accept(f *flow) bool {
	if !l.begin() {
		l.counters.Count(ReasonHandshake, 1)
		return false
	}
	go func() {
		defer l.work.Done()
		l.serve(f)
	}()
	return true
}

// begin counts a handshake and its goroutine.
func (l *Link) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil || l.shaking >= handshakesMax && !l.socket.dropStranger() {
		return false
	}
	l.shaking++
	l.work.Add(1)
	return true
}

// serve shakes hands with a peer and reads it until its session ends.
func (l *Link) serve(f *flow) {
	defer f.Close()
	used := &keyUse{unknown: func(reason string) { l.tell(f, reason) }}
	s, err := l.shake(f, used)
	if err != nil {
		l.fail(f, used, err)
		return
	}
	defer l.forget(s)
	defer s.Close()
	ended := make(chan struct{})
	stop := context.AfterFunc(l.ctx, func() {
		defer close(ended)
		s.Close()
	})
	defer func() {
		if !stop() {
			<-ended
		}
	}()
	l.socket.established(f, s.identity)
	s.read(l.mtu+1, func(from transports.Addr, data []byte) {
		message := bytes.Clone(data)
		f.settled(func() { l.take(from, message) })
	})
	f.settled(func() {}) // nothing is held back any more
}

func (l *Link) shake(f *flow, used *keyUse) (s *session, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, handshakeTimeout)
	defer cancel()
	l.mu.RLock()
	o, keys := append(l.options[:len(l.options):len(l.options)], dtls.WithConnectionIDGenerator(f.connectionID)), l.keys
	l.mu.RUnlock()
	if used.keys = keys; keys != nil {
		o = append(o, dtls.WithPSK(used.key))
	}
	c, err := dtls.ServerWithOptions(f, f.peer(), o...)
	if err == nil {
		if err = c.HandshakeContext(ctx); err == nil {
			s, err = newSession(c)
		}
		if err != nil {
			c.Close()
		}
	}
	l.mu.Lock()
	l.shaking--
	var silent *session
	if err == nil && s.outdated(keys, l.keys) {
		silent, err = s, errors.New("the pre-shared key was replaced meanwhile")
	}
	if err == nil {
		if len(l.sessions) >= l.most {
			silent = l.mostSilent()
		}
		l.sessions[s.addr] = s
	}
	l.mu.Unlock()
	if silent != nil {
		silent.Close() // its reader forgets it
	}
	return s, err
}

// Reload has the following handshakes go by the keys and certificates of c; all else of it counts for nothing. Sessions whose pre-shared key is another now, or gone,
// end; how many it tells. On an error everything stays as it was.
func (l *Link) Reload(c Config) (ended int, err error) {
	o, err := c.options()
	if err != nil {
		return 0, err
	}
	var gone []*session
	l.mu.Lock()
	for _, s := range l.sessions {
		if s.outdated(l.keys, c.PSK) {
			gone = append(gone, s)
		}
	}
	l.options, l.keys = o, c.PSK
	l.mu.Unlock()
	for _, s := range gone {
		s.Close() // its reader forgets it
	}
	return len(gone), nil
}

// mostSilent takes the session that was silent for longest out of the list.
func (l *Link) mostSilent() (s *session) {
	for _, other := range l.sessions {
		if s == nil || other.heard.Load() < s.heard.Load() {
			s = other
		}
	}
	delete(l.sessions, s.addr)
	return s
}

func (l *Link) forget(s *session) {
	l.mu.Lock()
	delete(l.sessions, s.addr)
	l.mu.Unlock()
}

// take puts a message, which it keeps, where ReadFrames finds it.
func (l *Link) take(from transports.Addr, data []byte) {
	if len(data) > l.mtu {
		l.counters.Count(transports.ReasonOversize, 1)
		return
	}
	select {
	case l.inbox <- arrival{from, data}:
	default:
		l.counters.Count(transports.ReasonQueueFull, 1)
	}
}

// ReadFrames waits for messages of any session.
func (l *Link) ReadFrames(frames []transports.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	n, ok := receive(l.inbox, l.ctx.Done(), frames, func() { l.counters.Count(transports.ReasonOversize, 1) })
	if !ok {
		return 0, transports.ErrClosed
	}
	received(l.counters, frames[:n])
	return n, nil
}

// Broadcasts is false: every session has keys of its own.
func (l *Link) Broadcasts() bool { return false }

// WriteFrames sends each frame as one record. Broadcasts are dropped and counted.
func (l *Link) WriteFrames(frames []transports.Frame) {
	for i := range frames {
		f := &frames[i]
		s := l.session(f.Addr)
		switch {
		case l.ctx.Err() != nil:
			return
		case f.Broadcast:
			l.counters.Count(transports.ReasonNoGroup, 1)
		case len(f.Data) == 0 || len(f.Data) > l.mtu:
			l.counters.Count(transports.ReasonOversize, 1)
		case s == nil:
			l.counters.Count(transports.ReasonAddress, 1)
		default:
			write(s.Conn, f.Data, l.counters)
		}
	}
}

func write(c *dtls.Conn, data []byte, counters *transports.Counters) {
	if _, err := c.Write(data); err != nil {
		counters.Count(transports.ReasonSend, 1)
		return
	}
	counters.Sent(1, uint64(len(data)))
}

func (l *Link) session(a transports.Addr) *session {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.sessions[a]
}

// MTU is the longest message in octets.
func (l *Link) MTU() int { return l.mtu }

// FormatAddr renders where a peer was heard last, and who it is: "192.0.2.7:40001 (sensor-7)".
func (l *Link) FormatAddr(a transports.Addr) string {
	s := l.session(a)
	switch {
	case s == nil:
		return "a DTLS session that has ended"
	case s.identity == "":
		return s.RemoteAddr().String()
	}
	return s.RemoteAddr().String() + " (" + s.identity + ")"
}

// Identity is the name that a peer has proven in its handshake: a PSK identity or a certificate's common name; "" for one that has proven none.
func (l *Link) Identity(a transports.Addr) string {
	if s := l.session(a); s != nil {
		return s.identity
	}
	return ""
}

// LocalAddr is the address that the link listens on, with the port that the system chose for port 0.
func (l *Link) LocalAddr() netip.AddrPort {
	ap := l.socket.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Stats returns the link's figures.
func (l *Link) Stats() transports.Stats {
	s := l.counters.Stats()
	if s.Up = l.ctx.Err() == nil; !s.Up {
		s.Why = "the link is closed"
	}
	return s
}

// Close tells every peer that its session has ended, ends ReadFrames and frees the port.
func (l *Link) Close() error {
	l.mu.Lock() // nobody begins any more
	l.stop()
	l.mu.Unlock()
	l.work.Wait() // the sessions say that they end
	err := l.socket.conn.Close()
	l.reading.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
