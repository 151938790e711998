package broker

import (
	"slices"
	"time"

	"midge/broker/store"
)

// journal is what has changed since the last commit. It is sealed into a [store.Batch] under the core's lock; what was done before its
// sealing is what is kept.
type journal struct {
	batch     uint64 // number of the batch that is being collected
	committed uint64 // number of the last batch that is safe

	copies   []keptCopy // oldest first; those that are gone by the time of sealing are not written
	bytes    int        // octets of copies
	sessions []*state   // whose record has changed; each once
	ended    []uint32   // numbers of sessions that are no more
	changes  []change   // in order
	finished []*state   // with copies to be removed
	retained map[string]struct{}
	publ     []*publication      // that wait for retained
	coalesce map[string]struct{} // topics whose retained QoS 0 message has changed

	urgent     bool          // somebody waits for something that is not a copy
	urgentAt   time.Duration // since start, and 1 ns more: when the committer saw that first; 0 = not yet
	lazy       bool          // there is something that nobody waits for
	lazyAt     time.Duration
	coalesceAt time.Duration
	room       chan struct{} // closed when the next commit is safe; nil while no publisher waits for it
	signal     chan struct{} // one slot: the committer is to look
}

// keptCopy is a copy with all that is written of it.
type keptCopy struct {
	queued
	st    *state
	total uint64
	at    time.Duration // since start: when it came
}

// change is one entry of the journal that is neither a copy nor a session's record.
type change struct {
	st    *state
	kind  changeKind
	sub   *Subscription
	name  string
	value []byte
	id    uint16
	seq   uint64
}

type changeKind uint8

const (
	subscribed changeKind = iota
	unsubscribed
	noted
	inboundTaken
	inboundReleased
	copyReceived
)

func newJournal() *journal {
	return &journal{batch: 1, retained: map[string]struct{}{}, coalesce: map[string]struct{}{}, signal: make(chan struct{}, 1)}
}

func (j *journal) wake() {
	select {
	case j.signal <- struct{}{}:
	default:
	}
}

// keep enters a copy.
func (j *journal) keep(at time.Duration, st *state, q queued, total uint64) {
	j.copies = append(j.copies, keptCopy{queued: q, st: st, total: total, at: at})
	j.bytes += q.msg.size()
	if len(j.copies) == 1 || j.full() {
		j.wake()
	}
}

// full reports whether the disk has fallen behind its publishers.
func (j *journal) full() bool { return j.bytes > journalBytes }

// wait returns a channel that is closed when the next commit is safe.
func (j *journal) wait() <-chan struct{} {
	if j.room == nil {
		j.room = make(chan struct{})
	}
	return j.room
}

// later has whatever the caller has entered written within lazyInterval.
func (j *journal) later() {
	if !j.lazy {
		j.lazy = true
		j.wake()
	}
}

// soon has everything written within the commit interval.
func (j *journal) soon() {
	if !j.urgent {
		j.urgent = true
		j.wake()
	}
}

// enter adds a change, if its session outlives the process.
func (b *Broker) enter(c change) {
	if c.st.dur == nil {
		return
	}
	c.st.changed = b.journal.batch
	b.journal.changes = append(b.journal.changes, c)
	b.journal.later()
}

// remove has a copy that the store has taken out of it some time.
func (b *Broker) remove(st *state, k *kept) {
	st.dur.removed = append(st.dur.removed, store.Removed{Seq: k.seq, Body: k.body})
	if !st.touched {
		st.touched = true
		b.journal.finished = append(b.journal.finished, st)
		b.journal.later()
	}
}

// rewrite has a session's record written, if it has one.
func (b *Broker) rewrite(st *state) {
	if st.num != 0 && !st.rewritten {
		st.rewritten = true
		b.journal.sessions = append(b.journal.sessions, st)
		b.journal.later()
	}
}

// commitDue says when there is something to commit: 0 now, negative never. at is the time since start.
func (b *Broker) commitDue(at time.Duration) time.Duration {
	j, due := b.journal, time.Duration(-1)
	for len(j.copies) > 0 && j.copies[0].kept.stage == gone {
		j.bytes -= j.copies[0].msg.size()
		j.copies[0] = keptCopy{}
		j.copies = j.copies[1:]
	}
	sooner := func(since *time.Duration, wanted bool, after time.Duration) {
		if !wanted {
			return
		}
		if *since == 0 {
			*since = at + 1
		}
		if d := max(0, *since-1+after-at); due < 0 || d < due {
			due = d
		}
	}
	if len(j.copies) > 0 {
		first := j.copies[0].at + 1
		sooner(&first, true, b.commitInterval)
	}
	sooner(&j.urgentAt, j.urgent, b.commitInterval)
	sooner(&j.lazyAt, j.lazy, max(lazyInterval, b.commitInterval))
	sooner(&j.coalesceAt, len(j.coalesce) > 0, b.retainedInterval)
	if j.full() {
		return 0
	}
	return due
}

