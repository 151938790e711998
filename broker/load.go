package broker

import (
	"context"
	"fmt"
	"time"

	"midge/broker/store"
)

// refill asks for more of what a session has on disk when its queue in memory runs low.
func (b *Broker) refill(st *state) {
	if d := st.dur; d.stored() > 0 && !d.starved && st.queue.len() < loadAhead {
		b.load(st)
	}
}

func (b *Broker) load(st *state) {
	if st.dur.loading {
		return
	}
	st.dur.loading = true
	b.loads = append(b.loads, st)
	select {
	case b.loading <- struct{}{}:
	default:
	}
}

// loadLoop reads for the sessions that have asked, until ctx ends.
func (b *Broker) loadLoop(ctx context.Context) error {
	entries := make([]store.Entry, loadMessages)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.loading:
		}
		for st := b.nextLoad(); st != nil; st = b.nextLoad() {
			if err := b.loadOne(time.Now(), st, entries); err != nil {
				return fmt.Errorf("read the queue of %q: %w", st.id, err)
			}
		}
	}
}

// nextLoad is the session that has asked first, nil when none has.
func (b *Broker) nextLoad() *state {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.loads) == 0 {
		return nil
	}
	st := b.loads[0]
	b.loads = b.loads[1:]
	return st
}

// loadOne reads the next copies of a session, without the lock, and puts them into its queue.
func (b *Broker) loadOne(now time.Time, st *state, entries []store.Entry) error {
	b.mu.Lock()
	d := st.dur
	num, from, safe, ended := st.num, d.loaded+1, d.safe, st.ended
	entries = entries[:b.loadAtOnce(st, len(entries))]
	b.mu.Unlock()
	if ended {
		return nil
	}
	n, err := b.store.Read(num, from, entries, loadBytes)
	if err != nil {
		return err
	}
	by := b.hold(Options{})
	b.mu.Lock()
	b.loaded(now, by, st, entries[:n], safe)
	b.unlock()
	by.wake()
	clear(entries[:n])
	return nil
}

// loaded puts entries, the next that the store has of a session, into its queue as far as they were safe when they were asked for: an entry can be
// read a moment before it is.
func (b *Broker) loaded(now time.Time, by *Session, st *state, entries []store.Entry, safe uint64) {
	d := st.dur
	d.loading = false
	if st.ended {
		return
	}
	before := d.loaded
	for i := range entries {
		e := &entries[i]
		if e.Seq > safe {
			break
		}
		q := b.queuedEntry(d, e)
		q.kept.skip = uint32(e.Seq - d.loaded - 1)
		b.setLoaded(d, e.Seq, e.Total)
		b.hang(st, q)
	}
	switch {
	case len(entries) == 0 && safe >= d.last: // nothing is there that has not been done with
		b.setLoaded(d, d.last, d.total)
	case st.queue.len() == 0 && d.safe > safe:
		b.load(st)
	case st.queue.len() == 0:
		d.starved = true
	}
	if d.loaded > before {
		b.trim(by, st)
	}
	switch o := st.owner; {
	case d.loaded == before:
	case st.group != nil:
		b.feed(now, by, st.group)
	case o != nil:
		o.rouse(by)
	}
}

// queuedEntry is e as it waits in memory.
func (b *Broker) queuedEntry(d *durable, e *store.Entry) queued {
	q := queued{msg: b.message(&e.Message), qos: e.QoS, retain: e.Retain,
		kept: &kept{seq: e.Seq, body: e.Body, stage: safe, dup: e.Seq <= d.given}}
	if e.IDs != nil {
		q.from = &origin{ids: e.IDs}
	}
	return q
}
