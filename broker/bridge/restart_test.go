package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// box is the bridge's side: a broker with a bridge, a publisher and a subscriber, which lose their power together. The two clients keep their own state, as
// MQTT asks of them.
type box struct {
	t      *testing.T
	start  func() (core *broker.Broker, lose func()) // lose is the power cut of the core
	core   *broker.Broker
	lose   func()
	end    func()
	dialed chan net.Conn
	bridge *Bridge

	wake waker // of both clients
	pub  *broker.Session
	work []*outgoing // to be published
	sub  *broker.Session
	open map[uint16]bool
	got  []string
}

// boxTopics carries at every QoS both ways.
var boxTopics = []Topic{{Filter: "s/#", Direction: Out, QoS: 2}, {Filter: "c/#", Direction: In, QoS: 2}}

func newBox(t *testing.T, start func() (*broker.Broker, func())) *box {
	b := &box{t: t, start: start, dialed: make(chan net.Conn), wake: make(waker, 1), open: make(map[uint16]bool)}
	b.boot()
	t.Cleanup(b.halt)
	return b
}

// boot starts everything on what is kept.
func (b *box) boot() {
	b.core, b.lose = b.start()
	b.join(func(ctx context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case b.dialed <- there:
			return here, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	b.clients()
	synctest.Wait()
	b.turn()
}

// join starts the bridge.
func (b *box) join(dial dialer) {
	cfg := Config{Name: "cloud", ClientID: "box-cloud", AvailabilityTopic: stateTopic, Address: "mqtt://upstream.test", Topics: boxTopics, Rand: rand.New(rand.NewPCG(1, 2))}
	b.bridge = New(b.core, cfg, slog.New(slog.DiscardHandler))
	b.bridge.dial = dial
	if err := b.bridge.Open(); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	bridge := b.bridge
	go func() { ended <- bridge.Run(ctx) }()
	b.end = func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("the bridge ended with %v, want no error", err)
		}
	}
}

// clients starts the publisher and the subscriber where they left off.
func (b *box) clients() {
	b.pub, b.sub = b.client("pub"), b.client("sub")
	if _, err := b.sub.Subscribe(time.Now(), []broker.Subscription{{Filter: "c/#", QoS: 2}}); err != nil {
		b.t.Fatal(err)
	}
	for _, o := range b.work {
		b.publish(o)
	}
}

func (b *box) client(id string) *broker.Session {
	s, _, err := b.core.Open(time.Now(), broker.Options{ClientID: id, Protocol: "test", SessionExpiry: broker.Never, Waker: b.wake})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// cut takes the power away and gives it back. Nothing that the bridge says afterwards reaches upstream.
func (b *box) cut(p *peer) {
	b.lose()
	p.cut()
	b.end()
	b.boot()
}

// halt ends it for good.
func (b *box) halt() {
	b.lose()
	b.end()
}

// add gives the publisher more to publish.
func (b *box) add(qos byte, topic, payload string) {
	o := &outgoing{id: uint16(len(b.work) + 1), qos: qos, topic: topic, payload: payload}
	b.work = append(b.work, o)
	b.publish(o)
}

func (b *box) publish(o *outgoing) {
	var err error
	switch o.state {
	case unsent, unanswered:
		o.state = unanswered
		m := &broker.Message{Topic: o.topic, Payload: []byte(o.payload), QoS: mqtt.QoS(o.qos)}
		_, err = b.pub.Publish(time.Now(), []broker.Inbound{{ID: o.id, Message: m}})
	case taken:
		err = b.pub.Release(o.id)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// turn lets the clients answer all that there is for them.
func (b *box) turn() {
	var out [16]broker.Outbound
	for _, s := range []*broker.Session{b.pub, b.sub} {
		for n := 1; n > 0; {
			var err error
			if n, err = s.Next(time.Now(), out[:]); err != nil {
				b.t.Fatal(err)
			}
			for _, o := range out[:n] {
				b.answer(s, o)
			}
		}
	}
}

func (b *box) answer(s *broker.Session, o broker.Outbound) {
	switch o.Kind {
	case broker.Puback, broker.Pubcomp:
		b.work[o.ID-1].state = finished
	case broker.Pubrec:
		b.work[o.ID-1].state = taken
		s.Release(o.ID)
	case broker.Publish:
		if o.QoS == mqtt.AtLeastOnce || !b.open[o.ID] {
			b.got = append(b.got, fmt.Sprintf("%s=%s q%d", o.Message.Topic, o.Message.Payload, o.QoS))
		}
		if o.QoS == mqtt.AtLeastOnce {
			s.Acked(o.ID)
			break
		}
		b.open[o.ID] = true
		s.Received(o.ID)
	case broker.Pubrel:
		delete(b.open, o.ID)
		s.Completed(o.ID)
	}
}

// settle gives everything the time that it needs.
func (b *box) settle() {
	for range 5 {
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.turn()
	}
}

// inMemory is a core that outlives its bridges: whatever they have done is safe.
func inMemory() func() (*broker.Broker, func()) {
	core := broker.New(broker.Limits{})
	return func() (*broker.Broker, func()) { return core, func() {} }
}

// TestBridgeIsReplacedAtEveryStep ends the bridge at every packet that it sends, in every way, and goes on with another on the same broker.
func TestBridgeIsReplacedAtEveryStep(t *testing.T) { cutEverywhere(t, inMemory) }

func cutEverywhere(t *testing.T, keep func() func() (*broker.Broker, func())) {
	for when := range momentMax + 1 {
		for at, there := 0, true; there; at++ {
			t.Run(fmt.Sprintf("packet %d %v", at, when), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					there = live(t, func(packet int) (moment, bool) { return when, packet == at }, keep()) > 0
				})
			})
		}
	}
}

