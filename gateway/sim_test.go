package gateway

import (
	"container/heap"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/mqttsn"
	device "midge/mqttsn/client"
	"midge/transports"
)

var seed = flag.Uint64("seed", 0, "run the simulation with this seed only")

var seeds = flag.Uint64("seeds", 12, "how many seeds the simulations run with")

// TestSimulation runs fleets of devices over radios that lose one frame in five and repeat some, in virtual time. Everything is decided by the
// seed. Frames keep their order, as on the radios that the protocol was made for; QoS 2 cannot be kept otherwise.
func TestSimulation(t *testing.T) { simulateFleets(t, false) }

// TestSimulationWithRestarts is the same with a gateway that dies every few minutes, in the middle of whatever it is doing, and now and then ends in order.
// The devices know nothing of it, and nothing that anybody was promised may be lost, or come twice at QoS 2.
func TestSimulationWithRestarts(t *testing.T) { simulateFleets(t, true) }

func simulateFleets(t *testing.T, restarts bool) {
	first, last := uint64(1), *seeds
	if *seed != 0 {
		first, last = *seed, *seed
	}
	for n := first; n <= last; n++ {
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var disk *vfs.MemFS
				if restarts {
					disk = vfs.NewCrashableMem()
				}
				s := newSim(t, n, disk)
				s.run()
				s.core.stop(true)
			})
		})
	}
}

const (
	simDevices  = 6
	simMessages = 12 // each way and device, at QoS 1 and 2
	simLoss     = 0.20
	simDup      = 0.05
	simDelay    = 30 * time.Millisecond
	simEnd      = 24 * time.Hour
)

type sim struct {
	t       *testing.T
	now     time.Time
	disk    *vfs.MemFS // nil: no restarts
	core    *core
	b       *broker.Broker
	g       *Gateway
	rng     *rand.Rand
	links   []*link
	devices []*simDevice
	air     air
	order   int

	watcher *broker.Session
	taken   map[uint16]bool // QoS 2 messages that the watcher has, until PUBREL
	out     *broker.Session // publishes the commands
	unacked []broker.Inbound

	restarts int
	up, down map[string]int // messages that arrived, by payload
}

// simDevice is one device and what it has asked for.
type simDevice struct {
	i       int
	c       *device.Client
	addr    transports.Addr
	link    int
	sleeper bool
	asked   map[device.Token]string // publishes that are not yet acknowledged
	acked   map[string]bool
	ready   bool // has its subscription
	sent    int
	next    time.Time // when it does something by itself
}

// flight is a frame on the air, from or to a device.
type flight struct {
	at    time.Time
	order int
	dev   *simDevice
	link  int
	toGW  bool
	data  []byte
}

type air []flight

func (a air) Len() int { return len(a) }
func (a air) Less(i, j int) bool {
	return a[i].at.Before(a[j].at) || a[i].at.Equal(a[j].at) && a[i].order < a[j].order
}
func (a air) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *air) Push(v any)   { *a = append(*a, v.(flight)) }
func (a *air) Pop() any {
	last := len(*a) - 1
	f := (*a)[last]
	*a = (*a)[:last]
	return f
}

func newSim(t *testing.T, seed uint64, disk *vfs.MemFS) *sim {
	s := &sim{t: t, now: time.Now(), disk: disk, rng: rand.New(rand.NewPCG(seed, 1)), taken: map[uint16]bool{}, up: map[string]int{}, down: map[string]int{}}
	s.start()
	for i := range simDevices {
		d := &simDevice{i: i, link: i % 2, sleeper: i%3 != 0, addr: transports.MakeAddr([]byte{byte(i)}), asked: map[device.Token]string{}, acked: map[string]bool{}}
		cfg := device.Config{ClientID: fmt.Sprint("d", i), KeepAlive: time.Minute, Reconnect: 3 * time.Second, QueueMax: 64, FirstMsgID: uint16(i * 20000)}
		if d.sleeper {
			cfg.WakeEvery = 40 * time.Second
		}
		if i%2 == 1 {
			cfg.Will = &device.Will{Topic: fmt.Sprint("will/", i), Message: []byte("gone")}
		}
		d.c = device.New(cfg)
		d.next = s.now.Add(time.Duration(s.rng.Int64N(int64(10 * time.Second))))
		s.devices = append(s.devices, d)
	}
	return s
}

