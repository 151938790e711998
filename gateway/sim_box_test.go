package gateway

import (
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"midge/broker"
	"midge/broker/store"
)

// box is the process with its disk: broker, store and gateway, driven by hand. The power may be cut at any event.
type box struct {
	w     *world
	rng   *rand.Rand
	disk  *vfs.MemFS // nil: no store
	store *store.Store
	b     *broker.Broker
	drive *broker.Driver
	g     *Gateway
	up    bool
	life  int // how often it was started
	since time.Time

	auditor  *broker.Session
	commit   alarm
	syncing  bool
	cutFirst bool // the power is cut when the next commit is about to begin
	cutNext  bool // the power is cut when the next commit is on the disk and nobody has been told
	settles  bool
	stale    *vfs.MemFS // what a disk has that lies about its syncs
}

func newBox(w *world, stored bool) *box {
	x := &box{w: w, rng: w.stream(1)}
	if stored {
		x.disk = vfs.NewCrashableMem()
	}
	x.commit = alarm{w: w, ring: x.sync}
	return x
}

func (x *box) must(err error) {
	if err != nil {
		panic(err)
	}
}

// start starts the process with what is on the disk.
func (x *box) start() {
	w := x.w
	x.life++
	x.up, x.since, x.syncing, x.cutFirst, x.cutNext = true, w.now, false, false, false
	x.b = broker.New(broker.Limits{})
	if x.disk != nil {
		var err error
		x.store, err = store.Open(store.Options{Dir: "data", FS: x.disk, Fatal: func(err error) { panic(err) }})
		x.must(err)
		x.b, err = broker.Restore(w.now, broker.Limits{}, x.store, broker.Durability{CommitInterval: w.plan.commit})
		x.must(err)
	}
	x.drive = x.b.Drive()
	var err error
	x.auditor, _, err = x.b.Open(w.now, broker.Options{ClientID: "auditor"})
	x.must(err)
	_, err = x.auditor.Subscribe(w.now, []broker.Subscription{{Filter: "#", RetainHandling: 2}})
	x.must(err)
	x.g = newGateway(x.b, w.gatewayConfig(), slog.New(slog.DiscardHandler), w.now)
	for _, p := range w.places {
		p.open(x.g)
	}
	w.mqtt.open()
	x.tick(x.life)
	x.settle()
}

// stop ends the process: in order, or as a power cut does, with nothing left but what was synced.
func (x *box) stop(orderly bool) {
	w := x.w
	if orderly {
		for _, p := range w.places {
			p.l.stop(w.now)
		}
	}
	disk := x.disk
	if disk != nil && !orderly {
		disk = disk.CrashClone(vfs.CrashCloneCfg{})
		if x.stale != nil {
			disk = x.stale
		}
	}
	if orderly {
		x.must(x.b.Stop(w.now))
	} else if x.store != nil {
		x.must(x.store.Close())
	}
	x.disk, x.up = disk, false
	x.life++
	x.commit.at(time.Time{}, false)
	for _, p := range w.places {
		p.close()
	}
	w.mqtt.gone()
	for _, d := range w.devs {
		d.shadow.processEnds(orderly)
	}
}

// settle ends an input: whom it woke is served, and what it changed is made safe in its time.
func (x *box) settle() {
	if !x.up || x.settles {
		return
	}
	x.settles = true
	for again := true; again; {
		again = false
		x.must(x.drive.Load(x.w.now))
		x.audit()
		x.g.sp.wakes.Flush()
		for _, p := range x.w.places {
			again = p.pull() || again
		}
	}
	x.settles = false
	x.schedule()
}

// schedule has the next commit begin when it is due, and the disk has come round to it.
func (x *box) schedule() {
	if x.syncing {
		return
	}
	at, ok := x.drive.CommitDue(x.w.now)
	if ok && (x.commit.due.IsZero() || at.Before(x.commit.due)) {
		x.commit.at(at.Add(x.w.plan.late(x.rng)), true)
	}
}

// sync is a commit: what was done until now is on the disk at once, and some time later everybody learns of it.
func (x *box) sync() {
	w := x.w
	if at, ok := x.drive.CommitDue(w.now); !ok || at.After(w.now) {
		x.schedule()
		return
	}
	if x.cutFirst {
		w.crash(false)
		return
	}
	w.count.commits++
	if w.plan.sabotage == lyingDisk && w.count.commits%300 == 1 {
		x.stale = x.disk.CrashClone(vfs.CrashCloneCfg{})
	}
	told, err := x.drive.Commit(w.now)
	x.must(err)
	x.syncing = true
	life := x.life
	w.after(w.plan.late(x.rng), func() {
		if x.life != life {
			return
		}
		x.syncing = false
		if x.cutNext {
			w.crash(false)
			return
		}
		told()
		x.settle()
	})
}

// tick does what is due by time.
func (x *box) tick(life int) {
	if x.life != life {
		return
	}
	x.b.Expire(x.w.now)
	x.settle()
	x.w.after(5*time.Second, func() { x.tick(life) })
}

// audit takes note of all that the broker has routed since, in order, before anybody can have been sent it.
func (x *box) audit() {
	var dst [16]broker.Outbound
	for {
		n, err := x.auditor.Next(x.w.now, dst[:])
		x.must(err)
		for i := range dst[:n] {
			x.w.routed(dst[i].Message)
		}
		if n < len(dst) {
			return
		}
	}
}
