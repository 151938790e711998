package linktest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"midge/transports"
)

// patience is how long a frame may take before the test gives it up.
const patience = 10 * time.Second

// Conformance checks what transports promises of every link. open makes a fresh gateway's end and a function that makes
// device's ends, of which one is made per open; both are closed by the test.
func Conformance(t *testing.T, open func(t *testing.T) (gateway transports.Link, device func() transports.Link)) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, *pair)
	}{
		{"whole frames of every size both ways", sizes},
		{"every octet value survives", octets},
		{"order is kept and many frames go in one write", order},
		{"a frame longer than the MTU or empty is refused and counted", oversize},
		{"buffers are not retained", retained},
		{"concurrent writers do not mix frames", concurrent},
		{"a device's broadcast reaches the gateway", broadcast},
		{"figures move", figures},
		{"close from another goroutine ends ReadFrames", closing},
	} {
		t.Run(c.name, func(t *testing.T) {
			gateway, device := open(t)
			p := &pair{t: t, gateway: newEndpoint(gateway), device: newEndpoint(device())}
			p.meet()
			c.run(t, p)
			p.close()
			if left := Goroutines(); left != "" {
				t.Errorf("the links leave no goroutine after Close:\n%s", left)
			}
		})
	}
}

// pair is a gateway's and a device's end with a reader each.
type pair struct {
	t               *testing.T
	gateway, device *endpoint
}

// endpoint is a link with the one goroutine that reads it.
type endpoint struct {
	transports.Link
	to       transports.Addr // whom to write to
	received chan transports.Frame
	stopped  chan struct{}
	ended    chan error
}

func newEndpoint(l transports.Link) *endpoint {
	e := &endpoint{Link: l, received: make(chan transports.Frame, 1024), stopped: make(chan struct{}), ended: make(chan error, 1)}
	go e.read()
	return e
}

// read poisons its buffers after each round, so that a link that keeps or shares one shows.
func (e *endpoint) read() {
	frames := make([]transports.Frame, 8)
	for i := range frames {
		frames[i].Data = make([]byte, 0, max(e.MTU(), transports.RoomLeast))
	}
	for {
		n, err := e.ReadFrames(frames)
		if err != nil {
			e.ended <- err
			return
		}
		for _, f := range frames[:n] {
			f.Data = bytes.Clone(f.Data)
			select {
			case e.received <- f:
			case <-e.stopped:
			}
		}
		for i := range frames {
			room := frames[i].Data[:cap(frames[i].Data)]
			for j := range room[:min(len(room), 256)] {
				room[j] = 0xEE
			}
		}
	}
}

func (e *endpoint) send(messages ...[]byte) {
	frames := make([]transports.Frame, len(messages))
	for i, m := range messages {
		frames[i] = transports.Frame{Addr: e.to, Data: m}
	}
	e.WriteFrames(frames)
}

// meet exchanges a first frame, from which the gateway learns the device's address.
func (p *pair) meet() {
	p.device.send(Message(7, 0))
	f := p.gateway.want(p.t, "the device's first frame reaches the gateway", Message(7, 0))
	p.gateway.to = f.Addr
	p.gateway.send(Message(8, 0))
	p.device.want(p.t, "the gateway's answer reaches the device", Message(8, 0))
	if f.Broadcast {
		p.t.Error("a frame to the gateway alone is not marked as a broadcast")
	}
}

func (e *endpoint) want(t *testing.T, sentence string, message []byte) transports.Frame {
	t.Helper()
	select {
	case f := <-e.received:
		if !bytes.Equal(f.Data, message) {
			t.Fatalf("%s: got %s, want %s", sentence, short(f.Data), short(message))
		}
		return f
	case <-time.After(patience):
		t.Fatalf("%s: nothing came in %v; %+v", sentence, patience, e.Stats())
	}
	return transports.Frame{}
}

func short(b []byte) string {
	if len(b) > 24 {
		return fmt.Sprintf("%x… (%d octets)", b[:24], len(b))
	}
	return fmt.Sprintf("%x", b)
}

func (p *pair) close() {
	close(p.gateway.stopped)
	close(p.device.stopped)
	for _, e := range []*endpoint{p.device, p.gateway} {
		e.Close()
		if err := <-e.ended; !errors.Is(err, transports.ErrClosed) {
			p.t.Errorf("ReadFrames ends with ErrClosed after Close, not with %v", err)
		}
	}
}

// both runs f for each direction.
func (p *pair) both(f func(from, to *endpoint, way string)) {
	f(p.device, p.gateway, "device to gateway")
	f(p.gateway, p.device, "gateway to device")
}

func sizes(t *testing.T, p *pair) {
	p.both(func(from, to *endpoint, way string) {
		mtu := from.MTU()
		for _, n := range []int{2, 3, 4, 7, 8, 60, 127, 128, 254, 255, 256, 257, 300, 511, 512, 513, 1023, 1024, 1472, mtu - 1, mtu} {
			if n > mtu {
				continue
			}
			from.send(Message(n, byte(n)))
			to.want(t, fmt.Sprintf("a message of %d octets, %s", n, way), Message(n, byte(n)))
		}
	})
}