// start starts broker and gateway, and those who watch and command.
func (s *sim) start() {
	s.core = startCore(s.t, s.disk, 0)
	s.b = s.core.b
	s.g = New(s.b, Config{GatewayID: 1}, slog.New(slog.DiscardHandler))
	s.links = nil
	for _, name := range []string{"lan", "radio"} {
		s.links = append(s.links, s.g.open(name, LinkConfig{}, 1024, func(a transports.Addr) string { return fmt.Sprint(a.Bytes()) }, s.now))
	}
	s.watcher, _, _ = s.b.Open(s.now, broker.Options{ClientID: "watcher", SessionExpiry: broker.Never})
	s.watcher.Subscribe(s.now, []broker.Subscription{{Filter: "up/#", QoS: 2}})
	s.out, _, _ = s.b.Open(s.now, broker.Options{ClientID: "commands", SessionExpiry: broker.Never})
	s.out.Publish(s.now, s.unacked) // what was not acknowledged is published again, as MQTT wants it
}

// restart ends the process as it is, mostly without a word, and starts it again; what comes while it is off is lost.
func (s *sim) restart() {
	s.restarts++
	orderly := s.rng.IntN(4) == 0
	if orderly {
		for _, l := range s.links {
			l.stop(s.now)
		}
	}
	s.disk = s.core.stop(orderly)
	if s.rng.IntN(2) == 0 {
		s.pass(s.now.Add(time.Duration(s.rng.Int64N(int64(20 * time.Second)))))
		s.air = slices.DeleteFunc(s.air, func(f flight) bool { return f.toGW && f.at.Before(s.now) })
		heap.Init(&s.air)
	}
	s.start()
}

// pass lets time pass.
func (s *sim) pass(until time.Time) {
	time.Sleep(until.Sub(s.now))
	s.now = until
}

// run lets time pass until everything has arrived, and a while longer to see whether more does.
func (s *sim) run() {
	begin := s.now
	commands, nextCommand := 0, s.now.Add(time.Minute)
	nextRestart := s.now.Add(time.Minute)
	var done time.Time
	for s.now.Sub(begin) < simEnd && (done.IsZero() || s.now.Sub(done) < 20*time.Minute) {
		s.advance()
		if commands < simMessages && !s.now.Before(nextCommand) {
			if s.ready() {
				s.command(commands)
				commands++
			}
			nextCommand = s.now.Add(time.Duration(s.rng.Int64N(int64(3 * time.Minute))))
		}
		s.settle()
		if done.IsZero() && commands == simMessages && s.complete() {
			done = s.now
		}
		if s.disk != nil && !s.now.Before(nextRestart) {
			s.restart()
			nextRestart = s.now.Add(time.Duration(s.rng.Int64N(int64(4 * time.Minute))))
		}
		s.pass(s.nextEvent(nextCommand))
	}
	s.check()
}

// advance does everything that is due now.
func (s *sim) advance() {
	for len(s.air) > 0 && !s.air[0].at.After(s.now) {
		f := heap.Pop(&s.air).(flight)
		if f.toGW {
			s.links[f.link].Receive(s.now, &transports.Frame{Addr: f.dev.addr, Data: f.data})
		} else {
			f.dev.c.Receive(s.now, f.data)
		}
		s.settle()
	}
	for _, l := range s.links {
		l.Advance(s.now)
	}
	s.b.Expire(s.now)
	for _, d := range s.devices {
		d.c.Advance(s.now)
		if !s.now.Before(d.next) {
			s.act(d)
		}
	}
}

