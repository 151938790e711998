package modem

import (
	"sync"

	"midge/transports"
)

// inbox is what the nodes have heard: what the line brings, and what was kept for one that slept. Its goroutine reads the line.
type inbox struct {
	mu      sync.Mutex
	arrived sync.Cond
	frames  []transports.Frame
	failed  error
	ended   chan struct{}
}

// inboxMax bounds it; more are lost, as in the air.
const inboxMax = 1024

func newInbox() *inbox {
	b := &inbox{ended: make(chan struct{})}
	b.arrived.L = &b.mu
	return b
}

// read moves frames from the line into the inbox until the line ends.
func (b *inbox) read(l transports.Link) {
	defer close(b.ended)
	frames := make([]transports.Frame, 8)
	for {
		for i := range frames {
			frames[i].Data = make([]byte, 0, transports.RoomLeast)
		}
		n, err := l.ReadFrames(frames)
		for _, f := range frames[:n] {
			b.put(f)
		}
		if err != nil {
			b.mu.Lock()
			b.failed = err
			b.mu.Unlock()
			b.arrived.Broadcast()
			return
		}
	}
}

// put adds a frame whose Data nobody else uses.
func (b *inbox) put(f transports.Frame) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.frames) < inboxMax {
		b.frames = append(b.frames, f)
		b.arrived.Signal()
	}
}

// take fills frames as transports.Link.ReadFrames does.
func (b *inbox) take(frames []transports.Frame) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(frames) > 0 && n == 0 {
		for len(b.frames) == 0 && b.failed == nil {
			b.arrived.Wait()
		}
		if b.failed != nil {
			return 0, b.failed
		}
		for n < len(frames) && len(b.frames) > 0 {
			f := b.frames[0]
			if b.frames = b.frames[1:]; len(f.Data) > cap(frames[n].Data) {
				continue
			}
			f.Data = append(frames[n].Data[:0], f.Data...)
			frames[n] = f
			n++
		}
	}
	return n, nil
}
