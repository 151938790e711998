package broker

import (
	"time"

	"midge/broker/mqtt"
	"midge/broker/store"
)

// durable is what a session has beyond its state in memory when it outlives the process: its copies at QoS > 0 are kept in the store, and those that
// do not fit in memory are there alone.
//
// Its copies are numbered. Those up to loaded are in the queue or the window, or are done; those from there to last wait in the store.
type durable struct {
	last        uint64 // number of the last copy that waits, or waited, in the queue
	total       uint64 // octets of all copies up to last
	loaded      uint64
	loadedTotal uint64 // octets of all copies up to loaded
	given       uint64 // copies up to this one may have been handed out before the last restart
	safe        uint64 // copies up to this one are committed
	hole        uint64 // how many numbers up to holeEnd were never given: see restorer.queue
	holeEnd     uint64
	loading     bool
	starved     bool // it wants copies that are not committed yet

	removed []store.Removed // done since the last commit and still in the store
}

// stored is how many copies wait in the store alone.
func (d *durable) stored() int {
	if d != nil && d.loaded < d.holeEnd && d.holeEnd < d.last {
		return d.places() - int(d.hole)
	}
	return d.places()
}

// places is how many numbers lie between what is loaded and the last.
func (d *durable) places() int {
	if d == nil {
		return 0
	}
	return int(d.last - d.loaded)
}

func (d *durable) storedBytes() int {
	if d == nil {
		return 0
	}
	return int(d.total - d.loadedTotal)
}

// kept is a copy at QoS > 0 of a durable session on its way to and in the store.
type kept struct {
	pub   *publication // nil when it was read from the store
	seq   uint64
	body  uint64 // the number of its body, if it shares one; valid once sealed
	skip  uint32 // how many numbers before it are no longer there, after a restart
	stage stage
	dup   bool // it may have been handed out before the last restart
}

// stage is how far a copy has come on its way to the store.
type stage uint8

const (
	fresh  stage = iota // in the journal. When its receiver is done with it now, it is never written
	sealed              // in the commit that is running
	safe
	gone // its receiver is done with it
	lent // it belongs to a group, which keeps it: see loan
)

// publication is one message whose publisher waits until it is safe.
type publication struct {
	publisher *state // nil: nobody waits
	waits     int    // what has to become safe, or to be done with, before it is acknowledged
}

// await has a publication, which it makes if there is none yet, wait for one thing more.
func await(p **publication) {
	if *p == nil {
		*p = new(publication)
	}
	(*p).waits++
}

// settle takes one of what p waits for away.
func (b *Broker) settle(by *Session, p *publication) {
	if p == nil {
		return
	}
	if p.waits--; p.waits == 0 && p.publisher != nil {
		b.acksReady(by, p.publisher)
	}
}

// acksReady wakes the front end of a session whose acknowledgements may have become ready, even one that has not pulled its deliveries since it
// was woken last: a sleeping client is answered all the same.
func (b *Broker) acksReady(by *Session, st *state) {
	o := st.owner
	if o == nil || o == by || o.told || o.waker == nil || !b.ready(st) {
		return
	}
	o.told = true
	b.answered = append(b.answered, o.waker)
}

// unlockLater leaves the core for a caller who may be writing to a client, and must not be made to write to others. The committer wakes them.
func (b *Broker) unlockLater() {
	if len(b.answered) > 0 {
		b.journal.wake()
	}
	b.mu.Unlock()
}

// unlock leaves the core and wakes those whose acknowledgements have become ready meanwhile.
func (b *Broker) unlock() {
	answered := b.answered
	b.answered = nil
	b.mu.Unlock()
	for _, w := range answered {
		w.Wake()
	}
}

// keep numbers q, which is for a durable session, enters it in the journal and reports whether it also stays in memory.
func (b *Broker) keep(now time.Time, st *state, q *queued, p **publication) (inMemory bool) {
	inMemory = st.dur.stored() == 0 && b.roomFor(now, st, q.msg.size())
	b.enlist(now, st, q, inMemory, p)
	return inMemory
}

// enlist is keep for whoever knows where q waits.
func (b *Broker) enlist(now time.Time, st *state, q *queued, inMemory bool, p **publication) {
	await(p)
	q.kept = &kept{pub: *p, seq: st.nextSeq(q.msg, inMemory)}
	b.journal.keep(b.sinceStart(now), st, *q, st.dur.total)
	if !inMemory {
		b.stored++
		b.storedBytes += q.msg.size()
	}
}

// nextSeq gives a copy of m its number in the queue of a durable session.
func (st *state) nextSeq(m *Message, inMemory bool) uint64 {
	d := st.dur
	d.last = st.number()
	d.total += uint64(m.size())
	if inMemory {
		d.loaded, d.loadedTotal = d.last, d.total
	}
	return d.last
}

// roomFor reports whether a copy may wait in memory: as long as its client keeps pulling, and for others while there is little of it.
func (b *Broker) roomFor(now time.Time, st *state, size int) bool {
	memory := b.queuedBytes + b.inflightBytes + size
	if st.prompt(now) {
		return st.queue.len() < 2*busyMessages && st.bytes < 2*busyBytes && memory < b.limits.TotalBytes
	}
	return st.queue.len() < restingMessages && memory < min(restingBytes, b.limits.TotalBytes)
}

// done is called when the receiver is done with a copy.
func (b *Broker) done(by *Session, st *state, k *kept) {
	if k == nil || k.stage == lent {
		return
	}
	was := k.stage
	k.stage = gone
	if was < safe {
		b.settle(by, k.pub)
	}
	if was > fresh {
		b.remove(st, k)
	}
}

// setLoaded says that the copies up to seq have left the store for memory.
func (b *Broker) setLoaded(d *durable, seq, total uint64) {
	was, bytes := d.stored(), d.storedBytes()
	d.loaded, d.loadedTotal = seq, total
	b.stored += d.stored() - was
	b.storedBytes += d.storedBytes() - bytes
}

// entry is q as the store has it.
func (b *Broker) entry(q *queued, total uint64) store.Entry {
	e := store.Entry{Seq: q.kept.seq, Total: total, QoS: q.qos, Retain: q.retain, Body: q.kept.body}
	if q.from != nil {
		e.IDs = q.from.ids
	}
	if e.Body == 0 {
		e.Message = b.queuedRecord(q.msg)
	}
	return e
}

// queuedRecord is m as the store has it in queues. Its publisher has been compared with its receiver already, and retained messages alone need it later.
func (b *Broker) queuedRecord(m *Message) store.Message {
	r := b.record(m)
	r.Publisher = ""
	return r
}

// record is m as the store has it.
func (b *Broker) record(m *Message) store.Message {
	r := store.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, Properties: m.Properties, Publisher: m.Publisher}
	r.Expires = b.clock.store(m.Expires)
	return r
}

// message is a message as the store had it.
func (b *Broker) message(r *store.Message) *Message {
	return &Message{Topic: r.Topic, Payload: r.Payload, QoS: r.QoS, Retain: r.Retain, Properties: r.Properties, Publisher: r.Publisher,
		Expires: b.clock.time(r.Expires), props: uint32(r.Properties.Octets())}
}

// mayGo reports whether q may be handed out: at QoS 2 only what is safe, or a repetition after a crash would be a second message.
func (b *Broker) mayGo(q *queued) bool {
	if q.qos < mqtt.ExactlyOnce {
		return true
	}
	if l := q.loan(); l != nil && l.gate > b.journal.committed {
		return false
	}
	return q.kept == nil || q.kept.stage == safe
}
