package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// A step brings one record from a format to the next: it puts into b what becomes of it. It is called with every key but the version, in order. After a power
// cut it goes on behind the last record that is safe, and may meet what it has made itself: that it must leave as it is.
type step func(key, value []byte, b *pebble.Batch) error

// steps tells for each format but the newest how it becomes the next.
type steps map[uint64]step

// migrations are the steps up to Version. There was no format before 1.
var migrations = steps{}

// keyProgress holds the last key that a step has handled, while it is under way.
var keyProgress = []byte{kindVersion, 'p'}

// migrateCommit is how many octets go into one commit of a step.
const migrateCommit = 1 << 20

// migrate brings the store from the format that was found up to a newer one. Every commit is synced and says how far the step is.
func (s *Store) migrate(found, to uint64, all steps) error {
	for ; found < to; found++ {
		do, known := all[found]
		if !known {
			return damagedKey(keyVersion, fmt.Errorf("format %d never was", found))
		}
		s.log.Info("the store is brought up to date", "from", found, "to", found+1)
		if err := s.runStep(do, found+1); err != nil {
			return fmt.Errorf("bring the store in %s to format %d: %w", s.dir, found+1, err)
		}
	}
	return nil
}

// runStep runs one step, from where it was.
func (s *Store) runStep(do step, to uint64) error {
	done, err := s.get(keyProgress)
	if err != nil {
		return err
	}
	var lower []byte
	if done != nil {
		lower = append(done, 0)
	}
	b := s.db.NewBatch()
	defer func() { b.Close() }()
	err = s.scan(lower, nil, func(key, value []byte) error {
		if key[0] == kindVersion {
			return nil
		}
		if err := do(key, value, b); err != nil {
			return err
		}
		if b.Len() < migrateCommit {
			return nil
		}
		if err := errors.Join(b.Set(keyProgress, key, nil), b.Commit(pebble.Sync)); err != nil {
			return err
		}
		b.Reset()
		return nil
	})
	if err != nil {
		return err
	}
	return errors.Join(b.Delete(keyProgress, nil), b.Set(keyVersion, binary.AppendUvarint(nil, to), nil), b.Commit(pebble.Sync))
}
