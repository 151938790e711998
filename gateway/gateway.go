package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"midge/broker"
	"midge/internal/quiet"
	"midge/transports"
)

// A Gateway serves MQTT-SN clients on any number of links as sessions of one broker. All its methods may be called from any goroutine.
type Gateway struct {
	mu    sync.Mutex // guards everything below, the machines of all links included
	sp    *space
	links map[string]*link // by name; one that has ended stays for its counters and the addresses of its clients
	runs  map[string]bool  // those that are being served

	restored error // why the clients of an earlier process could not be taken up; Serve tells
}

// New returns a gateway without links. It has taken up the clients that an earlier process left in the broker's store; they are sent something once their
// links are served.
func New(b *broker.Broker, cfg Config, log *slog.Logger) *Gateway {
	return newGateway(b, cfg, log, time.Now())
}

func newGateway(b *broker.Broker, cfg Config, log *slog.Logger, now time.Time) *Gateway {
	b.Protocols(Protocol)
	g := &Gateway{sp: newSpace(b, cfg, log, now), links: make(map[string]*link), runs: make(map[string]bool)}
	g.restored = g.restore(now)
	return g
}

// One read takes up to batchMost frames: as many as a rest of the reader gathers from senders of some thousand messages a second. A link
// begins with batchFirst, and the buffers of a moment come with it.
const (
	batchFirst = 8
	batchMost  = 128
)

// longest is the most that Length can say (§5.2.1), in octets.
const longest = 65535

// pauseMax is how long a link is not read because a receiver of its messages falls behind. Devices repeat what is lost meanwhile.
const pauseMax = 5 * time.Millisecond

// Serve runs one link until ctx ends, then closes it. The devices are told nothing, and their sessions stay open: when the link comes back, in this
// process or the next, they are where they were. The error is nil when ctx has ended, otherwise it is the link's.
func (g *Gateway) Serve(ctx context.Context, name string, t transports.Link, cfg LinkConfig) error {
	l, err := g.begin(name, t, cfg)
	if err != nil {
		t.Close()
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var both sync.WaitGroup
	l.judge = func(c check) { both.Go(func() { g.judge(ctx, l, t, c) }) }
	both.Go(func() { g.tend(ctx, l, t) })
	both.Go(func() {
		<-ctx.Done()
		t.Close() // ReadFrames returns
	})
	err = g.read(ctx, l, t)
	ended := ctx.Err() != nil
	stop()
	both.Wait()
	g.end(l)
	if ended {
		return nil
	}
	return fmt.Errorf("read from link %s: %w", name, err)
}

func (g *Gateway) begin(name string, t transports.Link, cfg LinkConfig) (*link, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.restored != nil {
		return nil, g.restored
	}
	if g.runs[name] {
		return nil, fmt.Errorf("link %s is being served already", name)
	}
	g.runs[name] = true
	l := g.open(name, cfg, longest, t.FormatAddr, time.Now())
	l.carries = t.MTU
	l.knowBy(t)
	return l, nil
}

// open makes the machine of a link. It goes on where an earlier one ended.
func (g *Gateway) open(name string, cfg LinkConfig, mtu int, format func(transports.Addr) string, now time.Time) *link {
	l := newLink(g.sp, name, cfg, mtu, format, now)
	if old := g.links[name]; old != nil {
		l.inherit(now, old)
	}
	g.links[name] = l
	return l
}

// read feeds the machine with what the link receives, a batch at a time.
func (g *Gateway) read(ctx context.Context, l *link, t transports.Link) error {
	size := min(max(t.MTU(), transports.RoomLeast), longest)
	frames := grow(nil, batchFirst, size)
	var m moderator
	var timer quiet.Timer
	defer timer.Close()
	for {
		n, err := t.ReadFrames(frames)
		if err != nil {
			return err
		}
		busy := g.receive(l, t, frames[:n])
		full := n == len(frames)
		if full && n < batchMost {
			frames = grow(frames, 2*n, size)
		}
		if busy != nil {
			pause(ctx, busy)
		} else if rest := m.after(time.Now(), n, full); rest > 0 {
			timer.Sleep(rest)
		}
	}
}

// grow returns frames and more of them, n in all, with room for size octets each.
func grow(frames []transports.Frame, n, size int) []transports.Frame {
	for len(frames) < n {
		frames = append(frames, transports.Frame{Data: make([]byte, size)})
	}
	return frames
}

func (g *Gateway) receive(l *link, t transports.Link, frames []transports.Frame) (busy <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	l.ready.begin()
	for i := range frames {
		if len(l.taps) > 0 {
			l.received(now, &frames[i])
		}
		l.Receive(now, &frames[i])
	}
	g.out(l, t, now)
	busy, l.busy = l.busy, nil
	return busy
}

// out finishes an input: whom it woke is served too, everything goes out in one write, and the timer is told if something is due earlier than it knows.
func (g *Gateway) out(l *link, t transports.Link, now time.Time) {
	l.Pull(now)
	if frames := l.frames(); len(frames) > 0 {
		if len(l.taps) > 0 {
			l.sent(now, frames)
		}
		t.WriteFrames(frames)
	}
	for _, c := range l.takeChecks() {
		l.judge(c)
	}
	if at, ok := l.Deadline(); ok && (l.timer.IsZero() || at.Before(l.timer)) {
		l.timer = at
		select {
		case l.ready.signal <- struct{}{}:
		default:
		}
	}
}

// tend serves wake-ups and timers.
func (g *Gateway) tend(ctx context.Context, l *link, t transports.Link) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.ready.signal:
		case <-timer.C:
		}
		if at := g.advance(l, t); !at.IsZero() {
			timer.Reset(time.Until(at))
		}
	}
}

func (g *Gateway) advance(l *link, t transports.Link) (next time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	l.ready.begin()
	l.Advance(now)
	l.timer = now // no signal for this goroutine itself
	g.out(l, t, now)
	l.timer = time.Time{}
	if at, ok := l.Deadline(); ok {
		l.timer = at
	}
	if at, ok := g.tendAway(now); ok && (l.timer.IsZero() || at.Before(l.timer)) {
		l.timer = at
	}
	return l.timer
}

// tendAway does what is due on links that nobody serves, and says when the next is: a client of theirs is lost as any other if it is not heard on another link.
func (g *Gateway) tendAway(now time.Time) (next time.Time, ok bool) {
	for _, l := range g.links {
		if !l.away {
			continue
		}
		l.Advance(now)
		l.Pull(now)
		l.frames()
		if at, due := l.Deadline(); due && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}

// pause waits until a slow receiver has caught up, but not long.
func pause(ctx context.Context, busy <-chan struct{}) {
	timer := time.NewTimer(pauseMax)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-busy:
	case <-timer.C:
	}
}

// end is the end of a link, not of its clients.
func (g *Gateway) end(l *link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l.stop(time.Now())
	delete(g.runs, l.name)
	for name := range g.runs { // somebody has to see to its clients' deadlines
		select {
		case g.links[name].ready.signal <- struct{}{}:
		default:
		}
	}
}
