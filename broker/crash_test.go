package broker

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"midge/broker/mqtt"
)

var crashSeeds = flag.Int("crash.seeds", 2, "how many seeds TestPowerCuts plays")

// TestPowerCuts lets publishers and subscribers at QoS 1 and 2 work on a broker whose power is cut again and again, at
// any point between its steps, on a file system that forgets what was not synced. In the end everything that a publisher
// was acknowledged for must have reached every subscriber, at QoS 2 exactly once, in order, and one member of every group.
func TestPowerCuts(t *testing.T) {
	for seed := range uint64(*crashSeeds) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			for range 800 {
				w.step()
			}
			w.finish()
			w.verify()
		})
	}
}

// world is a box with clients.
type world struct {
	*box
	rng    *rand.Rand
	pubs   []*testPublisher
	subs   []*testSubscriber
	groups []*testGroup
	cuts   int
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{box: newBox(t), rng: rand.New(rand.NewPCG(seed, 3))}
	for i, qos := range []mqtt.QoS{1, 2, 2} {
		w.subs = append(w.subs, &testSubscriber{w: w, id: fmt.Sprint("sub", i), qos: qos, open: map[uint16]bool{}, got: map[string][]int{}})
	}
	for _, s := range w.subs { // their subscriptions are acknowledged before anything is published
		s.connect()
		s.s.Subscribe(w.now, []Subscription{{Filter: "t/#", QoS: s.qos}})
		s.s.Reply("suback")
		w.box.commit()
		w.want("SUBACK comes out once its subscription is committed", s.s, "reply suback")
	}
	w.formGroups()
	for i, qos := range []mqtt.QoS{1, 2, 1, 2} {
		w.pubs = append(w.pubs, &testPublisher{w: w, id: fmt.Sprint("pub", i), qos: qos})
	}
	return w
}

// cut takes the power away and gives it back.
func (w *world) cut() {
	w.cuts++
	w.now = w.now.Add(time.Duration(w.rng.IntN(100)) * time.Second)
	w.box.cut([]int{0, 50, 100}[w.rng.IntN(3)], w.rng)
	for _, p := range w.pubs {
		p.s = nil
	}
	for _, s := range w.subs {
		s.gone()
	}
	for _, g := range w.groups {
		for _, s := range g.members {
			s.gone()
		}
	}
}

// commit may be cut off when everything is on the disk and nobody has been told.
func (w *world) commit() {
	told := w.sealAndSync()
	if w.rng.IntN(20) == 0 {
		w.cut()
		return
	}
	told()
}

func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.rng.IntN(50)) * time.Millisecond)
	p, s := w.pubs[w.rng.IntN(len(w.pubs))], w.subs[w.rng.IntN(len(w.subs))]
	if g := w.groups[w.rng.IntN(len(w.groups))]; w.rng.IntN(2) == 0 {
		s = g.members[w.rng.IntN(len(g.members))]
		if w.rng.IntN(8) == 0 {
			g.shake(s)
		}
	}
	switch n := w.rng.IntN(100); {
	case n < 30:
		p.publish(1 + w.rng.IntN(20))
	case n < 50:
		p.pull()
	case n < 70:
		s.pull()
	case n < 74:
		s.disconnect()
	case n < 78:
		w.load()
	case n < 79:
		w.cut()
	case n < 80:
		w.now = w.now.Add(3 * time.Second)
	default:
		w.commit()
	}
}

// finish lets everybody come to an end without further cuts.
func (w *world) finish() {
	for range 2000 {
		idle := true
		for _, p := range w.pubs {
			p.pull()
			idle = idle && len(p.open) == 0
		}
		w.commit()
		w.load()
		for _, s := range w.subs {
			s.pull()
			idle = idle && s.s != nil && s.s.Waiting() == 0
		}
		for _, g := range w.groups {
			idle = g.finish() && idle
		}
		if idle {
			return
		}
	}
	w.t.Fatal("in the end every message is acknowledged and every queue is empty")
}

func (w *world) verify() {
	total := 0
	for _, p := range w.pubs {
		total += p.next
		for _, s := range w.subs {
			got := s.got["t/"+p.id]
			count := make([]int, p.next)
			last := -1
			for _, n := range got {
				if count[n]++; count[n] > 1 {
					continue
				}
				if n < last {
					w.t.Errorf("%s gets the messages of %s in order: first %d, then %d", s.id, p.id, last, n)
				}
				last = n
			}
			for n, c := range count {
				if c == 0 {
					w.t.Fatalf("%s gets message %d of %s, which was acknowledged", s.id, n, p.id)
				}
				if c > 1 && p.qos == 2 && s.qos == 2 {
					w.t.Fatalf("%s gets message %d of %s once at QoS 2, not %d times", s.id, n, p.id, c)
				}
			}
		}
		m, ok := w.b.retained.Get("t/" + p.id)
		if !ok || string(m.Payload) != fmt.Sprint(p.next-1) {
			w.t.Errorf("the last message of %s is retained", p.id)
		}
	}
	for _, g := range w.groups {
		g.verify()
	}
	w.t.Logf("%d messages, %d cuts", total, w.cuts)
}