// live plays the life of a box and its upstream to the end, checks it, and returns how often the power was cut.
func live(t *testing.T, cut func(packet int) (moment, bool), start func() (*broker.Broker, func())) (cuts int) {
	b := newBox(t, start)
	up := newCentral(t, cut, &outgoing{qos: 2, topic: "c/2", payload: "0"}, &outgoing{qos: 1, topic: "c/1", payload: "0"},
		&outgoing{qos: 2, topic: "c/2", payload: "1"}, &outgoing{qos: 1, topic: "c/1", payload: "1"})
	for i := range 2 {
		b.add(2, "s/2", fmt.Sprint(i))
		b.add(1, "s/1", fmt.Sprint(i))
	}
	p := b.dial()
	for more := true; ; {
		if up.serve(p, b.turn) {
			cuts++
			b.cut(p)
			p = b.dial()
			continue
		}
		if !more {
			break
		}
		more = false
		b.add(2, "s/2", "2") // identifiers come round sooner than one thinks: see that nothing of the past is left
		b.add(1, "s/1", "2")
		b.add(2, "s/2", "3")
	}
	b.settle()
	wantOnce(t, "QoS 2 reaches upstream exactly once and in order", up.got, "s/2", "0", "1", "2", "3")
	wantOnce(t, "QoS 2 reaches the local subscriber exactly once and in order", b.got, "c/2", "0", "1")
	wantAll(t, "QoS 1 reaches upstream in order", up.got, "s/1", "0", "1", "2")
	wantAll(t, "QoS 1 reaches the local subscriber in order", b.got, "c/1", "0", "1")
	for _, o := range slices.Concat(up.out, b.work) {
		if o.state != finished {
			t.Errorf("every exchange comes to its end: %+v", *o)
		}
	}
	if len(up.open) > 0 || len(b.open) > 0 {
		t.Errorf("every identifier is let go: upstream holds %v, the local subscriber %v", up.open, b.open)
	}
	if s := b.bridge.Status(); s.Backlog != 0 || s.InFlight != 0 {
		t.Errorf("nothing is left over: %+v", s)
	}
	return cuts
}

// payloads are those of the messages on a topic.
func payloads(got []string, topic string) (all []string) {
	for _, line := range got {
		if message, ok := strings.CutPrefix(line, topic+"="); ok {
			payload, _, _ := strings.Cut(message, " ")
			all = append(all, payload)
		}
	}
	return all
}

func wantOnce(t *testing.T, sentence string, got []string, topic string, want ...string) {
	t.Helper()
	if all := payloads(got, topic); !slices.Equal(all, want) {
		t.Errorf("%s: got %q, want %q", sentence, all, want)
	}
}

// wantAll lets each message come again, with those that were in flight beside it.
func wantAll(t *testing.T, sentence string, got []string, topic string, want ...string) {
	t.Helper()
	var first []string
	for _, p := range payloads(got, topic) {
		if !slices.Contains(first, p) {
			first = append(first, p)
		}
	}
	if !slices.Equal(first, want) {
		t.Errorf("%s: got %q, want %q with repetitions", sentence, payloads(got, topic), want)
	}
}

