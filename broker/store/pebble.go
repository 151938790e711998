package store

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// pebbleOptions are Pebble's options for a small box.
func (s *Store) pebbleOptions(lock *pebble.Lock) *pebble.Options {
	o := &pebble.Options{
		FS:                 s.disk,
		Lock:               lock,
		FormatMajorVersion: pebble.FormatNewest,
		CacheSize:          1 << 20,
		MemTableSize:       1 << 20,
		MaxOpenFiles:       100,
		Logger:             logger{s.log, s.giveUp},
		EventListener: &pebble.EventListener{
			BackgroundError: s.backgroundError,
			DataCorruption: func(i pebble.DataCorruptionInfo) {
				s.log.Error("the store is damaged", "err", i.Details, "file", i.Path)
			},
		},
	}
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
		if d := new(DamageError); errors.As(err, &d) {
			s.markDamaged(err)
		}
		s.giveUp(err)
	}
}

// giveUp ends the program by the caller's means.
func (s *Store) giveUp(err error) {
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
