package bridge

import (
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

var inLine = Topic{Filter: "cmd/#", Direction: In, QoS: mqtt.ExactlyOnce, LocalPrefix: "up/", RemotePrefix: "site1/"}

func TestInAcknowledgesWhatTheLocalBrokerTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, inLine)
		r.subscribe("up/#")
		p := r.accept(false, 1).online()
		p.publish(0, 0, "site1/cmd/a", "zero")
		p.publish(1, 7, "site1/cmd/a", "one", "retain")
		p.want("QoS 1 is acknowledged", "PUBACK id=7")
		p.publish(2, 8, "site1/cmd/a", "two")
		p.want("QoS 2 is acknowledged", "PUBREC id=8")
		p.ack(6, 8)
		p.want("and completed", "PUBCOMP id=8")
		r.wantLocal("all arrive locally, under the local prefix", "up/cmd/a=zero q0", "up/cmd/a=one q1 retain", "up/cmd/a=two q2")
		p.publish(1, 9, "other/topic", "x")
		p.want("a message that no line carries is acknowledged, or it would come for ever", "PUBACK id=9")
		if s := r.status(); s.Received != 4 || s.Dropped["unmapped"] != 1 {
			t.Fatalf("it is counted: %+v", s)
		}
	})
}

func TestInboundQoS2Repeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, inLine)
		r.subscribe("up/#")
		p := r.accept(false, 1).online()
		p.publish(2, 5, "site1/cmd/a", "once")
		p.want("it is received", "PUBREC id=5")
		p.publish(2, 5, "site1/cmd/a", "once", "dup")
		p.want("a repetition on the same connection is answered", "PUBREC id=5")
		p.cut()
		p = r.accept(true, 1).online()
		p.publish(2, 5, "site1/cmd/a", "once", "dup")
		p.want("and on the next", "PUBREC id=5")
		p.ack(6, 5)
		p.want("it is completed", "PUBCOMP id=5")
		r.wantLocal("it is published once", "up/cmd/a=once q2")
		p.publish(2, 5, "site1/cmd/a", "another")
		p.want("the identifier is free again", "PUBREC id=5")
		r.wantLocal("for another message", "up/cmd/a=another q2")
		p.ack(6, 77)
		p.want("a PUBREL of the past is answered too", "PUBCOMP id=77")
	})
}

func TestInboundSessionLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, inLine)
		r.subscribe("up/#")
		p := r.accept(false, 1).online()
		p.publish(2, 5, "site1/cmd/a", "old")
		p.want("it is received", "PUBREC id=5")
		p.cut()
		p = r.dial()
		p.connack(false)
		p.cut() // even if this connection is gone before it did anything
		p = r.accept(true, 1).online()
		p.publish(2, 5, "site1/cmd/a", "new")
		p.want("a new session upstream means another message by the same identifier", "PUBREC id=5")
		r.wantLocal("both arrive", "up/cmd/a=old q2", "up/cmd/a=new q2")
	})
}

func TestSubscriptionRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, inLine)
		p := r.dial()
		p.connack(false)
		p.want("it subscribes", "SUBSCRIBE id=32769 filters=1")
		p.silent("nothing goes out before SUBACK")
		p.write(0x90, 3, 0x80, 1, 0x80)
		p.online()
		if s := r.status(); s.State != Connected || s.LastError != "upstream refused the subscription to site1/cmd/#" {
			t.Fatalf("a refused subscription is shown and the rest works: %+v", s)
		}
	})
}

func TestMalformedSubackEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, inLine)
		p := r.dial()
		p.connack(false)
		p.want("it subscribes", "SUBSCRIBE id=32769 filters=1")
		p.write(0x90, 4, 0x80, 1, 0, 0)
		p.want("a SUBACK with more codes than filters ends the connection", "closed")
		r.accept(true, 1)
	})
}

func TestManyFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []Topic
		for c := 'a'; c < 'a'+20; c++ {
			lines = append(lines, Topic{Filter: string(c), Direction: In, QoS: 1})
		}
		r := newRig(t, broker.Limits{}, lines...)
		p := r.dial()
		p.connack(false)
		p.want("eight filters at a time", "SUBSCRIBE id=32769 filters=8")
		p.write(0x90, 10, 0x80, 1, 1, 1, 1, 1, 1, 1, 1, 1)
		p.want("eight filters at a time", "SUBSCRIBE id=32770 filters=8")
		p.write(0x90, 10, 0x80, 2, 1, 1, 1, 1, 1, 1, 1, 1)
		p.want("and the rest", "SUBSCRIBE id=32771 filters=4")
		p.write(0x90, 6, 0x80, 3, 1, 1, 1, 1)
		p.online()
	})
}

func TestLocalCongestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Room for about two small messages in all queues together.
		r := newRig(t, broker.Limits{TotalBytes: 300}, inLine)
		r.subscribe("up/#")
		p := r.accept(false, 1).online()
		p.publish(1, 1, "site1/cmd/a", "1")
		p.publish(1, 2, "site1/cmd/a", "2")
		p.want("what finds room is acknowledged", "PUBACK id=1", "PUBACK id=2")
		p.publish(1, 3, "site1/cmd/a", "3")
		p.publish(2, 4, "site1/cmd/a", "4")
		p.silent("what finds no room is not")
		time.Sleep(5 * time.Second)
		p.silent("however often it is tried")
		r.wantLocal("the subscriber drains", "up/cmd/a=1 q1", "up/cmd/a=2 q1")
		p.want("then the rest is taken, in order", "PUBACK id=3", "PUBREC id=4")
		r.wantLocal("and arrives", "up/cmd/a=3 q1", "up/cmd/a=4 q2")
	})
}

func TestEchoOfBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, Topic{Filter: "s/#", Direction: Both, QoS: 1})
		p := r.accept(false, 1).online()
		r.publish(1, "s/a", "on")
		r.subscribe("s/#")
		p.want("it goes out", "PUBLISH s/a=on q1 id=1")
		p.ack(4, 1)
		p.publish(1, 9, "s/a", "on")
		p.want("an echo is acknowledged", "PUBACK id=9")
		r.wantLocal("and dropped")
		p.publish(1, 10, "s/a", "on")
		p.want("the second copy is somebody else's", "PUBACK id=10")
		r.wantLocal("and is published", "s/a=on q1")
		p.silent("what came in does not go out again")
		if s := r.status(); s.Dropped["echo"] != 1 {
			t.Fatalf("the echo is counted: %+v", s)
		}
	})
}
