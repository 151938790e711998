package linktest

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"midge/transports"
)

const (
	netMTU       = 1024  // octets, unless Net.MTU says otherwise
	netQueueMax  = 16384 // frames that wait at one end; more are dropped and counted
	netAddrBytes = 8     // as an XBee has
)

// Net is an in-memory radio network.
type Net struct {
	MTU int // longest frame; set before the first end is made

	mu      sync.Mutex
	rng     *rand.Rand
	gateway *End
	devices map[transports.Addr]*End
	order   []*End // devices in order of making, so that broadcasts are deterministic
}

// NewNet makes a network; the seed decides the addresses of the devices.
func NewNet(seed uint64) *Net {
	n := &Net{MTU: netMTU, rng: rand.New(rand.NewPCG(seed, 0)), devices: map[transports.Addr]*End{}}
	n.gateway = n.newEnd(transports.Addr{})
	return n
}

// Gateway is the gateway's end.
func (n *Net) Gateway() *End { return n.gateway }

// Device makes a new device's end with an address of its own.
func (n *Net) Device() *End {
	n.mu.Lock()
	defer n.mu.Unlock()
	var b [netAddrBytes]byte
	for i := range b {
		b[i] = byte(n.rng.Uint32())
	}
	b[0] = byte(len(n.order) >> 8) // no two alike
	b[1] = byte(len(n.order))
	e := n.newEnd(transports.MakeAddr(b[:]))
	n.devices[e.addr] = e
	n.order = append(n.order, e)
	return e
}

func (n *Net) newEnd(a transports.Addr) *End {
	e := &End{net: n, addr: a, counters: transports.NewCounters(transports.ReasonOversize, transports.ReasonQueueFull, transports.ReasonAddress)}
	e.arrived.L = &n.mu
	return e
}

// An End is one station of a Net. A device's frames go to the gateway, the gateway's to the device of their Addr, broadcasts
// to everyone else. What the gateway sent arrives with the zero Addr.
type End struct {
	net      *Net
	addr     transports.Addr // zero for the gateway
	counters *transports.Counters

	// Guarded by net.mu.
	arrived sync.Cond
	queue   []transports.Frame
	closed  bool
}

var _ transports.Link = (*End)(nil)

// Addr is the address under which the gateway knows this device.
func (e *End) Addr() transports.Addr { return e.addr }

// ReadFrames waits for frames.
func (e *End) ReadFrames(frames []transports.Frame) (n int, err error) {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	for n == 0 {
		for len(e.queue) == 0 && !e.closed {
			e.arrived.Wait()
		}
		if e.closed {
			return 0, transports.ErrClosed
		}
		n = e.fill(frames)
	}
	return n, nil
}

func (e *End) fill(frames []transports.Frame) (n int) {
	octets := 0
	for n < len(frames) && len(e.queue) > 0 {
		f := e.queue[0]
		e.queue[0] = transports.Frame{}
		e.queue = e.queue[1:]
		if len(f.Data) > cap(frames[n].Data) {
			e.counters.Count(transports.ReasonOversize, 1)
			continue
		}
		octets += len(f.Data)
		f.Data = append(frames[n].Data[:0], f.Data...)
		frames[n] = f
		n++
	}
	e.counters.Received(n, uint64(octets))
	return n
}

// WriteFrames delivers at once.
func (e *End) WriteFrames(frames []transports.Frame) {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if e.closed {
		return
	}
	for i := range frames {
		f := &frames[i]
		if len(f.Data) == 0 || len(f.Data) > e.net.MTU {
			e.counters.Count(transports.ReasonOversize, 1)
			continue
		}
		if e.deliver(f) {
			e.counters.Sent(1, uint64(len(f.Data)))
		}
	}
}

// deliver puts a frame into the queues of those that it is for; false when that is nobody in this network.
func (e *End) deliver(f *transports.Frame) bool {
	gateway := e.net.gateway
	switch {
	case f.Broadcast:
		for _, d := range e.net.order {
			e.put(d, f)
		}
		e.put(gateway, f)
	case e != gateway:
		e.put(gateway, f)
	default:
		to := e.net.devices[f.Addr]
		if to == nil {
			e.counters.Count(transports.ReasonAddress, 1)
			return false
		}
		e.put(to, f)
	}
	return true
}

func (e *End) put(to *End, f *transports.Frame) {
	if to == e || to.closed {
		return
	}
	if len(to.queue) >= netQueueMax {
		to.counters.Count(transports.ReasonQueueFull, 1)
		return
	}
	to.queue = append(to.queue, transports.Frame{Addr: e.addr, Data: append([]byte(nil), f.Data...), Broadcast: f.Broadcast})
	to.arrived.Signal()
}

// MTU is the network's.
func (e *End) MTU() int { return e.net.MTU }

// FormatAddr renders an address in hexadecimal, the gateway's as "gateway".
func (e *End) FormatAddr(a transports.Addr) string {
	if a == (transports.Addr{}) {
		return "gateway"
	}
	return fmt.Sprintf("%x", a.Bytes())
}

// Stats returns the end's figures.
func (e *End) Stats() transports.Stats {
	s := e.counters.Stats()
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if s.Up = !e.closed; !s.Up {
		s.Why = "the link is closed"
	}
	return s
}

// Close takes the station off the network.
func (e *End) Close() error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	e.closed = true
	e.queue = nil
	delete(e.net.devices, e.addr)
	e.arrived.Broadcast()
	return nil
}
