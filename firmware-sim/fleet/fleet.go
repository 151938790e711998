package fleet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"midge/mqttsn"
	"midge/transports"
)

// A Fleet is made by New and runs once.
type Fleet struct {
	cfg    Config
	open   func(device int) (transports.Link, error)
	shared func() (transports.Link, error)

	loop
	began  time.Time     // zero before Run
	ran    time.Duration // when it has ended
	links  []transports.Link
	failed chan error // one slot: the first link that ended by itself
}

// New checks a configuration. Nothing is opened yet. The error is one sentence about what is wrong.
func New(cfg Config) (*Fleet, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	f := &Fleet{cfg: cfg, open: cfg.Open, shared: cfg.Shared, failed: make(chan error, 1)}
	f.changed = make(chan struct{}, 1)
	if cfg.Link == "" {
		return f, cfg.room()
	}
	w, err := parseLink(cfg.Link)
	if err != nil {
		return nil, err
	}
	f.open, f.shared, f.cfg.Nodes = w.open, w.shared, w.nodes
	return f, f.cfg.room()
}

// Goodbye bounds the drain after the context has ended: a person who pressed Ctrl-C waits for it.
const Goodbye = 500 * time.Millisecond

// Run opens the links, plays until Config.Duration is over or ctx ends, waits a while for what is open, disconnects the devices and
// tells what happened. It returns an error when a link cannot be opened or ends by itself; ctx ending is none.
func (f *Fleet) Run(ctx context.Context) (Report, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var readers sync.WaitGroup
	if err := f.start(&readers, stop); err != nil {
		return Report{}, err
	}
	var until time.Time
	if f.cfg.Duration > 0 {
		until = f.began.Add(f.cfg.Duration)
	}
	f.play(ctx, until, func() bool { return false })
	f.drain(ctx)
	for _, l := range f.links {
		l.Close()
	}
	readers.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ran = time.Since(f.began)
	select {
	case err := <-f.failed:
		return f.report(), err
	default:
		return f.report(), nil
	}
}

// start opens the links, makes the devices and starts one reader for each link. stop is called when a link ends by itself.
func (f *Fleet) start(readers *sync.WaitGroup, stop func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.began.IsZero() {
		return errors.New("a fleet runs only once")
	}
	f.began = time.Now()
	if err := f.openLinks(); err != nil {
		for _, l := range f.links {
			l.Close()
		}
		return err
	}
	f.enlist()
	for i, l := range f.links {
		route := alone(f.stations[min(i, len(f.stations)-1)])
		switch {
		case f.cfg.Nodes != nil:
			route = byAddr(f.stations)
		case len(f.stations) > len(f.links):
			route = byNode(f.stations)
		}
		readers.Go(func() {
			if err := f.read(l, route); !errors.Is(err, transports.ErrClosed) {
				select {
				case f.failed <- fmt.Errorf("link of the fleet: %w", err):
				default:
				}
				stop()
			}
		})
	}
	return nil
}

func (f *Fleet) openLinks() error {
	n := f.cfg.Devices
	open := f.open
	if f.shared != nil {
		n, open = 1, func(int) (transports.Link, error) { return f.shared() }
	}
	for i := range n {
		l, err := open(i)
		if err != nil {
			return err
		}
		l = f.cfg.dress(l, i)
		f.links = append(f.links, l)
		if room := f.mtu(l); f.cfg.Payload+publishHeader > room {
			return fmt.Errorf("payload of %d octets is too long for the link, which carries %d", f.cfg.Payload, room-publishHeader)
		}
	}
	return nil
}

// publishHeader is the most that stands before the payload in PUBLISH, in octets.
const publishHeader = 9

// mtu is the longest message of a device on l.
func (f *Fleet) mtu(l transports.Link) int {
	if f.enveloped() {
		return l.MTU() - envelopeSize
	}
	return l.MTU()
}

// enveloped reports that several devices share one line that has no addresses.
func (f *Fleet) enveloped() bool { return f.shared != nil && f.cfg.Nodes == nil && f.cfg.Devices > 1 }

// enlist makes the devices and schedules their start.
func (f *Fleet) enlist() {
	for i := range f.cfg.Devices {
		l := f.links[min(i, len(f.links)-1)]
		s := &station{device: newDevice(&f.cfg, i, f.mtu(l), f.began), link: l, place: -1}
		if f.enveloped() {
			s.node = nodeID(i + 1)
		}
		if f.cfg.Nodes != nil {
			s.addr = f.cfg.Nodes(i)
		}
		f.stations = append(f.stations, s)
		f.due.schedule(s)
	}
}

// drain ends the devices and serves them until all have left, until nothing was answered for Config.Drain, or for Goodbye at most once
// ctx has ended.
func (f *Fleet) drain(ctx context.Context) {
	f.mu.Lock()
	now := time.Now()
	for _, s := range f.stations {
		f.drive(s, func(s *station) { s.end(now) })
	}
	f.mu.Unlock()
	for open, before := f.stillOpen(), uint64(math.MaxUint64); open < before && ctx.Err() == nil; {
		f.play(ctx, time.Now().Add(f.cfg.Drain), f.ended)
		open, before = f.stillOpen(), open
	}
	if ctx.Err() != nil {
		f.play(context.WithoutCancel(ctx), time.Now().Add(Goodbye), f.ended)
	}
}

// ended reports that all devices have left. f.mu is held.
func (f *Fleet) ended() bool {
	for _, s := range f.stations {
		if !s.ended() {
			return false
		}
	}
	return true
}

// stillOpen counts the messages without an answer.
func (f *Fleet) stillOpen() (n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.stations {
		n += s.open
	}
	return n
}

// Sleepers are the client ids of the devices that sleep, in order.
func (f *Fleet) Sleepers() (ids []string) {
	for i := range f.cfg.Devices {
		if f.cfg.sleeper(i) {
			ids = append(ids, f.cfg.clientID(i))
		}
	}
	return ids
}

// Snapshot tells how far the fleet has come. Any goroutine may call it at any time.
func (f *Fleet) Snapshot() Totals {
	f.mu.Lock()
	defer f.mu.Unlock()
	var t Totals
	for _, s := range f.stations {
		t.Add(s.report())
	}
	t.Elapsed = f.elapsed()
	return t
}

func (f *Fleet) elapsed() time.Duration {
	switch {
	case f.began.IsZero():
		return 0
	case f.ran > 0:
		return f.ran
	}
	return time.Since(f.began)
}

// report is the whole story. f.mu is held and the links are closed.
func (f *Fleet) report() Report {
	r := Report{Seed: f.cfg.Seed, Sessionless: f.cfg.QoS == mqttsn.QoSMinusOne, Strays: f.strays, LinkErrors: map[string]uint64{}}
	for _, s := range f.stations {
		d := s.report()
		r.Devices = append(r.Devices, d)
		r.Add(d)
	}
	r.Elapsed = f.elapsed()
	for _, l := range f.links {
		stats := l.Stats()
		r.FramesIn += stats.FramesIn
		r.FramesOut += stats.FramesOut
		for reason, n := range stats.Errors {
			r.LinkErrors[reason] += n
		}
	}
	return r
}
