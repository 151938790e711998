package broker

import (
	"slices"
	"time"

	"midge/broker/mqtt"
)

// enqueue puts q into a session's queue or drops it, and notes whom to wake.
func (b *Broker) enqueue(now time.Time, by *Session, st *state, q queued, pub **publication) (busy <-chan struct{}) {
	o := st.owner
	switch {
	case o == nil && q.qos == mqtt.AtMostOnce && !b.limits.QueueQoS0:
		b.drop(OfflineQoS0)
		return nil
	case b.queueFull(st, q) && !b.makeRoom(by, st, q):
		b.drop(QueueFull)
		return nil
	}
	if o != nil && st.queue.len() == 0 && st.dur.stored() == 0 {
		o.prompt = now
	}
	b.push(now, st, q, pub)
	if o == nil {
		return nil
	}
	o.rouse(by)
	if !st.busy() {
		return nil
	}
	return o.slow(now, by)
}

// slow returns what by should wait for when the queue is long and is being drained, else nil.
func (o *Session) slow(now time.Time, by *Session) <-chan struct{} {
	st := o.st
	if !st.busy() || o == by || !st.prompt(now) {
		return nil
	}
	return st.roomLater()
}

// prompt reports whether the session is being pulled, or a member of the group is.
func (st *state) prompt(now time.Time) bool {
	if st.group == nil {
		return st.owner != nil && now.Sub(st.owner.prompt) < stalledAfter
	}
	return slices.ContainsFunc(st.group.members, func(sh *share) bool { return sh.st.prompt(now) })
}

// roomLater returns a channel that is closed when the queue is no longer busy.
func (st *state) roomLater() <-chan struct{} {
	if st.room == nil {
		st.room = make(chan struct{})
	}
	return st.room
}

// push puts q at the end of a session's queue, in memory or on disk.
func (b *Broker) push(now time.Time, st *state, q queued, pub **publication) {
	if st.dur != nil && q.qos > mqtt.AtMostOnce && !b.keep(now, st, &q, pub) {
		return
	}
	b.hang(st, q)
}

// hang puts q at the end of the queue in memory.
func (b *Broker) hang(st *state, q queued) {
	st.queue.push(q)
	size := q.msg.size()
	st.bytes += size
	if q.kept != nil {
		st.skipped += int(q.kept.skip)
	}
	if l := q.loan(); l != nil {
		l.share.waiting++
	}
	b.queued++
	b.queuedBytes += size
}

// unqueue accounts for q, which has left the queue.
func (b *Broker) unqueue(st *state, q queued) {
	size := q.msg.size()
	if q.kept != nil {
		st.skipped -= int(q.kept.skip)
	}
	if l := q.loan(); l != nil {
		l.share.waiting--
	}
	st.bytes -= size
	b.queued--
	b.queuedBytes -= size
}

func (st *state) busy() bool { return st.queue.len() > busyMessages || st.bytes > busyBytes }

// relax lets waiting publishers go on when the queue is down to half of what made it busy.
func (st *state) relax() {
	if st.room != nil && st.queue.len() <= busyMessages/2 && st.bytes <= busyBytes/2 {
		st.letPublishersGo()
	}
}

// shrink lets go of the empty queues' slots, for a session that will not be busy soon. There may be very many of them.
func (st *state) shrink() {
	st.acks.shrink()
	st.queue.shrink()
	st.window.shrink()
}

func (st *state) letPublishersGo() {
	if st.room != nil {
		close(st.room)
		st.room = nil
	}
}
