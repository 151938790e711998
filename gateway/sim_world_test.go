package gateway

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// world is one run of the simulation in virtual time. Everything that happens is an event of its one heap, and the seed decides all of it: no goroutine, no
// clock, so a run can be repeated.
type world struct {
	seed     uint64
	plan     plan
	start    time.Time
	now      time.Time
	events   events
	order    uint64
	happened int // events

	box      *box
	places   []*place
	devs     []*dev
	beacons  []*dev
	settings []*setting
	mqtt     mqttSide

	faults []string // invariants that did not hold
	broken []*dev   // whose they are
	tail   bool     // the day is over, everything is whole again
	count  counts

	saboteur int // frames that it has seen

	measured map[string]time.Time // messages on their way, since when; nil = nobody wants to know
	delays   []time.Duration
}

// counts tells what the day had in it.
type counts struct {
	frames, lost, repeated, reordered, damaged, undetected int
	crashes, orderly, reboots, moves, deaths, outages      int
	reports, commands, settings, beacons, wills, commits   int

	air, line time.Duration // how long radios were sending, and lines carrying
}

// stream is a source of chance of its own: what one actor draws does not depend on the others.
func (w *world) stream(n uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, n)) }

// event is something that happens at a time; those of one instant happen in the order in which they were entered.
type event struct {
	at    time.Duration // since the start
	order uint64
	run   func()
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.order < o.order }

// events is a binary heap.
type events []event

func (h *events) push(e event) {
	*h = append(*h, e)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !s[i].before(&s[up]) {
			return
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *events) pop() event {
	s := *h
	first, last := s[0], len(s)-1
	s[0] = s[last]
	s[last] = event{}
	s = s[:last]
	*h = s
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return first
		}
		if down+1 < last && s[down+1].before(&s[down]) {
			down++
		}
		if !s[down].before(&s[i]) {
			return first
		}
		s[i], s[down] = s[down], s[i]
		i = down
	}
}

func (w *world) after(d time.Duration, run func()) { w.at(w.now.Add(d), run) }

func (w *world) at(t time.Time, run func()) {
	w.order++
	w.events.push(event{max(t.Sub(w.start), w.now.Sub(w.start)), w.order, run})
}

// run lets happen what happens until then.
func (w *world) run(until time.Time) {
	end := until.Sub(w.start)
	for len(w.events) > 0 && w.events[0].at <= end {
		e := w.events.pop()
		w.now = w.start.Add(e.at)
		w.happened++
		e.run()
	}
	w.now = until
}

// alarm is the deadline of one actor, which may move both ways.
type alarm struct {
	w    *world
	ring func()
	due  time.Time // zero: none
	set  time.Time // of the event that will look at it; zero: none
}

func (a *alarm) at(due time.Time, ok bool) {
	if !ok {
		a.due = time.Time{}
		return
	}
	if due.Before(a.w.now) {
		due = a.w.now
	}
	a.due = due
	if !a.set.IsZero() && !due.Before(a.set) {
		return // the event comes early enough
	}
	a.set = due
	a.w.at(due, func() { a.look(due) })
}

func (a *alarm) look(set time.Time) {
	if !a.set.Equal(set) {
		return // another event was entered, for an earlier time
	}
	a.set = time.Time{}
	switch {
	case a.due.IsZero():
	case a.due.After(a.w.now):
		a.at(a.due, true)
	default:
		a.due = time.Time{}
		a.ring()
	}
}

// fault is an invariant that does not hold. d may be nil.
func (w *world) fault(d *dev, format string, args ...any) {
	who := ""
	if d != nil {
		who = d.id + ": "
		w.broken = append(w.broken, d)
		d.note("FAULT %s", fmt.Sprintf(format, args...))
		if d.notes == 0 {
			d.notes = len(d.trace) + notesAfter
		}
	}
	if len(w.faults) < 50 {
		w.faults = append(w.faults, fmt.Sprintf("after %v: %s%s", w.now.Sub(w.start).Round(time.Millisecond), who, fmt.Sprintf(format, args...)))
	}
}
