package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Version is the format that this package writes; doc.go tells it.
const Version = 1

// Options say where the store is and whom it tells.
type Options struct {
	Dir   string       // "" = in memory
	FS    vfs.FS       // nil = the real file system, or memory when Dir is ""
	Fatal func(error)  // called when the disk can no longer be trusted; must not return. nil = print the sentence to stderr and exit 1
	Log   *slog.Logger // nil = discard

	BallastBytes int64 // room that is held for when the disk is full; 0 = 8 MB, negative = none; at most 1/20 of the device
	ReserveBytes int64 // free room below which the store calls itself full; 0 = 16 MB, negative = none; at most 1/50 of the device

	tune  func(*pebble.Options) // tests make everything small
	steps steps                 // tests have formats of their own; nil = migrations
}

// A Store is the durable state of a broker. Its methods may be called from several goroutines at once, except that batches are
// filled and committed one after the other: see [Batch].
type Store struct {
	db     *pebble.DB
	dir    string
	fs     vfs.FS // the plain one
	disk   *disk  // what Pebble writes to
	log    *slog.Logger
	fatal  func(error)
	tune   func(*pebble.Options)
	steps  steps
	commit commitMetrics
	busy   busy
	space  reclaimer
	atOpen atomic.Pointer[DamageError] // that a flush or compaction met while the store was being opened

	mu       sync.Mutex
	refs     map[uint64]uint32 // bodies: how many entries use each
	marks    map[uint32]marks  // entries that their subscriber has received, by session
	highNum  uint32            // as persisted: no session number above it was ever given
	highBody uint64            // as persisted: no body number above it was ever used
}

// marks are the places in one session's queue that wait for PUBCOMP, and the numbers of their bodies as far as they have to be known here.
type marks map[uint64]uint64

// memoryDir is where a store in memory lies in its file system.
const memoryDir = "midge"

// Open opens the store, or makes it where there is none, and locks its directory.
//
// Errors are ErrLocked in a sentence that names the directory, *NewerError, *DamageError, or what the operating system says.
func Open(o Options) (*Store, error) {
	s := newStore(o)
	if err := s.checkMark(); err != nil {
		return nil, err
	}
	lock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer lock.Close() // Pebble holds it as well
	if err := inspect(s.fs, s.dir); err != nil {
		return nil, err
	}
	s.disk.measure(o.BallastBytes, o.ReserveBytes)
	s.disk.holdBallast()
	if err := s.openAndLoad(lock); err != nil {
		return nil, err
	}
	s.disk.opened.Store(true)
	if damage := s.atOpen.Load(); damage != nil {
		s.db.Close()
		return nil, damage
	}
	s.space.ctx, s.space.cancel = context.WithCancel(context.Background())
	s.disk.check()
	return s, nil
}

// newStore is a store that is not open yet.
func newStore(o Options) *Store {
	s := &Store{dir: o.Dir, fs: o.FS, log: o.Log, fatal: o.Fatal, tune: o.tune, steps: o.steps, refs: map[uint64]uint32{}, marks: map[uint32]marks{}}
	s.defaults()
	s.disk = &disk{FS: s.fs, patience: patience{log: s.log, files: s.fs, dir: s.dir, closing: make(chan struct{})}}
	return s
}

func (s *Store) openAndLoad(lock *pebble.Lock) error {
	db, err := pebble.Open(s.dir, s.pebbleOptions(lock))
	if err != nil {
		return damagedAtOpen(fmt.Errorf("open the store in %s: %w", s.dir, err))
	}
	s.db = db
	isNew, err := s.checkVersion()
	if err == nil && !isNew {
		err = s.load()
	}
	if err != nil {
		db.Close()
		return err
	}
	if !isNew {
		return nil
	}
	// Pebble makes the log of a new store before it raises the format, so that flipped bits in this log look like a torn write. The next log is better.
	if err := db.Close(); err != nil {
		return err
	}
	return s.openAndLoad(lock)
}

func (s *Store) defaults() {
	if s.fs == nil && s.dir == "" {
		s.fs = vfs.NewMem()
	}
	if s.fs == nil {
		s.fs = vfs.Default
	}
	if s.dir == "" {
		s.dir = memoryDir
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.steps == nil {
		s.steps = migrations
	}
	if s.fatal == nil {
		s.fatal = func(err error) {
			fmt.Fprintln(os.Stderr, "midge:", err)
			os.Exit(1)
		}
	}
}

// lock locks the directory, which it makes.
func (s *Store) lock() (*pebble.Lock, error) {
	if err := makeDir(s.fs, s.dir); err != nil {
		return nil, fmt.Errorf("make the data directory %s: %w", s.dir, err)
	}
	lock, err := pebble.LockDirectory(s.dir, s.fs)
	switch {
	case err == nil:
		return lock, nil
	case heldByAnother(err):
		return nil, &lockedError{s.dir}
	}
	return nil, fmt.Errorf("lock the data directory %s: %w", s.dir, err)
}

// Close waits for what is under way and closes the store. Batches that were not committed are lost, and so is one whose Commit waits for room on the disk.
func (s *Store) Close() error {
	close(s.disk.closing)
	s.space.close()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the store in %s: %w", s.dir, err)
	}
	return nil
}
