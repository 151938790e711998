package broker

import (
	"strings"
	"time"

	"midge/broker/store"
)

// durability is what a broker has beyond its state in memory. Without a store no session is durable, and the journal stays empty.
type durability struct {
	store            *store.Store
	commitInterval   time.Duration
	retainedInterval time.Duration

	journal  *journal
	waiting  map[*state]struct{} // sessions with an acknowledgement that waits for a batch
	answered []Waker             // sessions with acknowledgements that have become ready; unlock wakes them
	clock    clock

	stored, storedBytes int // copies that wait on disk alone
	lastNum             uint32
	lastBody            uint64
	diskFull            bool

	loads   []*state      // sessions that want copies from the store
	loading chan struct{} // one slot
}

func (b *Broker) sinceStart(now time.Time) time.Duration { return now.Sub(b.clock.start) }

// inMemory is how many octets of messages wait in memory, for receivers or for the disk.
func (b *Broker) inMemory() int { return b.queuedBytes + b.inflightBytes + b.journal.bytes }

// makeDurable gives a session that has a front end its record in the store, if it is to have one: because it outlives the process, or because its will does.
// When its client counts on what has changed, its answers wait until that is safe.
func (b *Broker) makeDurable(st *state, counts bool) {
	if b.store == nil {
		return
	}
	outlives := st.expiry > 0 || st.connectionless
	if outlives && st.dur == nil {
		st.dur = new(durable)
	}
	if st.num == 0 && (outlives || st.will != nil) {
		b.lastNum++
		st.num = b.lastNum
	}
	b.rewrite(st)
	if counts && st.num != 0 {
		st.changed = b.journal.batch
		b.journal.soon()
	}
}

// sessionRecord is st as the store has it.
func (b *Broker) sessionRecord(st *state) store.Session {
	st.written = true
	r := store.Session{Num: st.num, ClientID: st.id, Username: st.username, Expiry: st.expiry, Connectionless: st.connectionless,
		Connected: st.owner != nil, Next: st.numbers + 1}
	if st.dur != nil {
		r.Given = st.dur.given
	}
	if a := st.absence; a != nil {
		r.WillAt, r.ExpireAt = b.clock.store(a.willAt), b.clock.store(a.expireAt)
	}
	if w := st.will; w != nil {
		r.Will = &store.Will{Message: b.record(w.Message), Delay: int64(w.Delay), Expiry: int64(w.Expiry)}
	}
	return r
}

// keepRetained has the topic's present message written, before its publisher is acknowledged at QoS > 0.
func (b *Broker) keepRetained(m *Message, pub **publication) {
	if m.QoS == 0 || !b.stores(m.Topic) {
		b.coalesce(m.Topic)
		return
	}
	await(pub)
	b.journal.publ = append(b.journal.publ, *pub)
	b.journal.retained[m.Topic] = struct{}{}
	b.journal.soon()
}

// stores reports whether the topic's retained message outlives the process: under $SYS the broker speaks of itself as it is now.
func (b *Broker) stores(topic string) bool {
	return b.store != nil && !strings.HasPrefix(topic, "$SYS/")
}

// coalesce has the topic's retained message written some time.
func (b *Broker) coalesce(topic string) {
	if !b.stores(topic) {
		return
	}
	b.journal.coalesce[topic] = struct{}{}
	if len(b.journal.coalesce) == 1 {
		b.journal.wake()
	}
}

// forgetCopies takes a session that ends out of the store.
func (b *Broker) forgetCopies(by *Session, st *state) {
	st.ended = true
	delete(b.waiting, st)
	if st.written {
		b.journal.ended = append(b.journal.ended, st.num)
		b.journal.later()
	}
	d := st.dur
	if d == nil {
		return
	}
	unwritten := func(k *kept) {
		if k != nil && k.stage == fresh {
			k.stage = gone
			b.settle(by, k.pub)
		}
	}
	for i := range st.window.len() {
		unwritten(st.window.at(i).kept)
	}
	for i := range st.queue.len() {
		unwritten(st.queue.at(i).kept)
	}
	for range d.stored() {
		b.drop(SessionEnded)
	}
	b.setLoaded(d, d.last, d.total)
}
