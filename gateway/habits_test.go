package gateway

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/mqttsn"
	"midge/transports"
	"midge/transports/linktest"
)

const (
	fieldLoss    = 0.10
	fieldDup     = 0.02
	fieldDay     = 24 * time.Hour
	fieldCommand = 20 * time.Minute // between two commands to each device
	fieldReport  = 5 * time.Minute  // between two reports of each device
)

// TestADayOfEachDevice has devices with the habits of real client libraries (habits_devices_test.go) on a radio that loses one frame in ten each way and repeats
// some, for a day of virtual time: each reports every five minutes, and is sent a command every twenty. What the gateway has acknowledged arrives; every command that its session was there for
// reaches the device, if its library can take it at all.
func TestADayOfEachDevice(t *testing.T) {
	first, last := uint64(1), uint64(2)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	for n := first; n <= last; n++ {
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newField(t, n).day() })
		})
	}
}

// field is one gateway with one device of each kind.
type field struct {
	t       *testing.T
	s       *served
	seed    uint64
	end     time.Time
	gadgets []*gadget
	scripts sync.WaitGroup
	watcher *broker.Session

	arrived map[string]int // reports, by payload
}

func newField(t *testing.T, seed uint64) *field {
	f := &field{t: t, seed: seed, arrived: map[string]int{}, end: time.Now().Add(fieldDay)}
	f.s = serve(t, Config{GatewayID: 1, QoSMinusOne: true, Predefined: []Predefined{{Client: "*", ID: 1, Topic: "up/predefined"}}})
	f.watcher, _, _ = f.s.b.Open(time.Now(), broker.Options{ClientID: "watcher"})
	f.watcher.Subscribe(time.Now(), []broker.Subscription{{Filter: "up/#", QoS: 2}})
	return f
}

func (f *field) day() {
	f.begin("emcute", 512, emcute)
	f.begin("asymcute", 128, asymcute)
	f.begin("zephyr", 255, zephyr)
	f.begin("tools", 255, tools)
	f.begin("wolfmqtt", 1024, wolfmqtt)
	f.begin("arduino", 66, arduino)
	next := time.Now().Add(time.Minute)
	for n := 0; time.Now().Before(f.end.Add(-time.Hour)); n++ { // the last hour is for what is on its way
		time.Sleep(time.Until(next))
		next = next.Add(fieldCommand)
		for _, g := range f.gadgets {
			f.command(g, n)
		}
		f.watch()
	}
	f.scripts.Wait()
	f.watch()
	f.s.stop()
	for _, g := range f.gadgets {
		g.check(f.arrived)
		g.end.Close()
	}
}

// command publishes one to a device. It counts as promised if the device has a subscription, now that its session holds it.
func (f *field) command(g *gadget, n int) {
	payload := fmt.Sprint(g.id, " command ", n)
	g.mu.Lock()
	if g.subscribed {
		g.promised = append(g.promised, payload)
	}
	g.mu.Unlock()
	f.s.publish("cmd/"+g.id, payload)
}

func (f *field) watch() {
	var out [32]broker.Outbound
	for {
		n, _ := f.watcher.Next(time.Now(), out[:])
		if n == 0 {
			return
		}
		for _, o := range out[:n] {
			switch {
			case o.Kind == broker.Pubrel:
				f.watcher.Completed(o.ID)
				continue
			case o.QoS == 1:
				f.watcher.Acked(o.ID)
			case o.QoS == 2:
				f.watcher.Received(o.ID)
			}
			f.arrived[string(o.Message.Payload)]++
		}
	}
}

// gadget is one device: a script with blocking calls, as the real libraries have, and what it has seen.
type gadget struct {
	t      *testing.T
	id     string
	end    *linktest.End
	in     chan []byte
	rng    *rand.Rand
	until  time.Time
	buffer int                              // octets of the longest frame that it takes
	on     func(p mqttsn.Packet)            // what comes unasked, and all that no request waits for
	tick   func(now time.Time)              // the library's timer, called when now may have passed tickAt
	tickAt func() (at time.Time, have bool) // when

	reported, acked int
	ackedText       []string

	mu         sync.Mutex
	subscribed bool
	promised   []string
	got        map[string]int
	lossy      int // commands that may be lost: its session ended with them

	lateFrames int // that came while it worked on another
}

func (f *field) begin(id string, buffer int, script func(*gadget)) {
	g := &gadget{t: f.t, id: id, end: f.s.net.Device(), in: make(chan []byte, 64), until: f.end, buffer: buffer, got: map[string]int{},
		rng: rand.New(rand.NewPCG(f.seed, uint64(len(f.gadgets)))), on: func(mqttsn.Packet) {}}
	f.gadgets = append(f.gadgets, g)
	go g.listen()
	f.scripts.Go(func() { script(g) })
}

