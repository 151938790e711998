package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"midge/broker/mqtt"
)

var (
	crashRounds = flag.Int("crash.rounds", 0, "how often the crash test kills midge; 0 = not at all")
	crashSeed   = flag.Uint64("crash.seed", 0, "seed of the crash test; 0 = another one each time")
	crashHow    = flag.String("crash.how", "mix", "kill, term, mix of both, or cut: the clients' connections break instead")
)

// roundsAtOnce is how many rounds are played with one data_dir before everything is checked and begun anew.
const roundsAtOnce = 20

// TestCrash kills the real midge at random moments under load, again and again, and holds what was acknowledged against what was delivered.
func TestCrash(t *testing.T) {
	crash(t, *crashRounds, *crashHow)
}

// TestBrokenConnections is the same load when midge lives and the MQTT clients' connections break: what is found here is not the store's.
func TestBrokenConnections(t *testing.T) {
	crash(t, 5, "cut")
}

// crash plays some rounds.
func crash(t *testing.T, rounds int, how string) {
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano() % 1_000_000)
	}
	for left := rounds; left > 0 && !t.Failed(); left -= roundsAtOnce {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) {
			e := newEpisode(t, seed, how)
			for range min(left, roundsAtOnce) {
				e.round()
			}
			e.finish()
		})
		seed++
	}
}

// episode is some rounds with one data_dir, and everybody who takes part.
type episode struct {
	t   *testing.T
	h   *history
	rng *rand.Rand
	how string
	box *crashBox
	up  string // the central broker's address

	ctx    context.Context
	wg     sync.WaitGroup
	rounds int

	publishers []interface{ finish() }
	ended      []<-chan struct{} // when the publishers' run has
	online     []*subscriber     // always connected
	offline    []*subscriber     // come between rounds
	newcomers  []*subscriber     // came in a round, subscribed and left
	sleepers   []*sleeper
	devices    []*unaware
	over       bool // guarded by h.mu: sleepers may end when they have everything
	broken     []*mqttClient
	wills      *source
	mortals    []*wire // clients with a will, which will not live longer than the broker
}

func newEpisode(t *testing.T, seed uint64, how string) *episode {
	e := &episode{t: t, h: newHistory(), rng: rand.New(rand.NewPCG(seed, 0)), how: how}
	interval := []time.Duration{0, 0, 5 * time.Millisecond, 50 * time.Millisecond}[e.rng.IntN(4)]
	e.up = fmt.Sprintf("127.0.0.1:%d", quietMosquitto(t))
	e.box = newCrashBox(t, e.up, interval)
	ctx, cancel := context.WithCancel(context.Background())
	e.ctx = ctx
	t.Cleanup(func() {
		cancel()
		e.wg.Wait()
	})
	e.subscribers()
	e.addSleeper("sleep-1", mqtt.AtLeastOnce)
	e.addSleeper("sleep-2", mqtt.ExactlyOnce)
	e.loads()
	return e
}

// round lets newcomers subscribe and others come for what waits, looks at the retained values, and then kills midge at a random moment.
func (e *episode) round() {
	e.t.Helper()
	e.rounds++
	before := e.h.now()
	if e.rounds%3 == 0 {
		s := e.offline[e.rounds/3%2]
		e.visit(s, s.drained(before))
	}
	if len(e.newcomers) > 2 {
		e.dismiss(before)
	}
	n := e.subscriber(fmt.Sprint("newcomer-", e.rounds), mqtt.V5, mqtt.QoS(1+e.rng.IntN(2)), 0)
	e.newcomers = append(e.newcomers, n)
	e.visit(n, func() bool { return true })
	if !e.h.lookAtRetained(e.ctx, e.box.mqtt, "retained-look") {
		e.t.Fatalf("seed %s: the retained values could not be fetched", e.t.Name())
	}
	e.mortal()
	pause(e.ctx, time.Duration(e.rng.Int64N(int64(500*time.Millisecond))))
	e.crash()
	e.failEarly()
}

// visit lets an offline subscriber come, until enough says that it may leave.
func (e *episode) visit(s *subscriber, enough func() bool) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	if !s.stay(ctx, enough) {
		e.h.fault("%s came and did not get everything within %v", s.id, patience)
		e.report()
		e.t.FailNow()
	}
}

// dismiss lets the oldest newcomer get everything and ends its session.
func (e *episode) dismiss(before time.Duration) {
	e.t.Helper()
	n := e.newcomers[0]
	e.newcomers = e.newcomers[1:]
	e.visit(n, n.drained(before))
	e.h.mu.Lock()
	n.sink.until = before
	e.h.mu.Unlock()
	n.forget(e.ctx)
}

