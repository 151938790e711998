package store

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// fullPoll is how often a write that waits for room is tried again.
	fullPoll = 200 * time.Millisecond
	// ballastDefault is room for a few memtables and the tables that Pebble needs in order to throw others away.
	ballastDefault = 8 << 20
	// reserveDefault is the free room below which the store calls itself full.
	reserveDefault = 16 << 20
	// A small device gives a part of itself: 1/20 for the ballast, 1/50 for the reserve.
	ballastPart = 20
	reservePart = 50
)

// ballastName is the file that keeps room for bad times.
const ballastName = "ballast"

// errDead is what a commit gets whose disk was given up under it.
var errDead = errors.New("the store was closed while it waited for room on the disk; the last batch is not kept")

// patience is how a disk bears that there is no room on it. First the ballast is given up, then whoever writes waits. The log and the MANIFEST wait
// for ever; a table is handed the error after one wait, because Pebble then removes what there is of it, which gives room, and begins again.
//
// When the store is closed while somebody waits, the disk is given up: from then on nothing reaches it, as in a power cut, and everything seems
// to succeed, so that Pebble comes to its end. What it had promised is on disk; what it promises now, Commit takes back.
type patience struct {
	log     *slog.Logger
	files   vfs.FS // for the ballast
	dir     string
	ballast int64         // its size; 0 = none
	reserve int64         // free room below which the store is full; 0 = not looked at
	opened  atomic.Bool   // while opening, nobody waits for ever
	closing chan struct{} // closed by Close
	dead    atomic.Bool   // nothing reaches the disk any more

	waiting atomic.Int32 // how many wait
	full    atomic.Bool  // as CheckSpace, or a write, found

	mu     sync.Mutex
	held   bool // the ballast is there; under mu
	warned bool // that it could not be made; under mu
}

// try does op, which changes the disk. While there is no room it waits and does it again; op takes up where it was. With give it returns the error after one wait.
func (p *patience) try(give bool, op func() error) error {
	for {
		if p.dead.Load() {
			return nil
		}
		err := op()
		if !vfs.IsNoSpaceError(err) {
			return err
		}
		p.noRoom(err)
		if p.releaseBallast() {
			continue
		}
		if !p.wait() {
			p.dead.Store(true)
			return nil
		}
		if give || !p.opened.Load() {
			return err
		}
	}
}

// sync does op, which syncs, once.
func (p *patience) sync(op func() error) error {
	if p.dead.Load() {
		return nil
	}
	err := op()
	if vfs.IsNoSpaceError(err) {
		p.noRoom(err)
		p.releaseBallast()
	}
	return err
}

// noRoom takes note that the disk is full.
func (p *patience) noRoom(err error) {
	if !p.full.Swap(true) {
		p.log.Error("the disk is full", "dir", p.dir, "err", err)
	}
}

// wait waits for a moment. It returns false when the store is being closed.
func (p *patience) wait() bool {
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	t := time.NewTimer(fullPoll)
	defer t.Stop()
	select {
	case <-p.closing:
		return false
	case <-t.C:
		return true
	}
}

// releaseBallast gives up the ballast and reports whether there was one.
func (p *patience) releaseBallast() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.held {
		return false
	}
	p.held = false
	if err := p.files.Remove(p.files.PathJoin(p.dir, ballastName)); err != nil {
		return false
	}
	p.log.Warn("the ballast was given up to make room on the disk", "dir", p.dir, "bytes", p.ballast)
	return true
}

// measure fits ballast and reserve to the device. A file system that does not tell its size, such as one in memory, gets neither.
func (p *patience) measure(ballast, reserve int64) {
	u, err := p.files.GetDiskUsage(p.dir)
	if err != nil || u.TotalBytes == 0 {
		return
	}
	fit := func(wish, standard int64, part uint64) int64 {
		if wish < 0 {
			return 0
		}
		if wish == 0 {
			wish = standard
		}
		return min(wish, int64(u.TotalBytes/part))
	}
	p.ballast, p.reserve = fit(ballast, ballastDefault, ballastPart), fit(reserve, reserveDefault, reservePart)
}

// check looks at the free room, takes the ballast again when there is enough, and returns whether the disk is full.
func (p *patience) check() bool {
	u, err := p.files.GetDiskUsage(p.dir)
	if err != nil || u.TotalBytes == 0 || p.dead.Load() {
		return p.full.Load()
	}
	free := int64(u.AvailBytes)
	if free > p.reserve+2*p.ballast && p.waiting.Load() == 0 {
		p.holdBallast()
	}
	p.mu.Lock()
	held := p.held || p.ballast == 0
	p.mu.Unlock()
	// Some more than the reserve must be free before it is over, or it would begin and end with every message.
	enough := p.reserve
	if p.full.Load() {
		enough += p.reserve / 4
	}
	full := free < enough || !held || p.waiting.Load() > 0
	if was := p.full.Swap(full); was != full {
		if full {
			p.log.Error("the disk is nearly full", "dir", p.dir, "free", free, "reserve", p.reserve)
		} else {
			p.log.Info("there is room on the disk again", "dir", p.dir, "free", free)
		}
	}
	return full
}

// holdBallast makes the ballast unless it is there.
func (p *patience) holdBallast() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held || p.ballast == 0 {
		return
	}
	name := p.files.PathJoin(p.dir, ballastName)
	// One that was written, not only allocated, shows its size and need not be written again at every start.
	if info, err := p.files.Stat(name); err == nil && info.Size() >= p.ballast {
		p.held = true
		return
	}
	if err := makeBallast(p.files, name, p.ballast); err != nil {
		p.files.Remove(name)
		if !p.warned {
			p.log.Warn("no ballast could be made", "dir", p.dir, "bytes", p.ballast, "err", err)
		}
		p.warned = true
		return
	}
	p.held, p.warned = true, false
}

// makeBallast makes a file that really takes size octets. Where the file system cannot promise them, it writes something that does not compress.
func makeBallast(files vfs.FS, name string, size int64) error {
	f, err := files.Create(name, writeOther)
	if err != nil {
		return err
	}
	defer f.Close()
	if !allocates || f.Preallocate(0, size) != nil {
		if err := writeNoise(f, size); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync the ballast: %w", err)
	}
	return nil
}

// writeNoise writes size octets in which no compression finds anything: a linear congruential generator's.
func writeNoise(f vfs.File, size int64) error {
	b := make([]byte, 64<<10)
	x := uint64(1)
	for size > 0 {
		for i := range b {
			x = x*6364136223846793005 + 1442695040888963407
			b[i] = byte(x >> 56)
		}
		n := min(size, int64(len(b)))
		if _, err := f.Write(b[:n]); err != nil {
			return err
		}
		size -= n
	}
	return nil
}

// Full reports whether there is too little room on the disk: new messages should be refused, while what takes away goes on.
func (s *Store) Full() bool { return s.disk.full.Load() }

// CheckSpace looks at the free room on the disk and returns Full. Now and then it gives back room that removed entries still take, in the background. The
// broker calls it once a second.
func (s *Store) CheckSpace() bool {
	if s.space.due() {
		s.reclaim()
	}
	return s.disk.check()
}
