package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

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
}

// A Store is the durable state of a broker. Its methods may be called from several goroutines at once, except that batches are
// filled and committed one after the other: see [Batch].
type Store struct {
	db     *pebble.DB
	dir    string
	fs     vfs.FS
	log    *slog.Logger
	fatal  func(error)
	commit commitMetrics

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

// damagedMark is a file that says why the store must not be used: a reader or a compaction met damage while the broker ran.
const damagedMark = "DAMAGED"

// Open opens the store, or makes it where there is none, and locks its directory.
//
// Errors are ErrLocked in a sentence that names the directory, *NewerError, *DamageError, or what the operating system says.
func Open(o Options) (*Store, error) {
	s := &Store{dir: o.Dir, fs: o.FS, log: o.Log, fatal: o.Fatal, refs: map[uint64]uint32{}, marks: map[uint32]marks{}}
	s.defaults()
	if err := s.checkMark(); err != nil {
		return nil, err
	}
	lock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer lock.Close() // Pebble holds it as well
	if s.db, err = pebble.Open(s.dir, s.pebbleOptions(lock)); err != nil {
		return nil, damagedAtOpen(fmt.Errorf("open the store in %s: %w", s.dir, err))
	}
	if err := s.load(); err != nil {
		s.db.Close()
		return nil, err
	}
	return s, nil
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
	if s.fatal == nil {
		s.fatal = func(err error) {
			fmt.Fprintln(os.Stderr, "midge:", err)
			os.Exit(1)
		}
	}
}

// lock locks the directory, which it makes.
func (s *Store) lock() (*pebble.Lock, error) {
	if err := s.fs.MkdirAll(s.dir, 0o755); err != nil {
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

// Close waits for what is under way and closes the store. Batches that were not committed are lost.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the store in %s: %w", s.dir, err)
	}
	return nil
}

// checkMark returns the damage that an earlier run left word of.
func (s *Store) checkMark() error {
	text, err := readFile(s.fs, s.fs.PathJoin(s.dir, damagedMark))
	switch {
	case err == nil:
		return &DamageError{File: damagedMark, Reason: "an earlier run met damage: " + text}
	case errors.Is(err, os.ErrNotExist):
		return nil
	}
	return fmt.Errorf("read %s in %s: %w", damagedMark, s.dir, err)
}

// markDamaged leaves word for the next Open. What goes wrong with it is of no interest: the damage will be met again.
func (s *Store) markDamaged(err error) {
	s.log.Error("the store is damaged", "err", err)
	f, e := s.fs.Create(s.fs.PathJoin(s.dir, damagedMark), writeOther)
	if e != nil {
		return
	}
	f.Write([]byte(err.Error()))
	f.Sync()
	f.Close()
	if d, e := s.fs.OpenDir(s.dir); e == nil {
		d.Sync()
		d.Close()
	}
}
