package broker

import (
	"fmt"
	"math"
	"time"

	"midge/broker/mqtt"
	"midge/broker/store"
	"midge/broker/topic"
)

// Durability says how a broker uses its store.
type Durability struct {
	CommitInterval   time.Duration // how long a publisher's acknowledgement may wait for more to be committed together; 0 means not at all
	RetainedInterval time.Duration // how often retained messages that were published at QoS 0 are written; 0 means with every commit
}

// Restore returns a broker that has everything which was safe in s when the last process ended. The broker owns s until Stop.
//
// Clients that were connected then are lost now: their wills are due, after a moment in which they may come back.
func Restore(now time.Time, limits Limits, s *store.Store, how Durability) (*Broker, error) {
	b := New(limits)
	saved, err := s.Clock()
	if err != nil {
		return nil, fmt.Errorf("read the store's clock: %w", err)
	}
	b.clock = newClock(now, saved)
	b.store, b.commitInterval, b.retainedInterval = s, how.CommitInterval, how.RetainedInterval
	b.loading = make(chan struct{}, 1)
	b.lastNum, b.lastBody = s.LastNum(), s.LastBody()
	r := restorer{b: b, now: now, sessions: make(map[uint32]*state), received: make(map[uint32][]uint64)}
	for _, step := range []struct {
		what string
		read func() error
	}{
		{"sessions", func() error { return s.Sessions(r.session) }},
		{"subscriptions", func() error { return s.Subscriptions(r.subscription) }},
		{"inbound identifiers", func() error { return s.Inbound(r.inbound) }},
		{"deliveries", func() error { return s.Received(r.receivedMark) }},
		{"queues", r.queues},
		{"retained messages", func() error { return s.Retained(r.retained) }},
	} {
		if err := step.read(); err != nil {
			return nil, fmt.Errorf("read the %s of the store: %w", step.what, err)
		}
	}
	b.endEmptyGroups()
	return b, nil
}

// restorer puts what the store has into a broker.
type restorer struct {
	b        *Broker
	now      time.Time
	sessions map[uint32]*state
	received map[uint32][]uint64
}

func (r *restorer) session(rec store.Session) error {
	b := r.b
	if topic.IsShared(rec.ClientID) {
		r.group(rec)
		return nil
	}
	st := &state{id: rec.ClientID, username: rec.Username, expiry: rec.Expiry, connectionless: rec.Connectionless, num: rec.Num, written: true}
	st.numbers = max(rec.Next, 1) - 1
	st.expiry = b.expiryOf(st.id, st.expiry)
	if st.expiry > 0 || st.connectionless {
		st.dur = &durable{given: rec.Given}
		if rec.Connected {
			st.dur.given = math.MaxUint64
		}
	}
	if w := rec.Will; w != nil {
		st.will = &Will{Message: b.message(&w.Message), Delay: time.Duration(w.Delay), Expiry: time.Duration(w.Expiry)}
	}
	if rec.Connected {
		st.absence = r.lost(st)
	} else {
		a := &absence{willAt: b.clock.time(rec.WillAt), expireAt: b.clock.time(rec.ExpireAt)}
		if st.expiry != rec.Expiry {
			a.expireAt = earlier(a.expireAt, r.now.Add(time.Duration(st.expiry)*time.Second))
		}
		st.absence = a
	}
	b.sessions[st.id] = st
	r.sessions[st.num] = st
	b.wait(st)
	b.rewrite(st) // its deadlines count from now on
	return nil
}

// lost says when the will and the end of a session are due whose client was connected when the process ended.
func (r *restorer) lost(st *state) *absence {
	a := new(absence)
	after := func(seconds uint32, least time.Duration) time.Time {
		return r.now.Add(max(time.Duration(seconds)*time.Second, least))
	}
	switch {
	case st.expiry == Never:
	case st.connectionless:
		a.expireAt = after(st.expiry, orphanGrace)
	default:
		a.expireAt = after(st.expiry, restartGrace)
	}
	switch {
	case st.will == nil:
	case st.connectionless:
		a.willAt = r.now.Add(max(st.will.Delay, orphanGrace))
	default:
		a.willAt = r.now.Add(max(st.will.Delay, restartGrace))
	}
	return a
}

