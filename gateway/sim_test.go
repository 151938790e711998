package gateway

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	device "midge/mqttsn/client"
)

var (
	seed     = flag.Uint64("day.seed", 0, "run the simulations with this seed only, and keep the traces of its devices")
	seeds    = flag.Uint64("day.seeds", 1, "how many seeds TestDay runs with")
	firstDay = flag.Uint64("day.first", 1, "the first of them")
	hours    = flag.Float64("day.hours", 4, "how long its day is; the whole one takes a minute")
	devices  = flag.Int("day.devices", 1000, "how many devices it has")
)

// TestDay is the whole system for hours, or with -day.hours=24 for a day, of virtual time: broker, store, gateway and links, a thousand devices on eight links with loss up to one half, repeated, reordered and
// damaged frames, one of them with little time on the air and one without QoS 2; senders at QoS −1; settings that are retained; devices that lose power and memory, change their address and their link; lines that are pulled out; and a gateway that dies, mostly without a word, in the
// middle of whatever it does. Nothing of it is decided by anything but the seed.
//
// What must hold: nothing that was acknowledged to anybody is lost; who subscribes has what is retained, and nothing older; QoS 2 arrives once; each publisher's messages arrive in order, topic by topic; a sleeping device is sent
// nothing; PINGRESP comes when nothing is pending, then and only then; a will is published when its device was silent for long enough, then and only then; one message at a
// time is sent to a device; what a connected device asks is answered; no link is sent more than it carries; and no table grows beyond what is on the other side of it.
func TestDay(t *testing.T) {
	p := dayPlan()
	first, last := *firstDay, *firstDay+*seeds-1
	if raceDetector {
		p.devices = min(p.devices, 80)
	}
	if *seed != 0 {
		first, last, p.traces = *seed, *seed, true
	}
	for n := first; n <= last; n++ {
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) {
			t.Parallel()
			playDay(t, n, p)
		})
	}
}

func playDay(t *testing.T, seed uint64, p plan) {
	began := time.Now()
	w := newWorld(seed, p)
	w.live()
	c := &w.count
	t.Logf("%d devices, %v: %d events in %v; %d frames sent, %d lost, %d repeated, %d reordered, %d damaged (%d unnoticed); %d reports, %d commands, %d settings, %d beacons, %d wills; %d commits; "+
		"%d ends of the process (%d in order), %d reboots, %d moves, %d deaths, %d outages", len(w.devs), p.day, w.happened, time.Since(began).Round(time.Millisecond),
		c.frames, c.lost, c.repeated, c.reordered, c.damaged, c.undetected, c.reports, c.commands, c.settings, c.beacons, c.wills, c.commits, c.crashes, c.orderly, c.reboots, c.moves, c.deaths, c.outages)
	if len(w.faults) == 0 {
		return
	}
	t.Errorf("seed %d (again with -day.seed=%d): %d faults:\n%s", seed, seed, len(w.faults), strings.Join(w.faults, "\n"))
	for i, d := range w.broken {
		if i < 3 && !slices.Contains(w.broken[:i], d) {
			t.Log(d)
		}
	}
}

// plan is what a day is made of. Times are means; 0 = never.
type plan struct {
	devices                                        int
	day                                            time.Duration
	retry                                          time.Duration // T_retry of the gateway
	commit                                         time.Duration // store.commit_interval
	crashes, outages, reboots, moves, deaths, away time.Duration
	share                                          float64 // percent of the time that the bridge may send, for each device there
	traces                                         bool
	sabotage                                       sabotage
}

func dayPlan() plan {
	return plan{devices: *devices, day: time.Duration(*hours * float64(time.Hour)), crashes: 75 * time.Minute, outages: 5 * time.Hour,
		share: 0.25, reboots: 12 * time.Hour, moves: 10 * time.Hour, deaths: 24 * time.Hour, away: 3 * time.Hour}
}

// retry is T_retry of the gateway.
func (w *world) retry() time.Duration {
	if w.plan.retry > 0 {
		return w.plan.retry
	}
	return LinkConfig{}.withDefaults(longest).RetryInterval
}

// late is how long the disk takes to come round to a commit, or to do it.
func (p *plan) late(rng *rand.Rand) time.Duration {
	return time.Duration(1+rng.IntN(60)) * time.Millisecond
}

