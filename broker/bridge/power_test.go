package bridge

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"midge/broker"
	"midge/broker/store"
)

// onDisk is a core whose file system forgets what was not synced, and which takes its time to sync it.
func onDisk(t *testing.T, rng *rand.Rand, commitInterval time.Duration) func() (*broker.Broker, func()) {
	fs := vfs.NewCrashableMem()
	return func() (*broker.Broker, func()) {
		s, err := store.Open(store.Options{Dir: "data", FS: fs, Fatal: func(err error) { panic(err) }})
		if err != nil {
			t.Fatalf("the store opens after a power cut: %v", err)
		}
		core, err := broker.Restore(time.Now(), broker.Limits{}, s, broker.Durability{CommitInterval: commitInterval})
		if err != nil {
			t.Fatalf("the broker is restored after a power cut: %v", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- core.Run(ctx) }()
		return core, func() {
			fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[rng.IntN(3)], RNG: rng})
			cancel()
			<-ended
			s.Close()
		}
	}
}

// TestPowerCutAtEveryStep is TestBridgeIsReplacedAtEveryStep with the broker's power cut as well.
func TestPowerCutAtEveryStep(t *testing.T) {
	for _, interval := range []time.Duration{0, 50 * time.Millisecond} {
		t.Run(fmt.Sprint("commit interval ", interval), func(t *testing.T) {
			cutEverywhere(t, func() func() (*broker.Broker, func()) { return onDisk(t, rand.New(rand.NewPCG(1, 2)), interval) })
		})
	}
}

var powerSeeds = flag.Int("power.seeds", 20, "how many seeds TestPowerCutsAgainAndAgain plays")

// TestPowerCutsAgainAndAgain cuts the power at any packet, after a restart as before it, until ten cuts have been seen.
func TestPowerCutsAgainAndAgain(t *testing.T) {
	for seed := range uint64(*powerSeeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 7))
				left := 10
				live(t, func(int) (moment, bool) {
					if left == 0 || rng.IntN(4) > 0 {
						return 0, false
					}
					left--
					return moment(rng.IntN(int(momentMax) + 1)), true
				}, onDisk(t, rng, time.Duration(rng.IntN(2))*50*time.Millisecond))
			})
		})
	}
}
