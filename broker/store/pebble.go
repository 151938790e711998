package store

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// What Pebble may take. With a million messages of 250 octets queued, about 15 MB of anonymous memory are in use.
const (
	memTableSize = 1 << 20
	cacheSize    = 1 << 20
	blockSize    = 16 << 10 // a queue is read in order, so a block is read once
	tableSize    = 1 << 20  // a compaction needs room for a few
	openFiles    = 300
	manifestSize = 1 << 20
	// memTables is how many may wait for the disk before commits do.
	memTables = 4
	// Tables that a flush has made are merged when eight overlap somewhere, or when there are so many that looking them up takes time. Those of a long
	// queue overlap none and stay as they are.
	overlapMax    = 4
	tablesMax     = 4000
	overlapStalls = 64 // commits wait for the merging
	// reclaimAfter is how long a removal may stay in memory before it is written to a table, which gives back the room on disk.
	reclaimAfter = 10 * time.Second
)

// pebbleOptions are Pebble's options for a small box: little memory, few octets written.
func (s *Store) pebbleOptions(lock *pebble.Lock) *pebble.Options {
	o := &pebble.Options{
		FS:                          s.disk,
		Lock:                        lock,
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   cacheSize,
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: memTables,
		MaxOpenFiles:                openFiles,
		MaxManifestFileSize:         manifestSize,
		L0CompactionThreshold:       overlapMax,
		L0CompactionFileThreshold:   tablesMax,
		L0StopWritesThreshold:       overlapStalls,
		FlushDelayDeleteRange:       reclaimAfter,
		Logger:                      logger{s.log, s.giveUp},
		EventListener: &pebble.EventListener{
			BackgroundError: s.backgroundError,
			DataCorruption: func(i pebble.DataCorruptionInfo) {
				s.log.Error("the store is damaged", "err", damageOf(i.Details).Error(), "file", i.Path)
			},
		},
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = blockSize
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.FastCompression }
		o.TargetFileSizes[i] = tableSize
	}
	o.Experimental.SpanPolicyFunc = s.busy.span
	o.Experimental.ReadSamplingMultiplier = -1 // reading a queue must not have it written again
	o.Experimental.FileCacheShards = 1
	// The usual scheduler looks ten times a second whether more than one merge at a time is allowed by now, which it never is here: a box at rest stays awake for
	// that, and a battery feels it. This one looks when a merge ends.
	o.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	if s.tune != nil {
		s.tune(o)
	}
	return o
}

// backgroundError hears of a flush or compaction that failed. Pebble would try again for ever, while the log grows until the disk is full.
func (s *Store) backgroundError(err error) {
	switch {
	case errors.Is(err, pebble.ErrCancelledCompaction), errors.Is(err, pebble.ErrClosed), s.disk.dead.Load():
		return
	case vfs.IsNoSpaceError(err): // it has waited, and is tried again
		return
	}
	if err := damaged(err); err != nil {
		d := new(DamageError)
		isDamage := errors.As(err, &d)
		if isDamage && !s.disk.opened.Load() {
			s.atOpen.Store(d) // Open returns it, and nobody has to start again
			return
		}
		if isDamage {
			s.markDamaged(err)
		}
		s.giveUp(err)
	}
}

// giveUp ends the program by the caller's means.
func (s *Store) giveUp(err error) {
	if d := new(DamageError); errors.As(err, &d) {
		s.fatal(fmt.Errorf("the store in %s has turned out to be damaged, and the next start deals with that as on_damage says; what was acknowledged until now and still reads is safe, nothing after it was acknowledged: %w", s.dir, err))
		panic("store: Options.Fatal returned")
	}
	s.fatal(fmt.Errorf("the disk under %s failed; what was acknowledged until now is as safe as this disk keeps what it has confirmed, nothing after it was acknowledged: %w", s.dir, err))
	panic("store: Options.Fatal returned")
}

// A logger passes on what Pebble says.
type logger struct {
	log    *slog.Logger
	giveUp func(error)
}

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("pebble", "text", fmt.Sprintf(format, args...))
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Warn("pebble", "text", fmt.Sprintf(format, args...))
}

// Fatalf is how Pebble reports that a commit or the list of its files could not be written.
func (l logger) Fatalf(format string, args ...any) { l.giveUp(fmt.Errorf(format, args...)) }

// heldByAnother reports whether a lock was refused because somebody has it. Within one process Pebble says so in words only.
func heldByAnother(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "held by current process")
}
