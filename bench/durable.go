package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// A durableWork is a row of the second table: what it costs to keep messages through a power cut, and what is there after one.
type durableWork struct {
	name      string
	what      string
	midgeOnly bool
	once      bool // it is long and steady: one run is enough
	options   storeOptions
	run       func(context.Context, *durableRun) error
}

// durableWorks are in the order of the table.
var durableWorks = []durableWork{
	{"durable", "QoS 1 into an offline persistent session, 8 publishers, window 64, then kill -9 and drain", false, false, storeOptions{}, flood},
	{"online-0s", "QoS 1, 1,000 msg/s to 2 online persistent sessions, commit_interval 0s", true, false, storeOptions{}, online},
	{"online-50ms", "the same with commit_interval 50ms", true, false, storeOptions{commitInterval: 50 * time.Millisecond}, online},
	{"offline-50ms", "QoS 1, 5,000 msg/s to an offline session and drained, commit_interval 50ms", true, false, storeOptions{commitInterval: 50 * time.Millisecond}, backlog},
	{"restart-queued", "restart with 1,000,000 queued messages in 16 sessions, then drain", true, true, storeOptions{}, restartQueued},
	{"restart-kept", "restart with 100,000 retained messages", true, true, storeOptions{}, restartRetained},
}

// durableScale says how large a durable work is made.
type durableScale struct {
	budget   time.Duration // how long publishers send
	paced    time.Duration // how long those send that are paced
	settle   time.Duration // for what the server writes later
	senders  int
	window   int
	queued   int // messages of restart-queued
	sessions int // of restart-queued
	retained int
}

var fullDurable = durableScale{
	budget: 5 * time.Second, paced: 10 * time.Second, settle: 2 * time.Second, senders: 8, window: 64, queued: 1_000_000, sessions: 16, retained: 100_000,
}

// quickDurable shortens the time and has a tenth of the state.
func quickDurable() durableScale {
	s := fullDurable
	s.budget, s.paced, s.queued, s.retained = 1500*time.Millisecond, 3*time.Second, s.queued/10, s.retained/10
	return s
}

// durableFigures are the outcome of one run, or the medians of several. Zero is not measured.
type durableFigures struct {
	rate    float64 // messages a second that were acknowledged to their publishers
	cpu     float64 // the server's CPU time per message, in µs
	others  float64 // share of the machine that other programs took meanwhile, 0 to 1
	written float64 // octets that the server wrote per message
	drain   float64 // messages a second that a subscriber got of what had waited
	ready   float64 // seconds from exec to the first CONNACK
	anon    float64 // anonymous memory soon after the restart, in octets

	due   int64 // messages that were acknowledged and had to come
	lost  int64 // of them, those that did not
	twice int64 // repeats
	late  int64 // messages that came after a later one of the same publisher
}

// A durableRun is one durable work on one server.
type durableRun struct {
	*server
	launch launcher
	sc     durableScale
	f      durableFigures
}

// durableBench runs the durable works that were asked for, in turns, and adds them to all.
func durableBench(ctx context.Context, all *durableResults, peers []peer, opt options) {
	sc := fullDurable
	if opt.quick {
		sc = quickDurable()
	}
	for _, w := range durableWorks {
		if len(opt.only) > 0 && !slices.Contains(opt.only, w.name) {
			continue
		}
		runs := opt.runs
		if w.once {
			runs = 1
		}
		durableTurns(ctx, all, w, peers, sc, runs)
	}
}

// durableTurns runs w on every peer that can do it, runs times in turn.
func durableTurns(ctx context.Context, all *durableResults, w durableWork, peers []peer, sc durableScale, runs int) {
	for i := range runs {
		for _, p := range peers {
			if p.durable == nil || w.midgeOnly && p.name != "midge" || ctx.Err() != nil {
				continue
			}
			f, err := runDurable(ctx, w, p, sc)
			if ctx.Err() != nil {
				return
			}
			all.at(w.name, p.name).add(f, err)
			fmt.Fprintf(os.Stderr, "%-16s %-10s %d/%d  %s\n", w.name, p.name, i+1, runs, f.brief(err))
		}
	}
}

// runDurable starts a server of p that keeps its state, runs w on it and stops it.
func runDurable(ctx context.Context, w durableWork, p peer, sc durableScale) (durableFigures, error) {
	p.launch = p.durable(w.options)
	s, err := startServer(ctx, p)
	if err != nil {
		return durableFigures{}, err
	}
	d := &durableRun{server: s, launch: p.launch, sc: sc}
	err = w.run(ctx, d)
	err = errors.Join(err, s.died())
	return d.f, errors.Join(err, s.stop())
}

// crash kills the process as a power cut would, but for what the system still writes.
func (d *durableRun) crash() {
	d.cmd.Process.Kill()
	<-d.done
}

// again starts the server on the same state and measures how long it takes and what memory it then has.
func (d *durableRun) again(ctx context.Context) error {
	begun := time.Now()
	if err := d.server.run(ctx, d.launch); err != nil {
		return fmt.Errorf("restart %s: %w", d.name, err)
	}
	d.f.ready = time.Since(begun).Seconds()
	anon, err := anonMemory(d.pid)
	d.f.anon = float64(anon)
	return err
}
