package bridge

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

var outLine = Topic{Filter: "sensors/#", Direction: Out, QoS: mqtt.ExactlyOnce, RemotePrefix: "site1/"}

func TestOutWaitsForUpstreamAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		r.publish(1, "sensors/a", "before")
		p := r.dial()
		got := p.next()
		if want := "CONNECT level=0x84 client=box-cloud clean=false will=midge/box/bridge/cloud/state:0 keepalive=60"; got != want {
			t.Fatalf("CONNECT keeps the session, sets the bridge bit and leaves a will: got %q, want %q", got, want)
		}
		p.write(0x20, 2, 0, 0)
		p.online()
		p.want("what was published before the connection goes out", "PUBLISH site1/sensors/a=before q1 id=1")
		if s := r.status(); s.Backlog != 1 || s.InFlight != 1 || s.State != Connected {
			t.Fatalf("a message counts until upstream has acknowledged it: %+v", s)
		}
		time.Sleep(3 * time.Second)
		if s := r.status(); s.Oldest != 3*time.Second {
			t.Fatalf("Oldest is the age of the unacknowledged message: got %v", s.Oldest)
		}
		p.ack(4, 1)
		if s := r.status(); s.Backlog != 0 || s.Acked != 1 || s.InFlight != 0 || s.Oldest != 0 {
			t.Fatalf("PUBACK from upstream is the local acknowledgement: %+v", s)
		}
		r.publish(0, "sensors/b", "zero")
		r.publishRetained(1, "sensors/c", "kept", true)
		p.want("QoS 0 needs no answer, Retain passes", "PUBLISH site1/sensors/b=zero q0", "PUBLISH site1/sensors/c=kept q1 id=2 retain")
		p.ack(4, 2)
		r.stop()
		p.want("a bridge that stops says so before it goes", "PUBLISH midge/box/bridge/cloud/state=0 q1 id=32770 retain")
		p.ack(4, 32770)
		p.want("and leaves in good order", "DISCONNECT", "closed")
	})
}

// TestNothingIsMissedBeforeRun publishes as soon as a listener could: a device is acknowledged whether or not the bridge has had its first turn.
func TestNothingIsMissedBeforeRun(t *testing.T) {
	core := broker.New(broker.Limits{})
	b := New(core, Config{Name: "cloud", ClientID: "box-cloud", AvailabilityTopic: stateTopic, Address: "mqtt://upstream.test", Topics: []Topic{outLine}}, slog.New(slog.DiscardHandler))
	if err := b.Open(); err != nil {
		t.Fatal(err)
	}
	publisher, _, err := core.Open(time.Now(), broker.Options{ClientID: "device", Protocol: "test"})
	if err != nil {
		t.Fatal(err)
	}
	m := &broker.Message{Topic: "sensors/a", Payload: []byte("first"), QoS: mqtt.AtLeastOnce}
	if _, err := publisher.Publish(time.Now(), []broker.Inbound{{ID: 1, Message: m}}); err != nil {
		t.Fatal(err)
	}
	if s := b.Status(); s.Backlog != 1 {
		t.Errorf("what is published between Open and Run waits for upstream: %+v", s)
	}
}

func TestPubackLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		p := r.accept(false, 0).online()
		for i := range 3 {
			r.publish(1, "sensors/a", fmt.Sprint(i))
		}
		p.want("three go out", "PUBLISH site1/sensors/a=0 q1 id=1", "PUBLISH site1/sensors/a=1 q1 id=2", "PUBLISH site1/sensors/a=2 q1 id=3")
		p.ack(4, 1)
		synctest.Wait()
		p.cut()
		if s := r.status(); s.State != Waiting || s.LastError == "" || s.Backlog != 2 {
			t.Fatalf("after a cut the bridge waits and says why: %+v", s)
		}
		r.publish(1, "sensors/a", "3")
		p = r.accept(true, 0)
		p.want("what was not acknowledged comes again, in order, before anything new",
			"PUBLISH site1/sensors/a=1 q1 id=2 dup", "PUBLISH site1/sensors/a=2 q1 id=3 dup")
		p.want("then the state", "PUBLISH midge/box/bridge/cloud/state=1 q1 id=32771 retain")
		p.want("then what is new", "PUBLISH site1/sensors/a=3 q1 id=4")
		for _, id := range []uint16{2, 3, 4, 32771} {
			p.ack(4, id)
		}
		if s := r.status(); s.Backlog != 0 || s.Acked != 4 || s.Resent != 2 {
			t.Fatalf("all is acknowledged once: %+v", s)
		}
	})
}

func TestPubrecThenCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		p := r.accept(false, 0).online()
		r.publish(2, "sensors/a", "one")
		r.publish(2, "sensors/a", "two")
		p.want("two go out", "PUBLISH site1/sensors/a=one q2 id=1", "PUBLISH site1/sensors/a=two q2 id=2")
		p.ack(5, 1)
		p.want("PUBREC is answered", "PUBREL id=1")
		p.cut()
		p = r.dial()
		p.connack(true)
		p.want("after PUBREC only PUBREL may be sent again", "PUBREL id=1", "PUBLISH site1/sensors/a=two q2 id=2 dup")
		p.online()
		r.publish(2, "sensors/a", "three")
		p.want("then what is new, under an identifier of its own", "PUBLISH site1/sensors/a=three q2 id=3")
		p.ack(7, 1)
		for _, id := range []uint16{2, 3} {
			p.ack(5, id)
			p.want("PUBREC is answered", fmt.Sprintf("PUBREL id=%d", id))
			p.ack(7, id)
		}
		if s := r.status(); s.Backlog != 0 || s.Acked != 3 || s.Resent != 1 || s.Uncertain != 0 {
			t.Fatalf("PUBCOMP finishes the local exchange: %+v", s)
		}
	})
}

func TestSessionLostUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		p := r.accept(false, 0).online()
		r.publish(2, "sensors/a", "one")
		r.publish(1, "sensors/a", "two")
		p.want("two go out", "PUBLISH site1/sensors/a=one q2 id=1", "PUBLISH site1/sensors/a=two q1 id=2")
		p.ack(5, 1)
		p.want("PUBREC is answered", "PUBREL id=1")
		p.cut()
		p = r.accept(false, 0)
		p.want("an upstream without the session gets all again from the start",
			"PUBLISH site1/sensors/a=one q2 id=1 dup", "PUBLISH site1/sensors/a=two q1 id=2 dup")
		if s := r.status(); s.Uncertain != 1 {
			t.Fatalf("a QoS 2 message that may arrive twice is counted: %+v", s)
		}
	})
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWith(t, broker.Limits{}, Config{Topics: []Topic{outLine}, MaxInflight: 2})
		p := r.accept(false, 0).online()
		for i := range 4 {
			r.publish(1, "sensors/a", fmt.Sprint(i))
		}
		p.want("the window is used", "PUBLISH site1/sensors/a=0 q1 id=1", "PUBLISH site1/sensors/a=1 q1 id=2")
		p.silent("and not more than the window")
		p.ack(4, 1)
		p.want("an acknowledgement makes room for one", "PUBLISH site1/sensors/a=2 q1 id=3")
		p.silent("and for one only")
	})
}

func TestWatchdog(t *testing.T) {
	rows := []struct {
		sentence string
		answer   func(p *peer)
	}{
		{"an upstream that acknowledges nothing is dropped and tried again", func(*peer) {}},
		{"a lost PUBACK among others is noticed because later ones came", func(p *peer) { p.ack(4, 2) }},
	}
	for _, row := range rows {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRigWith(t, broker.Limits{}, Config{Topics: []Topic{outLine}, KeepAlive: 20 * time.Second})
				p := r.accept(false, 0).online()
				r.publish(1, "sensors/a", "0")
				r.publish(1, "sensors/a", "1")
				p.want("two go out", "PUBLISH site1/sensors/a=0 q1 id=1", "PUBLISH site1/sensors/a=1 q1 id=2")
				row.answer(p)
				start := time.Now()
				p.want(row.sentence, "closed")
				if d := time.Since(start); d < stallMin || d > stallMin+stallMin/4 {
					t.Errorf("%s: after %v, want about %v", row.sentence, d, stallMin)
				}
				p = r.accept(true, 0)
				p.want(row.sentence, "PUBLISH site1/sensors/a=0 q1 id=1 dup")
			})
		})
	}
}

func TestDeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		p := r.accept(false, 0).online()
		start := time.Now()
		var last string
		for line := range p.in { // PINGREQ stays unanswered
			last = line
		}
		if last != "PINGREQ" {
			t.Errorf("an idle connection is probed: last packet %q", last)
		}
		if d := time.Since(start); d > keepAliveDefault+pingSlack+time.Second {
			t.Errorf("a peer that does not answer PINGREQ is dead after %v, want at most keep-alive and %v", d, pingSlack)
		}
		r.accept(true, 0)
	})
}

func TestUnmappedAndLowerQoS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{},
			Topic{Filter: "a/#", QoS: 0, LocalPrefix: "l/", RemotePrefix: "r/"},
			Topic{Filter: "b/#", QoS: 1, LocalPrefix: "l/", RemotePrefix: "r/"})
		p := r.accept(false, 0).online()
		r.publish(2, "l/a/x", "m")
		r.publish(2, "l/b/x", "m")
		p.want("a message crosses at the lower of its QoS and the line's", "PUBLISH r/a/x=m q0", "PUBLISH r/b/x=m q1 id=1")
		p.ack(4, 1)
		if s := r.status(); s.Backlog != 0 || s.Sent != 2 {
			t.Fatalf("a lower QoS upstream finishes the local exchange too: %+v", s)
		}
	})
}