// testPublisher behaves as the specification demands of a client with a session.
type testPublisher struct {
	w    *world
	id   string
	qos  mqtt.QoS
	s    *Session
	next int
	last uint16
	open []openPublish // in order
}

type openPublish struct {
	id       uint16
	number   int
	received bool // PUBREC has come
}

func (p *testPublisher) connect() bool {
	if p.s != nil {
		return true
	}
	s, _, err := p.w.b.Open(p.w.now, Options{ClientID: p.id, SessionExpiry: 100000})
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.s = s
	for _, o := range p.open {
		if o.received {
			p.s.Release(o.id)
		} else {
			p.send(o)
		}
	}
	return false
}

func (p *testPublisher) send(o openPublish) {
	m := &Message{Topic: "t/" + p.id, Payload: fmt.Append(nil, o.number), QoS: p.qos, Retain: true}
	if _, err := p.s.Publish(p.w.now, []Inbound{{ID: o.id, Message: m}}); err != nil {
		p.w.t.Fatal(err)
	}
}

func (p *testPublisher) publish(n int) {
	p.connect()
	for ; n > 0 && len(p.open) < 64; n-- {
		p.last = p.last%100 + 1
		if slices.ContainsFunc(p.open, func(o openPublish) bool { return o.id == p.last }) {
			continue
		}
		o := openPublish{id: p.last, number: p.next}
		p.next++
		p.open = append(p.open, o)
		p.send(o)
	}
	p.w.b.check(p.w.t, "publish")
}

func (p *testPublisher) pull() {
	p.connect()
	var out [16]Outbound
	n, err := p.s.Next(p.w.now, out[:])
	if err != nil {
		p.w.t.Fatal(err)
	}
	for _, o := range out[:n] {
		i := slices.IndexFunc(p.open, func(open openPublish) bool { return open.id == o.ID })
		switch {
		case i < 0:
		case o.Kind == Puback && p.qos == 1 && !o.Reason.Failed(), o.Kind == Pubcomp:
			p.open = slices.Delete(p.open, i, i+1)
		case o.Kind == Pubrec && !o.Reason.Failed():
			p.open[i].received = true
			p.s.Release(o.ID)
		default:
			p.w.t.Fatalf("%s does not expect %+v", p.id, o)
		}
	}
}

// testSubscriber keeps its session; at QoS 2 it knows a repetition by its identifier.
type testSubscriber struct {
	w    *world
	id   string
	qos  mqtt.QoS
	s    *Session
	open map[uint16]bool // QoS 2 identifiers received and not released
	got  map[string][]int

	group *testGroup // that it is a member of
	short bool       // its session ends with its connection
}

func (s *testSubscriber) connect() {
	if s.s != nil {
		return
	}
	o := Options{ClientID: s.id, SessionExpiry: 100000, ReceiveMaximum: 20}
	if s.short {
		o.SessionExpiry = 0
	}
	h, present, err := s.w.b.Open(s.w.now, o)
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.s = h
	if s.group != nil && !present {
		s.subscribe()
	}
}

// gone is called when it has no connection any more.
func (s *testSubscriber) gone() {
	s.s = nil
	if s.short {
		clear(s.open)
	}
}

func (s *testSubscriber) disconnect() {
	if s.s != nil {
		s.s.Close(s.w.now, Closing{Lost: s.w.rng.IntN(2) == 0})
		s.gone()
	}
}

func (s *testSubscriber) pull() {
	s.connect()
	var out [16]Outbound
	n, err := s.s.Next(s.w.now, out[:])
	if err != nil {
		s.w.t.Fatal(err)
	}
	for _, o := range out[:n] {
		if s.w.rng.IntN(10) == 0 {
			s.disconnect() // what was handed out from here on is lost on the way
			return
		}
		switch {
		case o.Kind == Reply:
		case o.Kind == Pubrel:
			delete(s.open, o.ID)
			err = s.s.Completed(o.ID)
		case o.Kind != Publish:
			s.w.t.Fatalf("%s does not expect %+v", s.id, o)
		case o.QoS == 1:
			s.take(o.Message)
			err = s.s.Acked(o.ID)
		default:
			if !s.open[o.ID] {
				s.open[o.ID] = true
				s.take(o.Message)
			}
			err = s.s.Received(o.ID)
		}
		if err != nil && !errors.Is(err, ErrUnexpected) {
			s.w.t.Fatal(err)
		}
	}
	s.w.b.check(s.w.t, "pull")
}

func (s *testSubscriber) take(m *Message) {
	var n int
	fmt.Sscan(string(m.Payload), &n)
	s.got[m.Topic] = append(s.got[m.Topic], n)
}
