package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"midge/broker"
	"midge/transports"
)

// A Gateway serves MQTT-SN clients on any number of links as sessions of one broker. All its methods may be called from any goroutine.
type Gateway struct {
	mu    sync.Mutex // guards everything below, the machines of all links included
	sp    *space
	links map[string]*link // by name; one that has ended stays for its counters and the addresses of its clients
	runs  map[string]bool  // those that are being served
}

// New returns a gateway without links.
func New(b *broker.Broker, cfg Config, log *slog.Logger) *Gateway {
	b.Protocols(Protocol)
	return &Gateway{sp: newSpace(b, cfg, log, time.Now()), links: make(map[string]*link), runs: make(map[string]bool)}
}

// batch is how many frames one read takes at most.
const batch = 32

// pauseMax is how long a link is not read because a receiver of its messages falls behind. Devices repeat what is lost meanwhile.
const pauseMax = 5 * time.Millisecond

// Serve runs one link until ctx ends, then closes it. The devices are told nothing: when the link comes back they are where they were. Their
// sessions are closed without their wills. The error is nil when ctx has ended, otherwise it is the link's.
func (g *Gateway) Serve(ctx context.Context, name string, t transports.Link, cfg LinkConfig) error {
	l, err := g.begin(name, t, cfg)
	if err != nil {
		t.Close()
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var both sync.WaitGroup
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
	if g.runs[name] {
		return nil, fmt.Errorf("link %s is being served already", name)
	}
	l := newLink(g.sp, name, cfg, t.MTU(), t.FormatAddr, time.Now())
	if old := g.links[name]; old != nil {
		l.inherit(old)
	}
	g.links[name], g.runs[name] = l, true
	return l, nil
}

// read feeds the machine with what the link receives, a batch at a time.
func (g *Gateway) read(ctx context.Context, l *link, t transports.Link) error {
	var frames [batch]transports.Frame
	size := min(t.MTU(), 65535)
	for i := range frames {
		frames[i].Data = make([]byte, size)
	}
	var m moderator
	for {
		n, err := t.ReadFrames(frames[:])
		if err != nil {
			return err
		}
		busy := g.receive(l, t, frames[:n])
		if busy != nil {
			pause(ctx, busy)
		} else if m.after(time.Now(), n) {
			time.Sleep(restFor)
		}
	}
}

func (g *Gateway) receive(l *link, t transports.Link, frames []transports.Frame) (busy <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	l.ready.begin()
	for i := range frames {
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
		t.WriteFrames(frames)
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
	return l.timer
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

// end gives all sessions of a link back, without wills: it is the gateway that goes, not the clients.
func (g *Gateway) end(l *link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l.enter(time.Now())
	for _, c := range g.sp.clients {
		switch {
		case c.link.Load() != l:
		case c.connected():
			l.quit(c, Disconnected)
		case c.prompt != nil:
			l.promptFailed(c)
		}
	}
	if l.anonymous != nil {
		l.anonymous.Close(l.now, broker.Closing{})
	}
	g.sp.wakes.Flush()
	delete(g.runs, l.name)
}
