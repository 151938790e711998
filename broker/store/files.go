package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// writeOther is the category under which our own files are written.
const writeOther vfs.DiskWriteCategory = "midge"

// damagedMark is a file that says why the store must not be used: a reader or a compaction met damage while the broker ran.
const damagedMark = "DAMAGED"

// makeDir makes a directory with its parents, and makes sure that they are still there after a power cut.
func makeDir(files vfs.FS, dir string) error {
	var parents []string // of what is not there yet
	for at := dir; ; at = files.PathDir(at) {
		_, err := files.Stat(at)
		if err == nil || at == files.PathDir(at) {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		parents = append(parents, files.PathDir(at))
	}
	if err := files.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, parent := range parents {
		if err := syncDir(files, parent); err != nil {
			return err
		}
	}
	return nil
}

// syncDir makes sure that the entries of a directory are still there after a power cut.
func syncDir(files vfs.FS, dir string) error {
	d, err := files.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// checkMark returns the damage that an earlier run left word of.
func (s *Store) checkMark() error {
	f, err := s.fs.Open(s.fs.PathJoin(s.dir, damagedMark))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if dir, fault := s.fs.Stat(s.dir); fault == nil && !dir.IsDir() {
		return fmt.Errorf("the data directory %s is no directory", s.dir)
	}
	if err != nil {
		return fmt.Errorf("open %s in %s: %w", damagedMark, s.dir, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return fmt.Errorf("read %s in %s: %w", damagedMark, s.dir, err)
	}
	return &DamageError{File: damagedMark, Reason: "an earlier run met damage: " + string(text)}
}

// markDamaged leaves word for the next Open. What goes wrong with it is of no interest: the damage will be met again.
func (s *Store) markDamaged(damage error) {
	s.log.Error("the store is damaged", "err", damage)
	f, err := s.fs.Create(s.fs.PathJoin(s.dir, damagedMark), writeOther)
	if err != nil {
		return
	}
	f.Write([]byte(damage.Error()))
	f.Sync()
	f.Close()
	syncDir(s.fs, s.dir)
}
