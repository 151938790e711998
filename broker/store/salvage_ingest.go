package store

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A fresh store is filled with keys that come in ascending order, by tables that it writes itself: each octet is written once.
type fresh struct {
	db    *pebble.DB
	fs    vfs.FS
	dir   string
	opts  sstable.WriterOptions
	w     *sstable.Writer
	name  string
	n     int
	done  uint64 // octets in tables
	room  uint64 // for so many octets there is room; 0 = without end
	short bool   // something was not written since there was no room
}

const fillTable = 8 << 20 // octets, about, in one table

func newFresh(db *pebble.DB, o *pebble.Options, fs vfs.FS, dir string, room uint64) *fresh {
	return &fresh{db: db, fs: fs, dir: dir, opts: o.MakeWriterOptions(0, db.TableFormat()), room: room}
}

// hasRoom tells whether there is room for so many octets more.
func (f *fresh) hasRoom(n int) bool {
	used := f.done + uint64(n)
	if f.w != nil {
		used += f.w.Raw().EstimatedSize()
	}
	if f.room > 0 && used > f.room {
		f.short = true
		return false
	}
	return true
}

// set adds a key, which must be above the last unless end was called in between.
func (f *fresh) set(key, value []byte) error {
	if f.w == nil {
		if err := f.begin(); err != nil {
			return err
		}
	}
	if err := f.w.Set(key, value); err != nil {
		return fmt.Errorf("write %s: %w", f.name, err)
	}
	if f.w.Raw().EstimatedSize() >= fillTable {
		return f.end()
	}
	return nil
}

func (f *fresh) begin() error {
	f.n++
	f.name = f.fs.PathJoin(f.dir, fmt.Sprintf("salvage-%d", f.n))
	file, err := f.fs.Create(f.name, writeOther)
	if err != nil {
		return err
	}
	f.w = sstable.NewWriter(objstorageprovider.NewFileWritable(file), f.opts)
	return nil
}

// end makes what was added part of the store.
func (f *fresh) end() error {
	if f.w == nil {
		return nil
	}
	f.done += f.w.Raw().EstimatedSize()
	err := f.w.Close()
	f.w = nil
	if err == nil {
		err = f.db.Ingest(context.Background(), []string{f.name})
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", f.name, err)
	}
	return nil
}

// abort gives up what was added since the last end.
func (f *fresh) abort() {
	if f.w != nil {
		f.w.Close()
	}
}

// put adds a single key, in any order, synced.
func (f *fresh) put(key, value []byte) error {
	return f.db.Set(key, value, pebble.Sync)
}