// mortal connects a client that will not live longer than the broker: its will is due after the restart.
func (e *episode) mortal() {
	topic := fmt.Sprint("load/wills/", e.rounds)
	_, payload := e.wills.send(message{topic: topic, size: 50})
	c := e.client(fmt.Sprint("mortal-", e.rounds), mqtt.V311)
	w, _, err := dialWire(c.addr, &mqtt.Connect{Version: c.version, ClientID: c.id, CleanStart: true, KeepAlive: 300,
		Will: &mqtt.Will{Topic: topic, Payload: payload, QoS: mqtt.AtLeastOnce}})
	if err != nil {
		e.t.Fatalf("a client with a will connects: %v", err)
	}
	e.mortals = append(e.mortals, w)
}

// crash ends midge in one of several ways and starts it again.
func (e *episode) crash() {
	e.t.Helper()
	how := e.how
	if how == "mix" {
		how = []string{"kill", "kill", "kill", "kill", "kill twice", "kill twice", "term"}[e.rng.IntN(7)]
	}
	e.h.kill()
	defer e.die(how)
	switch how {
	case "cut":
		for _, c := range e.broken {
			c.cut()
		}
		return
	case "term":
		e.box.stop()
		if e.box.err != nil {
			e.h.fault("midge does not end well: %v", e.box.err)
		}
	default:
		e.box.kill()
	}
	if e.rng.IntN(3) == 0 {
		pause(e.ctx, time.Duration(e.rng.Int64N(int64(300*time.Millisecond))))
	}
	e.box.begin()
	if how == "kill twice" {
		pause(e.ctx, time.Duration(e.rng.Int64N(int64(150*time.Millisecond))))
		e.h.kill()
		e.box.kill()
		e.box.begin()
	}
	e.box.ready()
}

// die ends the connections of the clients with a will. Their wills are due from now on, unless midge was stopped politely: then it has not lost them.
func (e *episode) die(how string) {
	for _, w := range e.mortals {
		w.close()
		if how != "term" {
			e.wills.acked(len(e.wills.sent) - 1)
		}
	}
	e.mortals = nil
}

// failEarly ends the episode when something was seen that cannot be put right, so that the store is found as it was then.
func (e *episode) failEarly() {
	e.t.Helper()
	e.h.mu.Lock()
	n := len(e.h.faults)
	e.h.mu.Unlock()
	if n > 0 {
		e.report()
		e.t.FailNow()
	}
}

// finish ends the load, lets everybody get what is due, and checks.
func (e *episode) finish() {
	e.t.Helper()
	for i, p := range e.publishers {
		p.finish()
		select {
		case <-e.ended[i]:
		case <-time.After(patience):
		}
	}
	for _, s := range e.h.sources {
		if n := s.open(); n > 0 {
			e.h.fault("%s: %d messages were never acknowledged", s.name, n)
		}
	}
	for _, s := range append(e.offline, e.newcomers...) {
		e.visit(s, s.drained(e.h.now()))
	}
	e.h.mu.Lock()
	e.over = true
	e.h.mu.Unlock()
	for _, s := range e.online {
		e.patiently(func() bool { return s.sink.missing(e.h.now()) == 0 })
	}
	for _, s := range e.sleepers {
		e.patiently(func() bool {
			select {
			case <-s.done:
				return true
			default:
				return false
			}
		})
	}
	pause(e.ctx, 200*time.Millisecond) // for what comes too often
	e.h.lookAtRetained(e.ctx, e.box.mqtt, "retained-look")
	for _, d := range e.devices {
		d.check(e.ctx)
	}
	e.box.stop()
	if e.box.err != nil {
		e.h.fault("midge does not end well: %v", e.box.err)
	}
	e.report()
}

// patiently waits for something; that it does not come is the checker's affair.
func (e *episode) patiently(ok func() bool) {
	for deadline := time.Now().Add(patience); !ok() && time.Now().Before(deadline); {
		pause(e.ctx, 20*time.Millisecond)
	}
}

// report says what was played and what was found.
func (e *episode) report() {
	e.t.Helper()
	v := e.h.check()
	median, longest := e.box.startTimes()
	e.t.Logf("%d rounds, %d kills, %d messages sent, %d delivered, %d of them again with a reason; ready after %v, at most %v",
		e.rounds, len(e.h.kills), v.sent, v.due, v.repeated, median.Round(time.Millisecond), longest.Round(time.Millisecond))
	for _, f := range v.faults {
		e.t.Error(f)
	}
	if len(v.faults) > 0 {
		_, seed, _ := strings.Cut(e.t.Name(), "/seed-")
		e.t.Errorf("to play it again: -crash.seed=%s -crash.how=%s", seed, e.how)
	}
}
