package gateway

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"midge/broker"
	"midge/broker/store"
)

// core is a broker that runs, with a store on a disk in memory or without one. It is made in a bubble of synctest: synctest.Wait returns when everything
// that was to be committed by then is safe.
type core struct {
	t     *testing.T
	b     *broker.Broker
	disk  *vfs.MemFS
	store *store.Store
	end   func()
}

// startCore starts a broker with what is on the disk; a nil disk means no store.
func startCore(t *testing.T, disk *vfs.MemFS, commit time.Duration) *core {
	c := &core{t: t, disk: disk, b: broker.New(broker.Limits{})}
	if disk != nil {
		var err error
		if c.store, err = store.Open(store.Options{Dir: "data", FS: disk, Fatal: func(err error) { panic(err) }}); err != nil {
			t.Fatal(err)
		}
		if c.b, err = broker.Restore(time.Now(), broker.Limits{}, c.store, broker.Durability{CommitInterval: commit}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { c.b.Run(ctx) })
	c.end = func() {
		cancel()
		wg.Wait()
	}
	return c
}

// stop ends the broker and returns its disk: in order, or as a power cut leaves it, with nothing but what was synced.
func (c *core) stop(orderly bool) *vfs.MemFS {
	disk := c.disk
	if !orderly && disk != nil {
		disk = disk.CrashClone(vfs.CrashCloneCfg{})
	}
	c.end()
	if orderly {
		if err := c.b.Stop(time.Now()); err != nil {
			c.t.Fatal(err)
		}
	} else if c.store != nil {
		c.store.Close()
	}
	return disk
}
