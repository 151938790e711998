package bridge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Why a wire was cut from this side.
var (
	errStopped = errors.New("the bridge was stopped")
	errClosed  = errors.New("the connection was closed")
)

// wire is the net.Conn that Paho gets. It repairs from outside what Paho gets wrong:
//
//   - It sees every packet before Paho does, and tells the bridge of each acknowledgement and each PUBREL.
//   - PUBREL and PUBCOMP are promises; Paho would give them at once. They are swallowed here and sent by the bridge when the local broker has made safe
//     what they say.
//   - PUBLISH is the bridge's own, under the local session's identifier. The one that Paho writes is swallowed: see seed.
//   - Writes are gathered in a buffer and sent by a goroutine of its own, so Paho never blocks on the network, and neither does whoever calls it.
//   - Paho's workers stop in an order that can leave a caller of Subscribe or Ack waiting for long. So after a failure the connection
//     seems to live on (writes vanish, the read waits) until the owner has called letGo.
//   - A dead peer is noticed by the read deadline, not by Paho's ping timer, which stops its workers without asking.
//
// Paho writes each packet with one call of Write.
type wire struct {
	net.Conn
	in     *bufio.Reader
	snoop  snoop
	silent time.Duration // the peer says something within this time or is dead; 0: never

	mu        sync.Mutex
	up        bool // CONNECT was accepted: from here on failures wait for letGo
	out       []byte
	spare     []byte
	sending   bool
	publishes bool      // out holds a PUBLISH at QoS 1 or 2
	published time.Time // when the last such PUBLISH had been written to the socket
	reason    error     // of the first failure
	codes     int       // filters in the SUBSCRIBE that is unanswered
	passed    uint64    // PUBLISH packets that have come in
	acks      []seen    // PUBACK, PUBREC and PUBCOMP that have come in
	events    []event
	session   bool // CONNACK's session present; valid once up

	flush  chan struct{} // one slot: out has something
	room   chan struct{} // one slot: out was written
	heard  chan struct{} // one slot: acks or events has something
	broken chan struct{} // closed by the first failure
	let    chan struct{} // closed by letGo
	gone   chan struct{} // closed when the flusher has ended
}

// event is something that the bridge must do between two messages from upstream: after the first after messages of the connection.
type event struct {
	after uint64
	lost  bool   // the upstream has lost the session: all identifiers are free
	id    uint16 // else: PUBREL of this identifier
}

func newWire(conn net.Conn, silent time.Duration) *wire {
	w := &wire{
		Conn: conn, in: bufio.NewReader(conn), silent: silent,
		flush: make(chan struct{}, 1), room: make(chan struct{}, 1), heard: make(chan struct{}, 1),
		broken: make(chan struct{}), let: make(chan struct{}), gone: make(chan struct{}),
	}
	go w.flusher()
	return w
}

// SetDeadline is called by Paho around the handshake: with its end, and with the zero time when CONNECT was accepted.
func (w *wire) SetDeadline(t time.Time) error {
	if t.IsZero() {
		w.mu.Lock()
		w.up = true
		w.mu.Unlock()
	}
	return w.Conn.SetReadDeadline(t)
}

// SetReadDeadline does nothing: the wire sets its own.
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: the wire sets its own.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// Read gives Paho what came in, after the snoop has seen it.
func (w *wire) Read(p []byte) (int, error) {
	w.mu.Lock()
	up := w.up
	w.mu.Unlock()
	if up && w.silent > 0 && w.in.Buffered() == 0 {
		w.Conn.SetReadDeadline(time.Now().Add(w.silent))
	}
	n, err := w.in.Read(p)
	if err == nil {
		err = w.snoop.feed(p[:n], w.saw)
	}
	if err == nil {
		return n, nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("upstream has been silent for %v", map[bool]time.Duration{true: w.silent, false: connectTime}[up])
	}
	w.fail(ended(err))
	if up {
		<-w.let
	}
	return 0, w.why()
}

// ended tells a connection that upstream closed from one that broke. A close with octets still unread arrives as a reset, or as a broken
// pipe when the next write finds it first.
func ended(err error) error {
	for _, closed := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, closed) {
			return errPeerClosed
		}
	}
	if errors.Is(err, net.ErrClosed) {
		return errClosed // in words of our own: by the system's words Paho takes it for its own doing, and never ends
	}
	return err
}

// errPeerClosed is an upstream that ended the connection, as it does on a message that it does not want.
var errPeerClosed = errors.New("upstream closed the connection")

// saw notes one packet before Paho gets its last octet.
func (w *wire) saw(p seen) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch p.kind {
	case typeConnack:
		w.connack(p)
	case typePublish:
		w.passed++
	case typePuback, typePubrec, typePubcomp:
		w.acks = append(w.acks, p)
		slot(w.heard)
	case typePubrel:
		w.happened(event{after: w.passed, id: p.id()})
	case typeSuback:
		// Paho stores the codes by the filters that it asked for, and panics on more.
		if p.size != 2+w.codes {
			return fmt.Errorf("%w: SUBACK for %d filters has %d octets", errMalformed, w.codes, p.size)
		}
	}
	return nil
}

func (w *wire) connack(p seen) {
	if p.front[1] != 0 {
		return
	}
	w.session = p.front[0]&1 != 0
	if !w.session {
		w.happened(event{lost: true})
	}
}

func (w *wire) happened(e event) {
	w.events = append(w.events, e)
	slot(w.heard)
}

// takeAcks returns the acknowledgements that have come in since the last call.
func (w *wire) takeAcks() []seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	acks := w.acks
	w.acks = nil
	return acks
}

// due returns the events that belong before message number consumed+1.
func (w *wire) due(consumed uint64) (due []event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < len(w.events) && w.events[n].after <= consumed {
		n++
	}
	due = append(due, w.events[:n]...)
	w.events = append(w.events[:0], w.events[n:]...)
	return due
}

// Write takes one packet from Paho. It never fails and never waits.
func (w *wire) Write(p []byte) (int, error) {
	switch p[0] >> 4 {
	case typePublish, typePubrel, typePubcomp:
	default:
		w.send(p)
	}
	return len(p), nil
}

// pubrel releases a message that upstream has received.
func (w *wire) pubrel(id uint16) { w.send([]byte{typePubrel<<4 | 2, 2, byte(id >> 8), byte(id)}) }

// pubcomp answers a PUBREL.
func (w *wire) pubcomp(id uint16) { w.send([]byte{typePubcomp << 4, 2, byte(id >> 8), byte(id)}) }

// fail breaks the wire. The first reason stays.
func (w *wire) fail(why error) {
	w.mu.Lock()
	if w.reason == nil {
		w.reason = why
		close(w.broken)
	}
	w.mu.Unlock()
	w.Conn.Close()
}

func (w *wire) why() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reason
}

// letGo lets Paho see the failure. It is called once, when nobody calls Paho any more.
func (w *wire) letGo() { close(w.let) }

// Close is Paho's.
func (w *wire) Close() error {
	w.fail(errClosed)
	return nil
}

// slot fills a one-slot channel.
func slot(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
