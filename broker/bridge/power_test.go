package bridge

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
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

// plug is a way to upstream that ends at once and for good when it is pulled.
type plug struct {
	mu     sync.Mutex
	pulled bool
	conn   net.Conn
}

func (p *plug) dial(to string) dialer {
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", to)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.conn = conn
		if p.pulled {
			conn.Close()
		}
		return conn, nil
	}
}

func (p *plug) pull() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulled = true
	if p.conn != nil {
		p.conn.Close()
	}
}

// TestMosquittoPowerCuts cuts the power again and again while messages at QoS 2 cross both ways.
func TestMosquittoPowerCuts(t *testing.T) {
	const n, lives = 1000, 8
	m := startMosquitto(t, "allow_anonymous true")
	up, state, pub := m.client("observer", nil).subscribe("s/#"), m.client("state", nil).subscribe(stateTopic), m.client("publisher", nil)
	rng := rand.New(rand.NewPCG(1, 3))
	b := &box{t: t, start: onDisk(t, rng, time.Millisecond), wake: make(waker, 1), open: make(map[uint16]bool)}
	var gotUp, wantUp, wantHere []string
	for i := range n {
		b.work = append(b.work, &outgoing{id: uint16(i + 1), qos: 2, topic: "s/a", payload: fmt.Sprint(i)})
		wantUp = append(wantUp, fmt.Sprintf("s/a=%d q2", i))
		wantHere = append(wantHere, fmt.Sprintf("c/a=%d q2", i))
	}
	timeout := time.After(2 * patience)
	for life := range lives {
		var way plug
		b.core, b.lose = b.start()
		b.join(way.dial(fmt.Sprintf("127.0.0.1:%d", m.Port)))
		if life == 0 {
			state.want("from now on nothing may be lost", stateTopic+"=1 q1")
		}
		b.clients()
		if life == 0 {
			for i := range n {
				pub.publish(2, false, "c/a", fmt.Sprint(i))
			}
		}
		until := min(n, len(gotUp)+20+rng.IntN(20))
		// Mosquitto 2.0 that loses a connection before it has said a PUBREL again, twice, says PUBLISH instead. PUBRELs go out before PUBLISH: so one PUBLISH
		// is heard in every life, a further one when there are no others.
		further := false
		for {
			here := len(payloads(b.got, "c/a"))
			heard := b.bridge.Status().Received > 0
			if here == n && !heard && !further {
				further = true
				pub.publish(1, false, "c/further", fmt.Sprint(life))
			}
			if heard && len(gotUp) >= until && (life < lives-1 || len(gotUp) >= n && here >= n) {
				break
			}
			select {
			case line := <-up.got:
				gotUp = append(gotUp, line)
			case <-b.wake: // also when a message from upstream has come
			case <-timeout:
				t.Fatalf("life %d: %d of %d messages have reached upstream, %d the local subscriber: %+v", life, len(gotUp), n, here, b.bridge.Status())
			}
			b.turn()
		}
		way.pull()
		b.halt()
	}
	compare(t, "QoS 2 upstream: once and in order", gotUp, wantUp)
	compare(t, "QoS 2 from upstream: once and in order", b.got, wantHere)
}
