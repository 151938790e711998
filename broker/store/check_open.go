package store

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// openToRead opens the store in a directory for the tools that only read. It changes nothing on disk. Errors are those of Open, and a sentence when there is no store.
func openToRead(o Options) (*Store, error) {
	s := newStore(o)
	if err := s.isThere(); err != nil {
		return nil, err
	}
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
	options := s.pebbleOptions(lock)
	options.ReadOnly = true
	if s.db, err = openPebble(s.dir, options); err != nil {
		return nil, err
	}
	if err := s.sameFormat(); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// openPebble makes damage of a panic, too.
func openPebble(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &DamageError{Reason: fmt.Sprintf("opening it failed: %v", p)}
		}
	}()
	if db, err = pebble.Open(dir, o); err != nil {
		return nil, damagedAtOpen(fmt.Errorf("open the store in %s: %w", dir, err))
	}
	return db, nil
}

// isThere returns a sentence when the directory has no store.
func (s *Store) isThere() error {
	l, err := listFiles(s.fs, s.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(l.manifests)+len(l.tables)+len(l.logs) == 0:
		return fmt.Errorf("there is no store in %s", s.dir)
	case err != nil:
		return fmt.Errorf("look through the data directory %s: %w", s.dir, err)
	}
	for _, name := range []string{dirSalvaged, dirMovingIn} {
		if _, err := s.fs.Stat(s.fs.PathJoin(s.dir, name)); err == nil {
			return fmt.Errorf("the salvage of the store in %s was cut off: start midge, which goes on with it", s.dir)
		}
	}
	return nil
}

// sameFormat compares the store's format with ours.
func (s *Store) sameFormat() error {
	found, err := s.number(keyVersion)
	switch {
	case err != nil:
		return err
	case found > Version:
		return &NewerError{Dir: s.dir, Found: found, Know: Version}
	case found < Version:
		return fmt.Errorf("the store in %s has the older format %d: start midge once, which brings it up to date", s.dir, found)
	}
	return nil
}

// closeRead closes what openToRead has opened.
func (s *Store) closeRead() error { return s.db.Close() }

// toolOptions are the options of a tool that works on the store in dir.
func toolOptions(dir string) Options { return Options{Dir: dir, FS: vfs.Default} }