func (r *restorer) subscription(num uint32, s store.Subscription) error {
	if st := r.sessions[num]; st != nil {
		sub := Subscription(s)
		r.b.setSubscription(r.now, st, &sub)
	}
	return nil
}

func (r *restorer) inbound(num uint32, id uint16) error {
	if st := r.sessions[num]; st != nil {
		if st.inbound == nil {
			st.inbound = make(map[uint16]bool)
		}
		st.inbound[id] = true
	}
	return nil
}

func (r *restorer) receivedMark(num uint32, seq uint64) error {
	r.received[num] = append(r.received[num], seq)
	return nil
}

// queues finds where the queues begin and end. Nothing of them is read but what stands before a delivery that its subscriber has received: it was in
// flight, and PUBREL goes out before anything else.
func (r *restorer) queues() error {
	for num, st := range r.sessions {
		if st.dur == nil {
			continue
		}
		if err := r.queue(num, st); err != nil {
			return fmt.Errorf("client %q: %w", st.id, err)
		}
	}
	return nil
}

func (r *restorer) queue(num uint32, st *state) error {
	b, d := r.b, st.dur
	first, last, before, n, err := b.store.Span(num)
	if err != nil {
		return err
	}
	marks := r.received[num]
	d.last = st.numbers
	if n > 0 {
		d.last = last.Seq
		d.loaded, d.loadedTotal, d.total = first.Seq-1, before, last.Total
	} else {
		d.loaded = d.last
	}
	d.safe = d.last
	b.stored += d.stored()
	b.storedBytes += d.storedBytes()
	if len(marks) > 0 {
		if err := r.inFlight(st, marks); err != nil {
			return err
		}
		st.numbers = max(st.numbers, marks[len(marks)-1])
	}
	st.numbers = max(st.numbers, d.last)
	if st.connectionless {
		// Its client may still answer what it was sent before the crash and what never came to the disk. Such an answer must not be taken for one to
		// what is sent under the same identifier now.
		st.numbers += idsSkipped
	}
	d.hole, d.holeEnd = st.numbers-d.last, st.numbers // the last numbers that were given may have been done with, too
	if d.stored() == 0 {
		d.last, d.loaded, d.safe = st.numbers, st.numbers, st.numbers
	}
	if d.given == math.MaxUint64 {
		d.given = st.numbers
	}
	return nil
}

// inFlight puts a queue up to the last delivery that its subscriber has received into the window: all of that was handed out. marks are the numbers of
// those that were received. The others are read.
func (r *restorer) inFlight(st *state, marks []uint64) error {
	b, d := r.b, st.dur
	entries := make([]store.Entry, loadMessages)
	for len(marks) > 0 {
		n, err := b.store.Read(st.num, d.loaded+1, entries, loadBytes)
		if err != nil {
			return err
		}
		for i := range entries[:n] {
			e := &entries[i]
			for len(marks) > 0 && marks[0] < e.Seq {
				r.wasReceived(st, marks[0])
				marks = marks[1:]
			}
			if len(marks) == 0 {
				return nil
			}
			b.setLoaded(d, e.Seq, e.Total)
			r.wasSent(st, b.queuedEntry(d, e))
		}
		if n > 0 {
			continue
		}
		for _, seq := range marks {
			r.wasReceived(st, seq)
		}
		return nil
	}
	return nil
}

func (r *restorer) wasReceived(st *state, seq uint64) {
	q := queued{qos: mqtt.ExactlyOnce, kept: &kept{seq: seq, stage: safe}}
	st.window.add(delivery{queued: q, seq: seq, place: st.passed, phase: released})
	st.passed++
	r.b.inflight++
}

func (r *restorer) wasSent(st *state, q queued) {
	st.window.add(delivery{queued: q, seq: q.kept.seq, place: st.passed})
	st.passed++
	r.b.inflight++
	r.b.inflightBytes += q.msg.size()
}

func (r *restorer) retained(rec *store.Message) error {
	m := r.b.message(rec)
	r.b.retained.Set(m.Topic, m)
	r.b.retainedBytes += m.size()
	return nil
}
