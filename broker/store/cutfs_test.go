package store

import (
	"math/rand/v2"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A cutFS is a crashable file system that now and then, around something that changes it, keeps what a power cut at this moment would leave.
type cutFS struct {
	*vfs.MemFS
	mu     sync.Mutex
	rng    *rand.Rand
	chance float64 // of a cut before and after a sync; elsewhere a fifth of it
	cut    func(left *vfs.MemFS, percent int)
	before func() // called at the beginning of each cut
}

func (c *cutFS) point(chance float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rng.Float64() >= chance {
		return
	}
	if c.before != nil {
		c.before()
	}
	// Nothing that was not synced, all of it, and what lies between.
	percent := []int{0, 100, c.rng.IntN(101)}[c.rng.IntN(3)]
	c.cut(c.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng}), percent)
}

func (c *cutFS) around(chance float64, f func() error) error {
	c.point(chance)
	defer c.point(chance)
	return f()
}

func (c *cutFS) file(chance float64, open func() (vfs.File, error)) (f vfs.File, err error) {
	c.around(chance, func() error {
		f, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &cutFile{f, c}, nil
}

func (c *cutFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return c.file(c.chance/5, func() (vfs.File, error) { return c.MemFS.Create(name, category) })
}

func (c *cutFS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return c.file(c.chance/5, func() (vfs.File, error) { return c.MemFS.ReuseForWrite(old, name, category) })
}

func (c *cutFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return c.file(c.chance/5, func() (vfs.File, error) { return c.MemFS.OpenReadWrite(name, category, opts...) })
}

func (c *cutFS) OpenDir(name string) (vfs.File, error) {
	return c.file(0, func() (vfs.File, error) { return c.MemFS.OpenDir(name) })
}

func (c *cutFS) Rename(old, name string) error {
	return c.around(c.chance/5, func() error { return c.MemFS.Rename(old, name) })
}

func (c *cutFS) Remove(name string) error {
	return c.around(c.chance/5, func() error { return c.MemFS.Remove(name) })
}

type cutFile struct {
	vfs.File
	fs *cutFS
}

func (f *cutFile) Write(b []byte) (n int, err error) {
	f.fs.around(f.fs.chance/5, func() error {
		n, err = f.File.Write(b)
		return err
	})
	return n, err
}

func (f *cutFile) Sync() error     { return f.fs.around(f.fs.chance, f.File.Sync) }
func (f *cutFile) SyncData() error { return f.fs.around(f.fs.chance, f.File.SyncData) }
