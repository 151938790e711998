package store

import (
	"context"
	"sync"
)

// Pebble removes what was deleted when tables overlap, and whole tables below a tombstone. What then remains, tables half full of what is gone under
// tombstones that overlap nothing else, waits for more to be written. On a disk that is full nothing more comes, so the store merges by itself when it pays.

const (
	// reclaimEvery is how many calls of CheckSpace, which come once a second, lie between two looks.
	reclaimEvery = 10
	// garbageMin is how much garbage is let lie; when the disk is full, garbageFull.
	garbageMin  = 16 << 20
	garbageFull = 1 << 20
)

// reclaimer runs at most one merging at a time.
type reclaimer struct {
	mu     sync.Mutex
	calls  int
	busy   bool
	cancel context.CancelFunc // nil once the store is closed
	ctx    context.Context
	wait   sync.WaitGroup
}

// due reports whether it is time to look, and if so takes the only place.
func (r *reclaimer) due() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.busy || r.cancel == nil || r.calls < reclaimEvery {
		return false
	}
	r.calls, r.busy = 0, true
	return true
}

func (r *reclaimer) done() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
}

// close ends what runs and lets nothing begin.
func (r *reclaimer) close() {
	r.mu.Lock()
	if r.cancel != nil {
		r.cancel()
		r.cancel = nil
	}
	r.mu.Unlock()
	r.wait.Wait()
}

// reclaim merges everything if at least half of what is on disk is garbage, so that no more is written than is given back.
func (s *Store) reclaim() {
	m := s.db.Metrics()
	garbage := m.Table.Garbage.PointDeletionsBytesEstimate + m.Table.Garbage.RangeDeletionsBytesEstimate
	total := m.Total()
	enough, part := uint64(garbageMin), uint64(2)
	if s.Full() {
		enough, part = garbageFull, 4
	}
	if garbage < enough || garbage < uint64(total.TablesSize)/part {
		s.space.done()
		return
	}
	s.space.wait.Go(func() {
		defer s.space.done()
		s.log.Debug("merging tables to give back room", "garbage", garbage, "total", total.TablesSize)
		// An error, such as want of room, is met again or goes away: what is on disk stays as it is.
		if err := s.db.Compact(s.space.ctx, []byte{0}, []byte{0xFF}, false); err != nil {
			s.log.Debug("merging tables to give back room", "err", err)
		}
	})
}
