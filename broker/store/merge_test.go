package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Nobody looks every now and then whether a merge may begin: see pebbleOptions. Writing stalls for ever at overlapStalls tables if none does.
func TestMergingGoesOn(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	for i := range uint32(4 * overlapStalls) {
		commit(t, s, func(b *Batch) { b.SetNote(1, "n", []byte{byte(i)}) })
		if err := s.db.Flush(); err != nil {
			t.Fatal("flush:", err)
		}
	}
	if n := s.db.Metrics().Levels[0].Sublevels; n >= overlapStalls {
		t.Errorf("tables are merged while more are written: %d lie over each other", n)
	}
	o := s.pebbleOptions(nil)
	o.EnsureDefaults()
	if least, most := o.CompactionConcurrencyRange(); least != 1 || most != 1 {
		t.Errorf("as long as nobody looks whether more merges are allowed, it is one at a time and not %d to %d", least, most)
	}
}
