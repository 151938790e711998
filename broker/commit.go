package broker

import (
	"context"
	"fmt"
	"time"

	"midge/broker/store"
)

// commitLoop commits the journal whenever it is due, until ctx ends.
func (b *Broker) commitLoop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	batch := b.store.NewBatch()
	signal := b.journal.signal
	for {
		b.mu.Lock()
		due := b.commitDue(b.sinceStart(time.Now()))
		b.unlock()
		if due == 0 {
			if err := b.commit(time.Now(), batch, false); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return nil
			}
			continue
		}
		if due < 0 {
			timer.Stop()
		} else {
			timer.Reset(due)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-signal:
		case <-timer.C:
		}
	}
}

// commit seals the journal, makes it safe and tells whoever waits for that.
func (b *Broker) commit(now time.Time, batch *store.Batch, all bool) error {
	told, err := b.makeSafe(now, batch, all)
	if err == nil {
		told()
	}
	return err
}

// makeSafe seals the journal and has it synced. Whoever waits for that learns of it by told.
func (b *Broker) makeSafe(now time.Time, batch *store.Batch, all bool) (told func(), err error) {
	b.mu.Lock()
	copies, publ := b.seal(now, batch, all)
	b.mu.Unlock()
	if !batch.Empty() {
		if err := batch.Commit(); err != nil {
			return nil, fmt.Errorf("commit: %w", err)
		}
	}
	return func() {
		by := b.hold(Options{})
		b.mu.Lock()
		b.committed(by, copies, publ)
		b.unlock()
		by.wake()
	}, nil
}

// Stop makes everything safe that is not yet, and closes the store. It is called after Run has returned and the front ends have ended.
func (b *Broker) Stop(now time.Time) error {
	if b.store == nil {
		return nil
	}
	err := b.commit(now, b.store.NewBatch(), true)
	if closed := b.store.Close(); err == nil {
		err = closed
	}
	return err
}