// seal writes the journal into batch and begins the next one. It returns the copies that are on their way.
func (b *Broker) seal(now time.Time, batch *store.Batch, all bool) (copies []keptCopy, publ []*publication) {
	j := b.journal
	for _, num := range j.ended {
		batch.DropSession(num)
	}
	for _, st := range j.sessions {
		st.rewritten = false
		if !st.ended {
			batch.SetSession(b.sessionRecord(st))
		}
	}
	for i := range j.changes {
		j.changes[i].write(batch)
	}
	b.sealCopies(batch)
	for _, st := range j.finished {
		st.touched = false
		if d := st.dur; !st.ended {
			slices.SortFunc(d.removed, func(x, y store.Removed) int { return int(int64(x.Seq - y.Seq)) })
			batch.Remove(st.num, d.removed)
			d.removed = d.removed[:0]
		}
	}
	b.sealRetained(b.sinceStart(now), batch, all)
	if !batch.Empty() || all {
		batch.SetClock(b.clock.record(now))
	}
	copies, publ = j.copies, j.publ
	next := newJournal()
	next.batch, next.committed, next.signal = j.batch+1, j.committed, j.signal
	next.coalesce, next.coalesceAt, next.room = j.coalesce, j.coalesceAt, j.room
	b.journal = next
	return copies, publ
}

func (c *change) write(batch *store.Batch) {
	if c.st.ended {
		return
	}
	num := c.st.num
	switch c.kind {
	case subscribed:
		batch.SetSubscription(num, store.Subscription(*c.sub))
	case unsubscribed:
		batch.DropSubscription(num, c.name)
	case noted:
		batch.SetNote(num, c.name, c.value)
	case inboundTaken:
		batch.AddInbound(num, c.id)
	case inboundReleased:
		batch.DropInbound(num, c.id)
	case copyReceived:
		batch.AddReceived(num, c.seq)
	}
}

// sealCopies writes the copies that somebody still waits for. Those of one message stand side by side; two or more share one body.
func (b *Broker) sealCopies(batch *store.Batch) {
	copies := b.journal.copies
	for i := 0; i < len(copies); {
		same, wanted := i, 0
		for ; same < len(copies) && copies[same].kept.pub == copies[i].kept.pub && copies[same].msg == copies[i].msg; same++ {
			if copies[same].kept.stage == fresh && !copies[same].st.ended {
				wanted++
			}
		}
		var body uint64
		if wanted > 1 {
			b.lastBody++
			body = b.lastBody
			r := b.queuedRecord(copies[i].msg)
			batch.AddBody(body, wanted, &r)
		}
		for ; i < same; i++ {
			c := &copies[i]
			if c.kept.stage != fresh || c.st.ended {
				continue
			}
			c.kept.stage, c.kept.body = sealed, body
			e := b.entry(&c.queued, c.total)
			batch.Enqueue(c.st.num, &e)
		}
	}
}

// sealRetained writes the present messages of the topics that have changed. Those that changed at QoS 0 alone wait for their interval.
func (b *Broker) sealRetained(at time.Duration, batch *store.Batch, all bool) {
	j := b.journal
	write := func(topic string) {
		m, ok := b.retained.Get(topic)
		if !ok {
			m = &Message{Topic: topic}
		}
		r := b.record(m)
		batch.SetRetained(&r)
	}
	for topic := range j.retained {
		delete(j.coalesce, topic)
		write(topic)
	}
	if len(j.coalesce) == 0 || !all && j.coalesceAt-1+b.retainedInterval > at {
		return
	}
	for topic := range j.coalesce {
		write(topic)
	}
	j.coalesce, j.coalesceAt = map[string]struct{}{}, 0
}

// secured lets the front end of a session go on that has waited for its copies to be safe.
func (b *Broker) secured(by *Session, st *state) {
	if st.dur != nil && st.dur.starved {
		st.dur.starved = false
		b.load(st)
	}
	if o := st.owner; st.blocked && o != nil {
		st.blocked = false
		o.rouse(by)
	}
}

// committed is called when the batch is safe: whoever waited for it is told.
func (b *Broker) committed(by *Session, copies []keptCopy, publ []*publication) {
	j := b.journal
	j.committed = j.batch - 1
	for i := range copies {
		c := &copies[i]
		if c.kept.stage != sealed {
			if c.kept.stage == fresh { // its session had ended before it was sealed
				c.kept.stage = gone
				b.settle(by, c.kept.pub)
			}
			continue
		}
		c.kept.stage = safe
		c.st.dur.safe = max(c.st.dur.safe, c.kept.seq)
		b.settle(by, c.kept.pub)
		b.secured(by, c.st)
	}
	for _, p := range publ {
		b.settle(by, p)
	}
	for st := range b.waiting {
		b.acksReady(by, st)
		b.secured(by, st)
		if st.changed <= j.committed {
			delete(b.waiting, st)
		}
	}
	if j.room != nil {
		close(j.room)
		j.room = nil
	}
}