// dial waits for the bridge's next connection.
func (b *box) dial() *peer {
	r := rig{t: b.t, dialed: b.dialed}
	return r.dial()
}

// newBridge replaces the bridge of a rig by another with the same upstream session, as a restart does.
func (r *rig) newBridge(cfg Config) {
	r.t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("bridge ended with %v, want no error", err)
	}
	r.run(cfg)
	synctest.Wait()
}

func TestSessionLostUpstreamOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		p := r.accept(false, 0).online()
		for i := range 3 {
			r.publish(2, "sensors/a", fmt.Sprint(i))
		}
		p.want("three go out", "PUBLISH site1/sensors/a=0 q2 id=1", "PUBLISH site1/sensors/a=1 q2 id=2", "PUBLISH site1/sensors/a=2 q2 id=3")
		p.ack(5, 1)
		p.want("PUBREC is answered", "PUBREL id=1")
		p.cut()
		r.newBridge(Config{Topics: []Topic{outLine}})
		p = r.accept(false, 0).online()
		p.want("what upstream has confirmed is its own; the rest is sent as new", "PUBLISH site1/sensors/a=1 q2 id=2 dup", "PUBLISH site1/sensors/a=2 q2 id=3 dup")
		p.silent("and nothing else")
		if s := r.status(); s.Uncertain != 2 || s.Resent != 2 || s.Sent != 0 || s.Backlog != 2 {
			t.Fatalf("what may arrive twice is counted: %+v", s)
		}
	})
}

func TestUnmappedAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		p := r.accept(false, 0).online()
		r.publish(2, "sensors/a", "old")
		r.publish(1, "sensors/b", "old")
		p.want("two go out", "PUBLISH site1/sensors/a=old q2 id=1", "PUBLISH site1/sensors/b=old q1 id=2")
		p.cut()
		r.newBridge(Config{Topics: []Topic{{Filter: "other", QoS: 2}}})
		p = r.accept(true, 0).online()
		p.want("upstream may hold the identifier, and is made to let go of it", "PUBREL id=1")
		p.ack(7, 1)
		if s := r.status(); s.Dropped["unmapped"] != 2 || s.Backlog != 0 || s.Acked != 0 {
			t.Fatalf("what no line carries any more is given up: %+v", s)
		}
	})
}

// TestPoisonOverARestart gives a message up, whose identifier upstream must let go of, and restarts before it has.
func TestPoisonOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		r.publish(2, "sensors/bad", "poison")
		for range trialSuspect + 1 + trialAlone {
			p := r.dial()
			p.connack(true)
			p.serve("poison")
		}
		synctest.Wait()
		if s := r.status(); s.Dropped["poison"] != 1 {
			t.Fatalf("it is given up: %+v", s)
		}
		r.newBridge(Config{Topics: []Topic{outLine}})
		p := r.dial()
		p.connack(true)
		p.want("the next bridge knows that only the identifier is left", "PUBREL id=1")
		p.ack(7, 1)
		p.online()
		p.silent("and nothing of the message")
		if s := r.status(); s.Backlog != 0 {
			t.Fatalf("then it is over: %+v", s)
		}
	})
}

func TestPubcompLostOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		p := r.accept(false, 0).online()
		r.publish(2, "sensors/a", "one")
		p.want("it goes out", "PUBLISH site1/sensors/a=one q2 id=1")
		p.ack(5, 1)
		p.want("PUBREC is answered", "PUBREL id=1")
		p.cut()
		r.publish(2, "sensors/a", "two")
		r.newBridge(Config{Topics: []Topic{outLine}})
		p = r.dial()
		p.connack(true)
		p.want("PUBREL goes out first", "PUBREL id=1")
		p.online()
		p.want("what is new does not wait for it", "PUBLISH site1/sensors/a=two q2 id=2")
		p.ack(5, 9)
		p.want("a PUBREC of the past is answered", "PUBREL id=9")
		p.ack(7, 1)
		p.ack(5, 2)
		p.want("each has its own handshake", "PUBREL id=2")
		p.ack(5, 2)
		p.want("a PUBREC that comes again is answered again", "PUBREL id=2")
		p.ack(4, 2)
		if s := r.status(); s.Backlog != 1 || s.Acked != 1 {
			t.Fatalf("PUBACK means nothing to a message at QoS 2: %+v", s)
		}
		p.ack(7, 2)
		if s := r.status(); s.Backlog != 0 || s.Acked != 2 {
			t.Fatalf("PUBCOMP ends it: %+v", s)
		}
	})
}
