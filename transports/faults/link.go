package faults

import (
	"sync"
	"time"

	"midge/transports"
)

// The reasons that a Link adds to those of the link inside.
const (
	ReasonLost       = "fault_lost"
	ReasonDuplicated = "fault_duplicated"
	ReasonCorrupted  = "fault_corrupted"
	ReasonReordered  = "fault_reordered"
	ReasonOverflown  = "fault_overflown" // more on their way than there is room for
)

// readRoom bounds the buffers for reading the inner link, in octets; one frame always fits. A thousand simulated devices each have them.
const readRoom = 16 << 10

// A Link is a link with faults.
type Link struct {
	inner  transports.Link
	closed chan struct{}
	once   sync.Once
	ended  sync.WaitGroup

	mu      sync.Mutex
	in, out *lane
	failed  error         // of the inner ReadFrames
	arrived chan struct{} // one slot: in or failed changed
	queued  chan struct{} // one slot: out has a new first frame
}

var _ transports.Link = (*Link)(nil)

// Wrap gives inner its faults. Closing the result closes inner.
func Wrap(inner transports.Link, f Faults) *Link {
	l := &Link{
		inner: inner, closed: make(chan struct{}),
		in: newLane(f, 1), out: newLane(f, 2),
		arrived: make(chan struct{}, 1), queued: make(chan struct{}, 1),
	}
	l.ended.Go(l.receive)
	l.ended.Go(l.send)
	return l
}

// receive moves frames from the inner link into the lane.
func (l *Link) receive() {
	room := max(l.inner.MTU(), transports.RoomLeast)
	frames := make([]transports.Frame, max(1, readRoom/room))
	for i := range frames {
		frames[i].Data = make([]byte, 0, room)
	}
	for {
		n, err := l.inner.ReadFrames(frames)
		now := time.Now()
		l.mu.Lock()
		for i := range frames[:n] {
			l.in.push(now, frames[i])
		}
		l.failed = err
		l.mu.Unlock()
		signal(l.arrived)
		if err != nil {
			return
		}
	}
}

// send sends what was held back, when it is due.
func (l *Link) send() {
	timer := newTimer()
	defer timer.Stop()
	for {
		l.mu.Lock()
		l.flush(time.Now())
		due, some := l.out.next()
		l.mu.Unlock()
		if some {
			timer.Reset(time.Until(due))
		}
		select {
		case <-l.closed:
			return
		case <-l.queued:
		case <-timer.C:
		}
	}
}

// ReadFrames waits for frames that have survived.
func (l *Link) ReadFrames(frames []transports.Frame) (int, error) {
	timer := newTimer()
	defer timer.Stop()
	for {
		l.mu.Lock()
		n := l.fill(time.Now(), frames)
		due, some := l.in.next()
		err := l.failed
		l.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case err == nil && some:
			timer.Reset(time.Until(due))
		case err != nil && !some:
			return 0, err
		case err != nil:
			timer.Reset(time.Until(due)) // what was on its way still arrives
		}
		select {
		case <-l.closed:
			return 0, transports.ErrClosed
		case <-l.arrived:
		case <-timer.C:
		}
	}
}

func (l *Link) fill(now time.Time, frames []transports.Frame) (n int) {
	for n < len(frames) {
		f, ok := l.in.pop(now)
		if !ok {
			break
		}
		if len(f.Data) > cap(frames[n].Data) {
			l.in.lost++
			continue
		}
		f.Data = append(frames[n].Data[:0], f.Data...)
		frames[n] = f
		n++
	}
	return n
}

// WriteFrames sends those frames that survive. Without delay they go out before it returns.
func (l *Link) WriteFrames(frames []transports.Frame) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range frames {
		l.out.push(now, frames[i])
	}
	l.flush(now)
	if len(l.out.wait) > 0 {
		signal(l.queued)
	}
}

// flush sends what is due. l.mu is held, which keeps the order.
func (l *Link) flush(now time.Time) {
	var due []transports.Frame
	for f, ok := l.out.pop(now); ok; f, ok = l.out.pop(now) {
		due = append(due, f)
	}
	if len(due) > 0 {
		l.inner.WriteFrames(due)
	}
}

// MTU is that of the inner link.
func (l *Link) MTU() int { return l.inner.MTU() }

// FormatAddr is that of the inner link.
func (l *Link) FormatAddr(a transports.Addr) string { return l.inner.FormatAddr(a) }

// Stats are those of the inner link and the faults of both directions under keys of their own.
func (l *Link) Stats() transports.Stats {
	s := l.inner.Stats()
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Errors[ReasonLost] = l.in.lost + l.out.lost
	s.Errors[ReasonDuplicated] = l.in.duplicated + l.out.duplicated
	s.Errors[ReasonCorrupted] = l.in.corrupted + l.out.corrupted
	s.Errors[ReasonReordered] = l.in.reordered + l.out.reordered
	s.Errors[ReasonOverflown] = l.in.overflown + l.out.overflown
	return s
}

// Close closes the inner link and ends both goroutines. What is on its way is lost.
func (l *Link) Close() (err error) {
	l.once.Do(func() {
		close(l.closed)
		err = l.inner.Close()
		l.ended.Wait()
	})
	return err
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// newTimer is a timer that does not run yet.
func newTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