// act is a device's own doing: connect when it is not connected, publish, go to sleep.
func (s *sim) act(d *simDevice) {
	d.next = s.now.Add(20*time.Second + time.Duration(s.rng.Int64N(int64(2*time.Minute))))
	switch d.c.State() {
	case device.Disconnected, device.Asleep:
		if d.c.State() == device.Asleep && d.sent >= simMessages && s.rng.IntN(2) == 0 {
			return // sleep on; wake by itself
		}
		if s.rng.IntN(4) == 0 {
			d.link = 1 - d.link // it is heard on the other link from now on
		}
		d.c.Connect(s.now)
		if d.sent == 0 {
			d.c.Subscribe(s.now, device.Named(s.filter(d)), 2)
		}
	}
	if d.sent < simMessages {
		payload := fmt.Sprintf("u%d.%d.%d", d.i, d.sent, d.sent%2+1)
		token, err := d.c.Publish(s.now, device.Named(fmt.Sprintf("up/%d/%d", d.i, d.sent%3)), mqttsn.QoS(d.sent%2+1), false, []byte(payload))
		if err == nil {
			d.asked[token] = payload
			d.sent++
		}
	}
	if d.sleeper {
		d.c.Sleep(s.now, 5*time.Minute)
	}
}

// filter is what a device subscribes to: some by name, some with a wildcard.
func (s *sim) filter(d *simDevice) string {
	if d.i%2 == 0 {
		return fmt.Sprintf("down/%d/#", d.i)
	}
	return fmt.Sprintf("down/%d/cmd", d.i)
}

func (s *sim) ready() bool {
	for _, d := range s.devices {
		if !d.ready {
			return false
		}
	}
	return true
}

func (s *sim) command(n int) {
	for _, d := range s.devices {
		m := &broker.Message{Topic: fmt.Sprintf("down/%d/cmd", d.i), QoS: mqtt.QoS(n%2 + 1), Payload: fmt.Appendf(nil, "d%d.%d.%d", d.i, n, n%2+1)}
		in := broker.Inbound{ID: uint16(n*simDevices + d.i + 1), Message: m}
		s.unacked = append(s.unacked, in)
		s.out.Publish(s.now, []broker.Inbound{in})
	}
}

// settle puts on the air what anybody wants to send, and notes what has arrived. What was to be made safe is safe by then, or half of the time it is not.
func (s *sim) settle() {
	s.pull()
	if s.disk == nil || s.rng.IntN(2) == 0 {
		synctest.Wait()
		s.pull()
	}
	s.commanded()
	for _, d := range s.devices {
		for _, f := range d.c.Output(nil) {
			s.fly(flight{dev: d, link: d.link, toGW: true, data: f.Data})
		}
		for _, e := range d.c.Events(nil) {
			s.event(d, e)
		}
	}
	s.watch()
}

func (s *sim) pull() {
	for i, l := range s.links {
		l.Pull(s.now)
		for _, f := range l.frames() {
			if b := f.Addr.Bytes(); len(b) == 1 {
				s.fly(flight{dev: s.devices[b[0]], link: i, data: f.Data})
			}
		}
	}
}

// commanded takes the answers to the commands.
func (s *sim) commanded() {
	var dst [8]broker.Outbound
	for n := len(dst); n == len(dst); {
		n, _ = s.out.Next(s.now, dst[:])
		for _, o := range dst[:n] {
			if o.Reason.Failed() {
				s.t.Errorf("command %d is refused: %v", o.ID, o.Reason)
			}
			switch o.Kind {
			case broker.Puback, broker.Pubrec:
				s.unacked = slices.DeleteFunc(s.unacked, func(in broker.Inbound) bool { return in.ID == o.ID })
				if o.Kind == broker.Pubrec {
					s.out.Release(o.ID)
				}
			}
		}
	}
}

