package dtls

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pion/dtls/v3"

	"midge/transports"
)

// session is one peer after its handshake.
type session struct {
	*dtls.Conn
	addr     transports.Addr
	identity string
	shared   bool         // the identity is that of a pre-shared key
	heard    atomic.Int64 // when a message came last, Unix ns
}

func newSession(c *dtls.Conn) (*session, error) {
	state, ok := c.ConnectionState()
	if !ok {
		return nil, errors.New("the handshake is not complete")
	}
	name, err := identityOf(&state)
	if err != nil {
		return nil, err
	}
	var id [16]byte
	rand.Read(id[:])
	s := &session{Conn: c, addr: transports.MakeAddr(id[:]), identity: name, shared: len(state.PeerCertificates) == 0}
	s.heard.Store(time.Now().UnixNano())
	return s, nil
}

// outdated reports whether the session was made with a pre-shared key that is another now, or gone.
func (s *session) outdated(then, now PSK) bool {
	return s.shared && !bytes.Equal(then[s.identity], now[s.identity])
}

// identityOf is the name that a peer has proven; "" is an anonymous one.
func identityOf(state *dtls.State) (string, error) {
	name := string(state.IdentityHint)
	if len(state.PeerCertificates) > 0 {
		cert, err := x509.ParseCertificate(state.PeerCertificates[0])
		if err != nil {
			return "", err
		}
		if name = cert.Subject.CommonName; name == "" {
			return "", errors.New("the certificate has no common name")
		}
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", errors.New("the identity is no text")
	}
	return name, nil
}

// read hands in what the peer sends until the session ends.
func (s *session) read(mtu int, in func(transports.Addr, []byte)) {
	b := make([]byte, mtu)
	for {
		n, err := s.Read(b)
		switch {
		case err == nil:
			s.heard.Store(time.Now().UnixNano())
			in(s.addr, b[:n])
		case !passes(err):
			return
		}
	}
}

// passes reports whether a session goes on after an error.
func passes(err error) bool {
	var t *dtls.TemporaryError
	return errors.As(err, &t)
}