func newWorld(seed uint64, p plan) *world {
	w := &world{seed: seed, plan: p, start: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	w.now = w.start
	rng := w.stream(2)
	w.mqtt.w, w.mqtt.commander.w, w.mqtt.commander.rng = w, w, w.stream(3)
	w.box = newBox(w, true)
	w.newPlace("lan", newDatagrams)
	w.newPlace("wan", newDatagrams)
	w.newPlace("line1", newWire(forwarder, 115200, 0.002))
	w.newPlace("line2", newWire(forwarder, 9600, 0.01)).cfg.MaxQoS = 1
	w.newPlace("bridge", newWire(bridge, 115200, 0.002)).cfg.Airtime = Airtime{Rate: 400, Overhead: 10, Duty: p.share}
	w.newPlace("radio1", newWire(modem802154, 115200, 0.001))
	w.newPlace("radio2", newWire(modemZigBee, 38400, 0.001))
	w.newWatcher("watcher", 2*time.Millisecond)
	w.newWatcher("archive", 2*time.Second) // is away for hours
	for i := range p.devices {
		w.settleIn(i, rng)
	}
	for _, d := range w.devs {
		if d.place.cfg.Airtime.Duty > 0 {
			d.place.cfg.Airtime.Duty += p.share
		}
	}
	raw := w.newDev(p.devices, habits{every: 20 * time.Second, keepAlive: time.Minute, clean: true, commands: -1, raw: true}, quality{})
	w.devs = w.devs[:p.devices]
	raw.id = "rawdevice"
	raw.boot()
	raw.place = w.newPlace("raw", newWire(rawLine, 9600, 0.2))
	raw.place.air.join(raw)
	raw.begin(time.Minute)
	w.newSettings()
	for k := range 6 {
		w.newBeacon(k, w.places[k])
	}
	for _, d := range w.devs {
		for _, other := range d.habits.reads {
			w.devs[other].readers = append(w.devs[other].readers, d)
		}
	}
	return w
}

// settleIn draws a device and where it is.
func (w *world) settleIn(i int, rng *rand.Rand) {
	between := func(least, most int, unit time.Duration) time.Duration {
		return time.Duration(least+rng.IntN(most-least+1)) * unit
	}
	h := habits{every: between(6, 14, time.Minute), qos: rng.IntN(4), keepAlive: between(120, 600, time.Second), clean: rng.IntN(5) == 0, forgets: rng.IntN(3) == 0,
		will: rng.IntN(3) == 0, commands: -1}
	if rng.IntN(2) == 0 {
		h.sleep, h.wake = between(8, 20, time.Minute), between(3, 7, time.Minute)
	}
	if rng.IntN(10) < 7 {
		h.commands, h.wildcard = rng.IntN(3), rng.IntN(2) == 0
	}
	if h.forgets && !h.clean { // it could not know what it has seen or sent
		h.qos, h.commands = min(h.qos, 1), min(h.commands, 1)
	}
	h.setting = rng.IntN(4) == 0
	if !h.forgets && rng.IntN(8) == 0 {
		h.reads = []int{rng.IntN(w.plan.devices), rng.IntN(w.plan.devices)}
		if h.reads[0] == h.reads[1] {
			h.reads = h.reads[:1]
		}
	}
	q := quality{dup: []float64{0, 0.02, 0.05}[rng.IntN(3)], damage: 0.002}
	switch n := rng.IntN(10); {
	case n < 4:
		q.loss = 0.01 * rng.Float64()
	case n < 8:
		q.loss = 0.1 * rng.Float64()
	case n < 9:
		q.loss = 0.1 + 0.2*rng.Float64()
	default:
		q.loss = 0.3 + 0.2*rng.Float64()
	}
	d := w.newDev(i, h, q)
	d.place = w.places[[]int{0, 0, 0, 1, 1, 2, 3, 4, 5, 6}[rng.IntN(10)]]
	d.place.air.join(d)
}

// gatewayConfig gives every device a predefined topic.
func (w *world) gatewayConfig() Config {
	cfg := Config{GatewayID: 1, QoSMinusOne: true, Predefined: []Predefined{{Client: "*", ID: predefinedBeacon, Topic: beaconTopic}}}
	for i := range w.plan.devices {
		cfg.Predefined = append(cfg.Predefined, Predefined{Client: fmt.Sprint("d", i), ID: predefinedReport, Topic: reportTopic(i, 1)})
	}
	return cfg
}

// live is the day, and the time after it in which everything arrives.
func (w *world) live() {
	w.box.start()
	for _, d := range w.devs {
		d.begin(time.Duration(d.rng.Int64N(int64(5 * time.Minute))))
	}
	w.misfortune()
	for _, d := range w.devs {
		w.every(uint64(10_000+10*d.i+3), 40*time.Minute, func() { w.mqtt.command(d) })
	}
	archive := w.mqtt.watchers[1]
	w.every(70, w.plan.away, func() {
		archive.leave()
		w.after(time.Duration(archive.rng.Int64N(int64(2*time.Hour))), archive.come)
	})
	w.every(71, time.Minute, w.look)
	w.run(w.start.Add(w.plan.day))
	w.heal()
	archive.come()
	for end := w.now.Add(2 * time.Hour); w.now.Before(end) && (!w.complete() || w.now.Before(w.start.Add(w.plan.day+30*time.Minute))); {
		w.run(w.now.Add(time.Minute))
		w.look()
	}
	w.check()
	w.box.stop(true)
}

// complete reports whether all that anybody waits for has arrived.
func (w *world) complete() bool {
	for _, d := range w.devs {
		if s := d.c.State(); d.off || d.away || s != device.Active && s != device.Asleep || d.c.Queued() > 0 {
			return false // who has fallen asleep before it could be kept awake has nothing to wait for, or the broker has
		}
	}
	c := w.box.b.Counters()
	return c.Queued == 0 && c.Inflight == 0
}

// TestDayRepeats: a seed gives the same day again, or a failure could not be looked into.
func TestDayRepeats(t *testing.T) {
	p := dayPlan()
	p.devices, p.day = 60, 3*time.Hour
	var first *world
	for range 2 {
		w := newWorld(7, p)
		w.live()
		if first == nil {
			first = w
		}
		if w.count != first.count || w.happened != first.happened {
			t.Fatalf("the same seed gives the same day: %d events, %+v; then %d, %+v", first.happened, first.count, w.happened, w.count)
		}
	}
}