func (s *sim) fly(f flight) {
	n := 1
	if s.rng.Float64() < simLoss {
		n = 0
	} else if s.rng.Float64() < simDup {
		n = 2
	}
	f.at = s.now.Add(simDelay)
	f.data = append([]byte(nil), f.data...)
	for range n {
		f.order = s.order
		s.order++
		heap.Push(&s.air, f)
	}
}

func (s *sim) event(d *simDevice, e device.Event) {
	switch e := e.(type) {
	case device.Published:
		if e.Code != mqttsn.Accepted || e.Discarded {
			s.t.Errorf("device %d: publish %s ended with %v", d.i, d.asked[e.Token], e)
		}
		d.acked[d.asked[e.Token]] = true
		delete(d.asked, e.Token)
	case device.Message:
		s.down[string(e.Payload)]++
	case device.Subscribed:
		if e.Code != mqttsn.Accepted {
			s.t.Errorf("device %d: subscription refused", d.i)
		}
		d.ready = true
	}
}

func (s *sim) watch() {
	var dst [8]broker.Outbound
	for {
		n, err := s.watcher.Next(s.now, dst[:])
		if err != nil {
			s.t.Fatal(err)
		}
		for _, o := range dst[:n] {
			switch {
			case o.Kind == broker.Pubrel:
				delete(s.taken, o.ID)
				s.watcher.Completed(o.ID)
			case o.QoS == 1:
				s.up[string(o.Message.Payload)]++
				s.watcher.Acked(o.ID)
			case o.QoS == 2:
				if !s.taken[o.ID] {
					s.up[string(o.Message.Payload)]++
					s.taken[o.ID] = true
				}
				s.watcher.Received(o.ID)
			}
		}
		if n == 0 {
			return
		}
	}
}

func (s *sim) complete() bool {
	if len(s.down) < simDevices*simMessages {
		return false
	}
	for _, d := range s.devices {
		if len(d.acked) < simMessages {
			return false
		}
	}
	return true
}

func (s *sim) nextEvent(command time.Time) time.Time {
	next := command
	if !next.After(s.now) {
		next = s.now.Add(time.Minute)
	}
	earlier := func(at time.Time, ok bool) {
		if ok && at.Before(next) {
			next = at
		}
	}
	if len(s.air) > 0 {
		earlier(s.air[0].at, true)
	}
	for _, l := range s.links {
		earlier(l.Deadline())
	}
	for _, d := range s.devices {
		earlier(d.c.Deadline())
		earlier(d.next, true)
	}
	if !next.After(s.now) {
		return s.now.Add(time.Millisecond)
	}
	return next
}

// check holds what came against what was promised.
func (s *sim) check() {
	for _, d := range s.devices {
		for n := range simMessages {
			payload := fmt.Sprintf("u%d.%d.%d", d.i, n, n%2+1)
			if !d.acked[payload] {
				s.t.Errorf("device %d gets every publish acknowledged; %s is not", d.i, payload)
			}
			s.count("the watcher", s.up, payload)
			s.count(fmt.Sprint("device ", d.i), s.down, fmt.Sprintf("d%d.%d.%d", d.i, n, n%2+1))
		}
		if n := d.c.Counters().WhileAsleep; n > 0 {
			s.t.Errorf("device %d is left alone while it sleeps; %d messages came", d.i, n)
		}
	}
	if s.t.Failed() {
		for _, d := range s.g.Devices() {
			s.t.Logf("%+v", d)
		}
		s.t.Logf("%+v %+v", s.b.Counters(), s.links[0].counters)
	}
	s.t.Logf("%d restarts", s.restarts)
}

func (s *sim) count(who string, got map[string]int, payload string) {
	n := got[payload]
	switch {
	case n == 0:
		s.t.Errorf("%s gets every message; %s is lost", who, payload)
	case n > 1 && strings.HasSuffix(payload, ".2"):
		s.t.Errorf("%s gets a message at QoS 2 once; %s came %d times", who, payload, n)
	}
}