// listen is the radio's receiver.
func (g *gadget) listen() {
	for {
		frames := []transports.Frame{{Data: make([]byte, 2048)}}
		if _, err := g.end.ReadFrames(frames); err != nil {
			return
		}
		if len(frames[0].Data) > g.buffer {
			continue // its buffer ends here
		}
		select {
		case g.in <- frames[0].Data:
		default: // it looks elsewhere
		}
	}
}

func (g *gadget) send(p mqttsn.Packet) {
	if g.rng.Float64() < fieldLoss {
		return
	}
	data := p.Append(nil)
	if len(data) > g.buffer {
		g.t.Errorf("%s has no room for its own %s", g.id, p)
	}
	g.end.WriteFrames([]transports.Frame{{Data: data}})
	if g.rng.Float64() < fieldDup {
		g.end.WriteFrames([]transports.Frame{{Data: data}})
	}
}

// await takes what comes for that long, or until one packet is what is wanted. All others go to on.
func (g *gadget) await(d time.Duration, want func(mqttsn.Packet) bool) (p mqttsn.Packet, ok bool) {
	end := time.Now().Add(d)
	for {
		at := end
		if g.tick != nil {
			if t, have := g.tickAt(); have && t.Before(at) {
				at = t
			}
		}
		timer := time.NewTimer(time.Until(at))
		select {
		case data := <-g.in:
			timer.Stop()
			if g.rng.Float64() < fieldLoss {
				continue
			}
			p, err := mqttsn.Decode(data)
			if err != nil {
				g.t.Fatalf("%s: the gateway sends messages: %v", g.id, err)
			}
			if want != nil && want(p) {
				return p, true
			}
			g.on(p)
		case <-timer.C:
			if g.tick != nil {
				g.tick(time.Now())
			}
			if !time.Now().Before(end) {
				return nil, false
			}
		}
	}
}

// request sends p until it is answered, at most 1+repeats times.
func (g *gadget) request(p mqttsn.Packet, every time.Duration, repeats int, want func(mqttsn.Packet) bool) (mqttsn.Packet, bool) {
	for range 1 + repeats {
		g.send(p)
		if a, ok := g.await(every, want); ok {
			return a, true
		}
		p = repeated(g.id, p)
	}
	return nil, false
}

// repeated is p as the library repeats it: emcute sends the same octets again, others set DUP.
func repeated(library string, p mqttsn.Packet) mqttsn.Packet {
	if q, ok := p.(mqttsn.Publish); ok && library != "emcute" {
		q.Dup = true
		return q
	}
	return p
}

// report is the next payload to publish.
func (g *gadget) report() []byte {
	g.reported++
	return []byte(fmt.Sprint(g.id, " report ", g.reported))
}

func (g *gadget) wasAcked(payload []byte) {
	g.acked++
	g.ackedText = append(g.ackedText, string(payload))
}

func (g *gadget) command(payload []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.got[string(payload)]++
}

// takeNamed is what a device does that knows no topic id but those that the gateway has registered with it.
func (g *gadget) takeNamed(names map[uint16]string, p mqttsn.Packet) {
	switch p := p.(type) {
	case mqttsn.Register:
		names[p.TopicID] = p.TopicName
		g.send(mqttsn.Regack{TopicID: p.TopicID, MsgID: p.MsgID})
	case mqttsn.Publish:
		if names[p.TopicID] == "" {
			g.send(mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID, Code: mqttsn.InvalidTopicID})
			return
		}
		g.command(p.Data)
		if p.QoS == mqttsn.AtLeastOnce {
			g.send(mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID})
		}
	}
}

// hasSession says whether its session has its subscription. When that ends, what was promised and has not come is lost with it.
func (g *gadget) hasSession(yes bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.subscribed = yes
	if yes {
		return
	}
	kept := g.promised[:0]
	for _, p := range g.promised {
		if g.got[p] > 0 {
			kept = append(kept, p)
		} else {
			g.lossy++
		}
	}
	g.promised = kept
}

func (g *gadget) check(arrived map[string]int) {
	for _, text := range g.ackedText {
		if arrived[text] == 0 {
			g.t.Errorf("%s: what was acknowledged has arrived, but not %q", g.id, text)
		}
	}
	for _, text := range g.promised {
		if g.got[text] == 0 {
			g.t.Errorf("%s gets every command that its session held, but not %q", g.id, text)
		}
	}
	g.t.Logf("%-9s %3d reports, %3d acknowledged; %3d commands of %d, %d lost with a session", g.id, g.reported, g.acked, len(g.got), len(g.promised)+g.lossy, g.lossy)
	if g.lateFrames > 0 {
		g.t.Errorf("a device with one buffer is sent one thing at a time: %d frames came while it worked on another", g.lateFrames)
	}
	if attempts := int((fieldDay - time.Hour) / fieldReport); g.acked < attempts*8/10 {
		g.t.Errorf("%s works through its day: %d of some %d reports are acknowledged", g.id, g.acked, attempts)
	}
}
