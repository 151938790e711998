package broker

import (
	"testing"
	"time"

	"midge/broker/mqtt"
)

// TestOptionsOutliveACut has the options of subscriptions work on after a power cut: No Local, Retain As Published, Retain Handling, identifiers.
func TestOptionsOutliveACut(t *testing.T) {
	x := newBox(t)
	c, other := x.connect("c"), x.connect("other")
	retain := func(m *Message) { m.Retain = true }
	c.Subscribe(x.now, []Subscription{{Filter: "a/#", QoS: 1, NoLocal: true, RetainAsPublished: true, ID: 7}, {Filter: "a/+", QoS: 2, NoLocal: true, ID: 8}})
	x.publish(c, 1, 1, "a/old", "mine", retain)
	x.commit()
	x.want("a client does not get its own message", c, "puback 1 No matching subscribers")
	x.cut(0, nil)
	c, other = x.connect("c"), x.connect("other")
	x.publish(c, 1, 1, "a/b", "mine")
	x.commit()
	x.want("nor after a cut", c, "puback 1 No matching subscribers")
	x.publish(other, 1, 1, "a/b", "yours", retain)
	out := make([]Outbound, 9)
	if n, _ := c.Next(x.now, out); n != 1 || !out[0].Retain || out[0].QoS != mqtt.AtLeastOnce || len(out[0].SubscriptionIDs) != 2 {
		t.Errorf("one copy with the retain flag as published and both identifiers: %+v", out[:n])
	}
	c.Acked(out[0].ID)
	for _, row := range []struct {
		sentence string
		handling uint8
		want     int
	}{
		{"1: the subscription is there already", 1, 0},
		{"2: never", 2, 0},
		{"0: the other's retained message, not its own", 0, 1},
	} {
		c.Subscribe(x.now, []Subscription{{Filter: "a/#", QoS: 1, NoLocal: true, RetainHandling: row.handling}})
		if n, _ := c.Next(x.now, out); n != row.want {
			t.Errorf("Retain Handling %s: %d retained messages, want %d", row.sentence, n, row.want)
		}
	}
}

// TestMessageExpiryMax: what is too old is not delivered, whatever its publisher says, and is told so to who gets it in time; what is retained stays.
func TestMessageExpiryMax(t *testing.T) {
	b := New(Limits{MessageExpiry: time.Hour})
	now := time.Unix(1_000_000_000, 0)
	open := func(id string) *Session {
		s, _, err := b.Open(now, Options{ClientID: id, SessionExpiry: Never})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	pub, sub := open("pub"), open("sub")
	sub.Subscribe(now, []Subscription{{Filter: "#", QoS: 1}})
	for i, m := range []*Message{
		{Topic: "none", QoS: 1}, {Topic: "shorter", QoS: 1, Expires: now.Add(time.Minute)}, {Topic: "longer", QoS: 1, Expires: now.Add(24 * time.Hour)},
		{Topic: "retained", QoS: 1, Retain: true}, {Topic: "retained/for", QoS: 1, Retain: true, Expires: now.Add(24 * time.Hour)},
	} {
		m.Payload = []byte("x")
		pub.Publish(now, []Inbound{{ID: uint16(i + 1), Message: m}})
	}
	got := ""
	out := make([]Outbound, 9)
	n, _ := sub.Next(now.Add(time.Minute), out)
	for _, o := range out[:n] {
		got += o.Message.Topic
		if !o.Message.Expires.IsZero() {
			got += " " + o.Message.Expires.Sub(now).String()
		}
		got += "; "
	}
	if want := "none 1h0m0s; longer 1h0m0s; retained; retained/for 24h0m0s; "; got != want {
		t.Errorf("within the time there is all but what its publisher wants no more: %s", got)
	}
	for _, m := range []*Message{{Topic: "none", QoS: 1}, {Topic: "late", QoS: 1, Retain: true, Payload: []byte("x")}} {
		pub.Publish(now, []Inbound{{ID: 9, Message: m}})
	}
	if n, _ := sub.Next(now.Add(time.Hour), out); n != 1 || out[0].Message.Topic != "late" {
		t.Errorf("after it there is what is retained: %+v", out[:n])
	}
	late := open("late")
	late.Subscribe(now, []Subscription{{Filter: "#", QoS: 1}})
	if n, _ := late.Next(now.Add(2*time.Hour), out); n != 3 {
		t.Errorf("what is retained is there for who comes late: %+v", out[:n])
	}
}

// TestExpiryTravels has what is left of a message's time come out with it, whether it waited in memory, on disk, or retained.
func TestExpiryTravels(t *testing.T) {
	x := newBox(t)
	sub, pub := x.connect("sub"), x.connect("pub")
	x.subscribe(sub, "a", 1)
	sub.Close(x.now, Closing{})
	x.publish(pub, 1, 1, "a", "1", func(m *Message) { m.Expires, m.Retain = x.now.Add(time.Hour), true })
	x.commit()
	x.now = x.now.Add(20 * time.Minute)
	x.cut(0, nil)
	sub = loaded(x, "sub")
	late := x.connect("late")
	x.subscribe(late, "a", 0)
	for _, s := range []*Session{sub, late} {
		out := make([]Outbound, 2)
		n, _ := s.Next(x.now, out)
		if n != 1 {
			t.Fatalf("%s gets the message: %d", s.ClientID(), n)
		}
		if left := out[0].Message.Expires.Sub(x.now).Round(time.Second); left != 40*time.Minute {
			t.Errorf("40 minutes of it are left for %s, not %v", s.ClientID(), left)
		}
	}
}

// TestSessionExpiryBoundOutlivesACut restarts with a bound that was not there before.
func TestSessionExpiryBoundOutlivesACut(t *testing.T) {
	x := newBox(t)
	x.connect("away", func(o *Options) { o.SessionExpiry = Never }).Close(x.now, Closing{})
	x.commit()
	x.limits.SessionExpiry = time.Minute
	x.cut(0, nil)
	x.b.Expire(x.now.Add(59 * time.Second))
	if x.b.sessions["away"] == nil {
		t.Error("the bound counts from the restart")
	}
	x.b.Expire(x.now.Add(time.Minute))
	if x.b.sessions["away"] != nil {
		t.Error("and then the session is over")
	}
}
