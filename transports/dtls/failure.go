package dtls

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/dtls/v3"
)

// A Failure is a handshake that came to nothing.
type Failure struct {
	Peer   netip.AddrPort
	Reason string // one clause
}

// keyUse is what a handshake does with the pre-shared keys.
type keyUse struct {
	keys     PSK
	identity string
	asked    bool
	unknown  func(reason string) // nil once it was called
}

// key is pion's callback. That nobody has the key is told at once: the handshake fails by its time.
func (k *keyUse) key(identity []byte) ([]byte, error) {
	k.identity, k.asked = string(identity), true
	if _, known := k.keys[k.identity]; !known && k.unknown != nil {
		k.unknown("there is no pre-shared key for the identity " + strconv.Quote(k.identity))
		k.unknown = nil
	}
	return k.keys.key(identity)
}

// fail counts a handshake that came to nothing and tells it, if its peer has shown to be where it says that it is.
func (l *Link) fail(f *flow, used *keyUse, err error) {
	l.counters.Count(ReasonHandshake, 1)
	told := used.asked && used.unknown == nil
	if told || l.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
		return // with ErrClosed it has begun anew
	}
	l.tell(f, used.reason(err))
}

func (l *Link) tell(f *flow, reason string) {
	f.socket.mu.Lock()
	stranger := !f.answered
	f.socket.mu.Unlock()
	if l.failed != nil && !stranger {
		l.failed(Failure{f.from, reason})
	}
}

// reason says what was wrong in the words of whoever has written the files. What a device does with a wrong key cannot be read, so that the handshake fails by its time.
func (k *keyUse) reason(err error) string {
	late := errors.Is(err, context.DeadlineExceeded)
	switch {
	case k.asked && late:
		return "the device has another pre-shared key for the identity " + strconv.Quote(k.identity) + ", or has gone away"
	case late:
		return fmt.Sprintf("it was not complete after %v", handshakeTimeout)
	}
	if h, ok := errors.AsType[*dtls.HandshakeError](err); ok {
		err = h.Err
	}
	return strings.TrimPrefix(err.Error(), "dtls fatal: ")
}
