package broker

import (
	"fmt"
	"time"

	"midge/broker/store"
)

// A Driver does what Run does, one step at a time and at the time that it is told: for whoever simulates. A broker has Run or one Driver.
type Driver struct {
	b       *Broker
	batch   *store.Batch
	entries []store.Entry
}

// Drive returns the broker's Driver.
func (b *Broker) Drive() *Driver {
	d := &Driver{b: b}
	if b.store != nil {
		d.batch, d.entries = b.store.NewBatch(), make([]store.Entry, loadMessages)
	}
	return d
}

// CommitDue is when Commit has something to make safe; ok is false while nothing waits. It may become earlier with every verb.
func (d *Driver) CommitDue(now time.Time) (at time.Time, ok bool) {
	d.b.mu.Lock()
	due := d.b.commitDue(d.b.sinceStart(now))
	d.b.unlock()
	return now.Add(due), d.b.store != nil && due >= 0
}

// Commit makes safe what has been done until now. It is when told has been called that anybody learns of it; verbs may come in between, and so may the end
// of the process, but no other Commit.
func (d *Driver) Commit(now time.Time) (told func(), err error) {
	return d.b.makeSafe(now, d.batch, false)
}

// Load reads from the store what sessions have asked for.
func (d *Driver) Load(now time.Time) error {
	for {
		st := d.b.nextLoad()
		if st == nil {
			return nil
		}
		if err := d.b.loadOne(now, st, d.entries); err != nil {
			return fmt.Errorf("read the queue of %q: %w", st.id, err)
		}
	}
}
