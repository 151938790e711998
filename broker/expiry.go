package broker

import (
	"container/heap"
	"context"
	"time"
)

// schedule notes when a session without front end is due: its will, its end, or both. "The Server … publishes the Will
// Message … when the Will Delay Interval passes or the Session ends, whichever happens first" (MQTT 5 §3.1.3.2.2).
func (b *Broker) schedule(now time.Time, st *state) {
	a := new(absence)
	if st.expiry != Never {
		a.expireAt = now.Add(time.Duration(st.expiry) * time.Second)
	}
	if st.will != nil {
		a.willAt = now.Add(st.will.Delay)
	}
	st.absence = a
	b.wait(st)
	b.rewrite(st)
}

// wait enters when a session without front end is due.
func (b *Broker) wait(st *state) {
	b.deadlines.set(st, earlier(st.absence.willAt, st.absence.expireAt))
	if b.deadlines.first() == st {
		select {
		case b.alarm <- struct{}{}:
		default:
		}
	}
}

// expiryOf is how many seconds the session of a client outlives its connection when the client asks for so many. Bounded are those of clients; what is to go to
// another broker waits in a session of our own, under a client id that begins with '$'.
func (b *Broker) expiryOf(clientID string, asked uint32) uint32 {
	most := b.limits.SessionExpiry / time.Second
	if most == 0 || clientID[0] == '$' || time.Duration(asked) <= most && asked != Never {
		return asked
	}
	return uint32(min(most, Never-1))
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Expire publishes wills and ends sessions that are due and returns when it must be called next; zero means not until another session is closed.
func (b *Broker) Expire(now time.Time) (next time.Time) {
	by := b.hold(Options{})
	b.mu.Lock()
	for st := b.deadlines.first(); st != nil && st.absence.over(now); st = b.deadlines.first() {
		b.due(now, by, st)
	}
	if st := b.deadlines.first(); st != nil {
		next = st.absence.deadline
	}
	b.unlock()
	by.wake()
	return next
}

// over reports whether something is due.
func (a *absence) over(now time.Time) bool {
	return a != nil && !a.deadline.IsZero() && !now.Before(a.deadline)
}

func (b *Broker) due(now time.Time, by *Session, st *state) {
	a := st.absence
	if !a.expireAt.IsZero() && !now.Before(a.expireAt) {
		b.expired++
		b.end(now, by, st)
		return
	}
	if w := st.will; w != nil {
		st.will, a.willAt = nil, time.Time{}
		b.publishWill(now, by, st, w)
		b.rewrite(st)
	}
	b.deadlines.set(st, a.expireAt)
}

func (b *Broker) publishWill(now time.Time, by *Session, st *state, w *Will) {
	m := *w.Message
	m.Publisher = st.id
	if w.Expiry > 0 {
		m.Expires = now.Add(w.Expiry)
	}
	b.admit(now, by, st.access, &m)
}

// Run keeps deadlines and the store up to date until ctx ends. An error says that the store can no longer be read or written.
func (b *Broker) Run(ctx context.Context) error {
	loops := []func(context.Context) error{b.expireLoop}
	if b.store != nil {
		loops = append(loops, b.commitLoop, b.loadLoop, b.spaceLoop)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(loops))
	for _, loop := range loops {
		go func() { ended <- loop(ctx) }()
	}
	var first error
	for range loops {
		if err := <-ended; first == nil {
			first = err
		}
		stop()
	}
	return first
}

// expireLoop calls Expire when it is due, until ctx ends.
func (b *Broker) expireLoop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.alarm:
		case <-timer.C:
		}
		now := time.Now()
		if next := b.Expire(now); !next.IsZero() {
			timer.Reset(next.Sub(now))
		}
	}
}

// deadlines orders the sessions that wait for something by time: at most one entry a session.
type deadlines []*state

func (d *deadlines) first() *state {
	if len(*d) == 0 {
		return nil
	}
	return (*d)[0]
}

// set moves, adds or (zero time) removes the deadline of a session without front end.
func (d *deadlines) set(st *state, at time.Time) {
	a := st.absence
	waits := !a.deadline.IsZero()
	a.deadline = at
	switch {
	case waits && at.IsZero():
		heap.Remove(d, a.place)
	case waits:
		heap.Fix(d, a.place)
	case !at.IsZero():
		heap.Push(d, st)
	}
}

// drop ends a session's absence, if it is away.
func (d *deadlines) drop(st *state) {
	if st.absence != nil {
		d.set(st, time.Time{})
		st.absence = nil
	}
}

// Len, Less, Swap, Push and Pop are heap.Interface.
func (d deadlines) Len() int { return len(d) }

// Less reports whether i is due before j.
func (d deadlines) Less(i, j int) bool { return d[i].absence.deadline.Before(d[j].absence.deadline) }

// Swap exchanges two entries.
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].absence.place, d[j].absence.place = i, j
}

// Push appends a *state.
func (d *deadlines) Push(x any) {
	st := x.(*state)
	st.absence.place = len(*d)
	*d = append(*d, st)
}

// Pop removes the last entry.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	st := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return st
}
