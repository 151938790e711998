package store

import (
	"crypto/sha256"
	"flag"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	cutSeeds = flag.Int("powercut.seeds", 5, "how many seeds the power-cut test takes")
	cutFirst = flag.Uint64("powercut.first", 1, "the first of them")
)

// small makes everything in Pebble so small that a short run flushes and compacts often.
func small(o *pebble.Options) {
	o.MemTableSize = 32 << 10
	o.LBaseMaxBytes = 64 << 10
	o.MaxManifestFileSize = 2 << 10
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 16 << 10
	}
}

// soon makes Pebble give back room at once.
func soon(o *pebble.Options) { o.FlushDelayDeleteRange = 50 * time.Millisecond }

// A remnant is what a power cut left, and between which commits it fell: from low on everything is promised, up to high it may be there.
type remnant struct {
	fs        *vfs.MemFS
	low, high int
	percent   int
}

// A cutRun is one seeded run of batches on a file system that is cut again and again.
type cutRun struct {
	t      *testing.T
	seed   uint64
	model  *model
	states [][32]byte // what the store holds after each commit
	sealed int        // commits begun, under mu
	safe   int        // commits that have returned, under mu
	mu     sync.Mutex
	low    int // safe, when a cut began
	left   []remnant
}

// TestPowerCut cuts the power around syncs, writes and renames of a random run. Whatever of the unsynced octets is lost: the store comes up, every batch
// whose Commit had returned is there, and of the others a prefix, each whole.
func TestPowerCut(t *testing.T) {
	total := 0
	for seed := *cutFirst; seed < *cutFirst+uint64(*cutSeeds); seed++ {
		r := &cutRun{t: t, seed: seed, model: newModel(rand.New(rand.NewPCG(seed, 1)))}
		r.states = append(r.states, hash(r.model.text()))
		r.run()
		total += len(r.left)
		for i, x := range r.left {
			r.check(i, x, i%4 == 0)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d power cuts over %d seeds", total, *cutSeeds)
}

func hash(s string) [32]byte { return sha256.Sum256([]byte(s)) }

func (r *cutRun) run() {
	fs := &cutFS{MemFS: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(r.seed, 2)), chance: 0.05}
	fs.before = func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.low = r.safe
	}
	fs.cut = func(left *vfs.MemFS, percent int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.left = append(r.left, remnant{left, r.low, r.sealed, percent})
	}
	s := r.open(fs)
	b := s.NewBatch()
	for range 150 {
		for range 1 + r.model.rng.IntN(6) {
			r.model.change(b)
		}
		r.states = append(r.states, hash(r.model.text()))
		r.mu.Lock()
		r.sealed++
		r.mu.Unlock()
		if err := b.Commit(); err != nil {
			r.t.Fatalf("seed %d: commit: %v", r.seed, err)
		}
		r.mu.Lock()
		r.safe++
		r.mu.Unlock()
		if r.model.rng.IntN(60) == 0 {
			s.Close()
			s = r.open(fs)
			b = s.NewBatch()
		}
	}
	if got := hash(dump(r.t, s)); got != r.states[len(r.states)-1] {
		r.t.Errorf("seed %d: at the end the store holds\n%s\nwant\n%s", r.seed, dump(r.t, s), r.model.text())
	}
	s.Close()
}

func (r *cutRun) open(fs vfs.FS) *Store {
	r.t.Helper()
	s, err := Open(Options{Dir: "a/data", FS: fs, tune: small, Fatal: func(err error) { panic(err) }})
	if err != nil {
		r.t.Fatalf("seed %d: open: %v", r.seed, err)
	}
	return s
}

// check opens what a cut left; at times the power is cut again while that is under way.
func (r *cutRun) check(i int, x remnant, again bool) {
	defer func() {
		if p := recover(); p != nil {
			r.t.Errorf("seed %d, cut %d: %v", r.seed, i, p)
		}
	}()
	fs := &cutFS{MemFS: x.fs, rng: rand.New(rand.NewPCG(r.seed, uint64(i+3)))}
	var left []*vfs.MemFS
	if again {
		fs.chance = 0.1
		fs.cut = func(f *vfs.MemFS, _ int) { left = append(left, f) }
	}
	s := r.open(fs)
	text := dump(r.t, s)
	s.Close()
	if h := hash(text); !slices.Contains(r.states[x.low:x.high+1], h) {
		r.t.Errorf("seed %d, cut %d (%d %% of what was not synced was kept): commits up to %d were promised, up to %d begun, but the store is as after commit %d; it holds\n%s",
			r.seed, i, x.percent, x.low, x.high, slices.Index(r.states, h), text)
	}
	for _, f := range left {
		r.check(i, remnant{f, x.low, x.high, x.percent}, false)
	}
}
