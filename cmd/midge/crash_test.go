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
	crashRounds = flag.Int("crash.rounds", 20, "how often the crash test kills midge")
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

	interval time.Duration // commit_interval

	ctx    context.Context
	wg     sync.WaitGroup
	rounds int

	publishers []interface {
		finish()
		grant()
	}
	ended     []<-chan struct{} // when the publishers' run has
	online    []*subscriber     // always connected
	offline   []*subscriber     // come between rounds
	newcomers []*subscriber     // came in a round, subscribed and left
	sleepers  []*sleeper
	devices   []*unaware
	over      bool // guarded by h.mu: sleepers may end when they have everything
	broken    []*mqttClient
	wills     *source
	hellos    *source // what clients with a will say when they have come
	mortals   []*wire // clients with a will, which will not live longer than the broker
}

func newEpisode(t *testing.T, seed uint64, how string) *episode {
	e := &episode{t: t, h: newHistory(), rng: rand.New(rand.NewPCG(seed, 0)), how: how}
	e.interval = []time.Duration{0, 0, 5 * time.Millisecond, 50 * time.Millisecond}[e.rng.IntN(4)]
	e.up = fmt.Sprintf("127.0.0.1:%d", quietMosquitto(t))
	e.box = newCrashBox(t, e.up, e.interval)
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
	e.grant()
	if len(e.newcomers) > 2 {
		e.dismiss(before)
	}
	n := e.subscriber(fmt.Sprint("newcomer-", e.rounds), mqtt.V5, mqtt.QoS(1+e.rng.IntN(2)), 0)
	e.newcomers = append(e.newcomers, n)
	e.visit(n, func() bool { return true })
	if !e.h.lookAtRetained(e.ctx, e.box.mqtt, "retained-look") {
		e.t.Fatalf("seed %s: the retained values could not be fetched", e.t.Name())
	}
	if e.rounds <= roundsAtOnce/2 { // the last wills are due when the last round is over
		e.mortal()
	}
	e.grant()
	pause(e.ctx, time.Duration(e.rng.Int64N(int64(500*time.Millisecond))))
	if e.rounds%3 == 0 {
		e.crashDuringVisit(before)
	} else {
		e.crash()
	}
	e.failEarly()
}

// crashDuringVisit lets an offline subscriber come for what waits, and crashes while it gets it. It comes again, and stays until it has everything.
func (e *episode) crashDuringVisit(before time.Duration) {
	e.t.Helper()
	s := e.offline[e.rounds/3%2]
	crashed, left := make(chan struct{}), make(chan struct{})
	e.wg.Go(func() {
		defer close(left)
		s.stay(e.ctx, func() bool {
			select {
			case <-crashed:
				return true
			default:
				return false
			}
		})
	})
	pause(e.ctx, time.Duration(e.rng.Int64N(int64(20*time.Millisecond))))
	e.crash()
	close(crashed)
	<-left
	e.visit(s, s.drained(before))
}

// grant lets every publisher send some more messages. Without a bound there would be ever more to deliver where a machine is slow.
func (e *episode) grant() {
	for _, p := range e.publishers {
		p.grant()
	}
}

// visit lets an offline subscriber come, until enough says that it may leave.
func (e *episode) visit(s *subscriber, enough func() bool) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	if !s.stay(ctx, enough) {
		e.h.fault("%s came and did not get everything within %v\n%s", s.id, patience, s.sink.firstMissing())
		e.report(false)
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

// mortal connects a client that will not live longer than the broker: its will is due after the restart. CONNACK is no promise, but what the client
// publishes afterwards is acknowledged when all before it is safe.
func (e *episode) mortal() {
	e.t.Helper()
	topic := fmt.Sprint("load/wills/", e.rounds)
	_, will := e.wills.send(message{topic: topic, size: 50})
	c := e.client(fmt.Sprint("mortal-", e.rounds), mqtt.V311)
	w, _, err := dialWire(c.addr, &mqtt.Connect{Version: c.version, ClientID: c.id, CleanStart: true, KeepAlive: 300,
		Will: &mqtt.Will{Topic: topic, Payload: will, QoS: mqtt.AtLeastOnce}})
	if err != nil {
		e.t.Fatalf("a client with a will connects: %v", err)
	}
	hello := message{topic: fmt.Sprint("load/hello/", e.rounds), size: 50}
	number, payload := e.hellos.send(hello)
	w.out = (&mqtt.Publish{QoS: mqtt.AtLeastOnce, ID: 1, Topic: []byte(hello.topic), Payload: payload}).Append(w.out, w.v)
	w.flush()
	select {
	case p := <-w.in:
		if p.kind() != mqtt.TypePuback {
			e.t.Fatalf("the client with a will gets PUBACK: it got %v", p.kind())
		}
	case <-time.After(patience):
		e.t.Fatal("the client with a will gets PUBACK: it did not come")
	}
	e.hellos.acked(number)
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

// willGrace is how long after a kill a will is due: clients have 10 s to come back, and the process needs a moment to start.
const willGrace = 15 * time.Second

// die ends the connections of the clients with a will. Their wills are then due in a while, unless midge was stopped politely: then it has not lost them.
func (e *episode) die(how string) {
	for _, w := range e.mortals {
		w.close()
		if how != "term" {
			e.wills.due(len(e.wills.sent)-1, willGrace)
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
		e.report(false)
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
		if n := s.open(); n > 0 && s != e.wills { // a polite end leaves some that are not due
			e.h.fault("%s: %d messages were never acknowledged", s.name, n)
		}
	}
	end := e.h.now() + willGrace
	for _, s := range append(e.offline, e.newcomers...) {
		e.visit(s, s.drained(end))
	}
	e.h.mu.Lock()
	e.over = true
	e.h.mu.Unlock()
	for _, s := range e.online {
		e.patiently(func() bool { return s.sink.complete(end) })
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
	for _, s := range e.sleepers {
		if !s.sink.complete(e.h.now()) {
			e.h.fault("%s does not get on: %+v", s.id, s.counters(e.ctx))
		}
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
	e.report(true)
}

// patiently waits for something as long as messages come; that it does not happen is the checker's affair.
func (e *episode) patiently(ok func() bool) {
	got, deadline := e.h.arrivals(), time.Now().Add(patience)
	for !ok() && time.Now().Before(deadline) {
		pause(e.ctx, 20*time.Millisecond)
		if now := e.h.arrivals(); now != got {
			got, deadline = now, time.Now().Add(patience)
		}
	}
}

// report says what was played and what was found.
func (e *episode) report(done bool) {
	e.t.Helper()
	v := e.h.check(done)
	median, longest := e.box.startTimes()
	e.t.Logf("%d rounds, %d kills, commit_interval %v, %d messages sent, %d delivered, %d of them again with a reason; ready after %v, at most %v",
		e.rounds, len(e.h.kills), e.interval, v.sent, v.due, v.repeated, median.Round(time.Millisecond), longest.Round(time.Millisecond))
	for _, f := range v.faults {
		e.t.Error(f)
	}
	if len(v.faults) > 0 {
		_, seed, _ := strings.Cut(e.t.Name(), "/seed-")
		e.t.Errorf("to play it again: -crash.seed=%s -crash.how=%s", seed, e.how)
	}
}