func octets(t *testing.T, p *pair) {
	p.both(func(from, to *endpoint, way string) {
		for v := range 256 {
			m := Message(40, 0)
			for i := 7; i < len(m); i++ {
				m[i] = byte(v)
			}
			from.send(m)
			to.want(t, fmt.Sprintf("a payload of 0x%02X only, %s", v, way), m)
		}
	})
}

func order(t *testing.T, p *pair) {
	const rounds, each = 8, 40
	p.both(func(from, to *endpoint, way string) {
		for r := range rounds {
			var ms [][]byte
			for i := range each {
				ms = append(ms, Message(8+i, byte(r)))
			}
			from.send(ms...)
			for i, m := range ms {
				to.want(t, fmt.Sprintf("frame %d of write %d in its place, %s", i, r, way), m)
			}
		}
	})
}

func oversize(t *testing.T, p *pair) {
	p.both(func(from, to *endpoint, way string) {
		before := from.Stats().Errors[transports.ReasonOversize]
		from.send(make([]byte, from.MTU()+1), nil, Message(9, 1))
		to.want(t, "only the frame of a good size arrives, "+way, Message(9, 1))
		if got := from.Stats().Errors[transports.ReasonOversize] - before; got != 2 {
			t.Errorf("both frames of a bad size are counted as %s, %s: got %d, want 2", transports.ReasonOversize, way, got)
		}
	})
}

func retained(t *testing.T, p *pair) {
	p.both(func(from, to *endpoint, way string) {
		var ms, want [][]byte
		for i := range 32 {
			ms = append(ms, Message(min(64, from.MTU()), byte(i)))
			want = append(want, Message(min(64, from.MTU()), byte(i)))
		}
		from.send(ms...)
		for _, m := range ms {
			clear(m) // the octets are the caller's again
		}
		for i, m := range want {
			to.want(t, fmt.Sprintf("frame %d is as it was when WriteFrames was called, %s", i, way), m)
		}
	})
}

func concurrent(t *testing.T, p *pair) {
	const writers, each = 4, 25
	p.both(func(from, to *endpoint, way string) {
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					from.send(Message(30+w, byte(i)))
				}
			})
		}
		next := make([]int, writers)
		for range writers * each {
			select {
			case f := <-to.received:
				w := len(f.Data) - 30
				if w < 0 || w >= writers || !bytes.Equal(f.Data, Message(30+w, byte(next[w]))) {
					t.Fatalf("each writer's frames arrive whole and in its order, %s: got %s", way, short(f.Data))
				}
				next[w]++
			case <-time.After(patience):
				t.Fatalf("all frames of all writers arrive, %s: only %v of %d each came; %+v", way, next, each, from.Stats())
			}
		}
		wg.Wait()
	})
}

func broadcast(t *testing.T, p *pair) {
	search := []byte{0x03, 0x01, 0x00} // SEARCHGW, radius 0
	p.device.WriteFrames([]transports.Frame{{Data: search, Broadcast: true, Radius: 1}})
	p.gateway.want(t, "SEARCHGW as a broadcast reaches the gateway", search)
}

func figures(t *testing.T, p *pair) {
	gw := p.gateway.Stats()
	p.device.send(Message(20, 1), Message(30, 2))
	p.gateway.want(t, "the first frame arrives", Message(20, 1))
	p.gateway.want(t, "the second frame arrives", Message(30, 2))
	if s := p.gateway.Stats(); !s.Up || s.Why != "" || s.FramesIn-gw.FramesIn != 2 || s.BytesIn-gw.BytesIn != 50 {
		t.Errorf("the receiving end is up and has counted 2 frames of 50 octets: before %+v, after %+v", gw, s)
	}
	p.device.Close() // a link that sends by a goroutine has counted for good when that has ended
	if s := p.device.Stats(); s.FramesOut != 3 || s.BytesOut != 57 {
		t.Errorf("the sending end has counted 2 frames of 50 octets, and the 7 octets it began with: %+v", s)
	}
	for reason, n := range p.device.Stats().Errors {
		if n != 0 {
			t.Errorf("nothing went wrong, yet %s is %d", reason, n)
		}
	}
	if got := p.gateway.FormatAddr(p.gateway.to); got == "" {
		t.Error("an address has a form for people")
	}
}

func closing(t *testing.T, p *pair) {
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := p.gateway.Close(); err != nil {
				t.Errorf("Close, also concurrently and again, returns nil, not %v", err)
			}
		})
	}
	wg.Wait()
	select {
	case err := <-p.gateway.ended:
		if !errors.Is(err, transports.ErrClosed) {
			t.Errorf("ReadFrames that waits ends with ErrClosed, not with %v", err)
		}
		p.gateway.ended <- err
	case <-time.After(patience):
		t.Fatal("Close ends a ReadFrames that waits")
	}
	if _, err := p.gateway.ReadFrames(make([]transports.Frame, 1)); !errors.Is(err, transports.ErrClosed) {
		t.Errorf("ReadFrames after Close returns ErrClosed, not %v", err)
	}
	p.gateway.send(Message(10, 1)) // does nothing, but must not panic
	if s := p.gateway.Stats(); s.Up || s.Why == "" {
		t.Errorf("a closed link is not up and says why: %+v", s)
	}
}
