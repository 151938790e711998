package dtls

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// flowMost is how many octets may wait for a session that does not come to read them.
const flowMost = 256 << 10

// A flow is the part of a socket that one session sees: a net.PacketConn for pion, which reads it in one goroutine.
type flow struct {
	socket *socket
	id     [idSize]byte   // the Connection ID, if the peer takes it
	hello  [32]byte       // the random of the ClientHello that it began with
	from   netip.AddrPort // where that came from

	answered bool   // under socket.mu: its cookie came back, so its peer is where it says that it is
	numbered bool   // under socket.mu: a record came with the Connection ID
	open     bool   // under socket.mu: the handshake is complete
	identity string // under socket.mu, when open: the name that the peer has proven

	mu       sync.Mutex
	arrived  sync.Cond // of mu: there is something to read, or no more
	queue    []datagram
	early    []datagram // messages that came before the handshake was complete
	waiting  int        // octets of both
	busy     bool       // the session is at work on the datagram that it has read last
	held     func()     // waits for the end of that; see settled
	latest   netip.AddrPort
	addr     *net.UDPAddr // latest
	deadline time.Time
	timer    *time.Timer
	closed   bool
}

// connectionID is pion's generator of Connection IDs.
func (f *flow) connectionID() []byte { return f.id[:] }

func (f *flow) peer() net.Addr { return net.UDPAddrFromAddrPort(f.from) }

// put queues a datagram; one too many is dropped. The socket's lock is held.
func (f *flow) put(r record, b []byte, from netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	queue := &f.queue
	if !f.open && r.early() {
		queue = &f.early
	}
	if f.closed || f.waiting+len(b) > flowMost {
		return
	}
	f.waiting += len(b)
	*queue = append(*queue, f.datagram(b, from))
	f.arrived.Signal()
}

// openUp lets what came early be read. The socket's lock is held.
func (f *flow) openUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = true
	f.queue, f.early = append(f.queue, f.early...), nil
	f.arrived.Signal()
}

// end ends reading.
func (f *flow) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed, f.queue, f.early = true, nil, nil
	if f.timer != nil {
		f.timer.Stop()
	}
	f.arrived.Broadcast()
}

// settled calls do when the session is done with the datagram that it is at work on, what was to be done before first. A message from a new address comes out of pion
// before pion takes note of the address: an answer in that moment would go to the old one.
func (f *flow) settled(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.release()
	if f.held = do; !f.busy {
		f.release()
	}
}

// release does what waits. f.mu is held.
func (f *flow) release() {
	if f.held != nil {
		f.held()
		f.held = nil
	}
}

// ReadFrom is net.PacketConn's. Who reads again is done with what he has read before.
func (f *flow) ReadFrom(b []byte) (int, net.Addr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = false
	f.release()
	for {
		switch {
		case f.closed:
			return 0, nil, net.ErrClosed
		case !f.deadline.IsZero() && !time.Now().Before(f.deadline):
			return 0, nil, os.ErrDeadlineExceeded
		case len(f.queue) > 0:
			d := f.queue[0]
			f.queue[0] = datagram{}
			f.waiting -= len(d.data)
			if f.queue = f.queue[1:]; len(f.queue) == 0 {
				f.queue = nil // an idle session holds no buffer
			}
			f.busy = true
			return copy(b, d.data), d.from, nil
		}
		f.arrived.Wait()
	}
}

// WriteTo is net.PacketConn's.
func (f *flow) WriteTo(b []byte, to net.Addr) (int, error) { return f.socket.conn.WriteTo(b, to) }

// Close is net.PacketConn's; the socket stays.
func (f *flow) Close() error {
	f.socket.mu.Lock()
	f.socket.drop(f)
	f.socket.mu.Unlock()
	f.end()
	return nil
}

// LocalAddr is net.PacketConn's.
func (f *flow) LocalAddr() net.Addr { return f.socket.conn.LocalAddr() }

// SetDeadline is net.PacketConn's.
func (f *flow) SetDeadline(t time.Time) error { return f.SetReadDeadline(t) }

// SetReadDeadline is net.PacketConn's.
func (f *flow) SetReadDeadline(t time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
	if f.deadline = t; !t.IsZero() && !f.closed {
		f.timer = time.AfterFunc(time.Until(t), f.arrived.Broadcast)
	}
	return nil
}

// SetWriteDeadline is net.PacketConn's. A datagram does not wait.
func (f *flow) SetWriteDeadline(time.Time) error { return nil }
