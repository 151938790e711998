package store

import (
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A disk is the file system as Pebble sees it. It waits where the disk is full (patience.go), and it makes sure of an order that Pebble takes for
// granted: the file that a marker names is in the directory on disk before the marker is, and a new marker before the old one goes.
type disk struct {
	vfs.FS
	patience
}

// A diskFile is an open file of a disk. Writes wait while the disk is full.
type diskFile struct {
	vfs.File
	d    *disk
	give bool // hand up that the disk is full instead of waiting for ever: see patience.try
}

// isMarker tells the tiny files whose names say which MANIFEST and which format hold.
func (d *disk) isMarker(name string) bool { return strings.HasPrefix(d.PathBase(name), "marker.") }

// isTable tells the files whose writing Pebble begins again by itself.
func isTable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}

func (d *disk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if d.isMarker(name) {
		if err := d.syncDirOf(name); err != nil {
			return nil, err
		}
	}
	return d.open(name, func() (vfs.File, error) { return d.FS.Create(name, category) })
}

func (d *disk) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return d.open(name, func() (vfs.File, error) { return d.FS.OpenReadWrite(name, category, opts...) })
}

func (d *disk) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.open(name, func() (vfs.File, error) { return d.FS.ReuseForWrite(old, name, category) })
}

func (d *disk) open(name string, open func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	err := d.try(isTable(name), func() (err error) {
		f, err = open()
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case f == nil: // the disk was given up
		f = vfs.NewMemFile(nil)
	}
	return &diskFile{f, d, isTable(name)}, nil
}

func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &diskFile{f, d, false}, nil
}

func (d *disk) Link(old, name string) error {
	return d.try(false, func() error { return d.FS.Link(old, name) })
}

func (d *disk) Rename(old, name string) error {
	return d.try(false, func() error { return d.FS.Rename(old, name) })
}

func (d *disk) MkdirAll(dir string, mode fs.FileMode) error {
	return d.try(false, func() error { return d.FS.MkdirAll(dir, mode) })
}

func (d *disk) Remove(name string) error {
	if d.isMarker(name) {
		if err := d.syncDirOf(name); err != nil {
			return err
		}
	}
	return d.try(false, func() error { return d.FS.Remove(name) })
}

func (d *disk) RemoveAll(name string) error {
	return d.try(false, func() error { return d.FS.RemoveAll(name) })
}

// Unwrap returns the file system under it.
func (d *disk) Unwrap() vfs.FS { return d.FS }

func (d *disk) syncDirOf(name string) error { return syncDir(d, d.PathDir(name)) }

// Write writes all of b, however long the disk is full in between.
func (f *diskFile) Write(b []byte) (int, error) {
	done := 0
	err := f.d.try(f.give, func() error {
		n, err := f.File.Write(b[done:])
		done += n
		return err
	})
	if err != nil {
		return done, err
	}
	return len(b), nil
}

// WriteAt is Write at an offset.
func (f *diskFile) WriteAt(b []byte, at int64) (int, error) {
	done := 0
	err := f.d.try(f.give, func() error {
		n, err := f.File.WriteAt(b[done:], at+int64(done))
		done += n
		return err
	})
	if err != nil {
		return done, err
	}
	return len(b), nil
}

// Preallocate is only a wish: where there is no room for it, the write that needs it waits.
func (f *diskFile) Preallocate(at, length int64) error {
	if f.d.dead.Load() {
		return nil
	}
	if err := f.File.Preallocate(at, length); !vfs.IsNoSpaceError(err) {
		return err
	}
	return nil
}

// A sync that failed is not tried again, not even for want of room: the kernel may have dropped what it could not write, and the next sync would succeed without it.

func (f *diskFile) Sync() error { return f.d.sync(f.File.Sync) }

func (f *diskFile) SyncData() error { return f.d.sync(f.File.SyncData) }

func (f *diskFile) SyncTo(length int64) (full bool, err error) {
	err = f.d.sync(func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}
