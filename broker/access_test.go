package broker

import (
	"strings"
	"testing"
	"time"

	"midge/broker/mqtt"
)

// only allows topics below its prefix.
type only struct{ write, read string }

func (o only) MayWrite(topic string) bool { return strings.HasPrefix(topic, o.write) }
func (o only) MayRead(topic string) bool  { return strings.HasPrefix(topic, o.read) }
func (o only) MaySubscribe(f string) bool { return f != "closed" }

func TestAuthorize(t *testing.T) {
	b, now := New(Limits{}), time.Now()
	watcher, _, _ := b.Open(now, Options{ClientID: "watcher"})
	watcher.Subscribe(now, []Subscription{{Filter: "#"}})
	will := func(topic string) *Will { return &Will{Message: &Message{Topic: topic}, Delay: time.Second} }
	for _, id := range []string{"good", "bad"} {
		s, _, _ := b.Open(now, Options{ClientID: id, Username: "joe", SessionExpiry: Never, Will: will("will/of/" + id)})
		s.Close(now, Closing{Lost: true})
	}
	b.Authorize(func(id, user string, old Access) Access {
		if user != "joe" || old != nil {
			t.Errorf("f is asked about those that no front end has, by name and with what they had: %q, %q, %v", id, user, old)
		}
		return only{write: "will/of/good"}
	})
	b.Expire(now.Add(time.Second))
	out := make([]Outbound, 4)
	if n, _ := watcher.Next(now, out); n != 1 || out[0].Message.Topic != "will/of/good" {
		t.Errorf("a will that may not be published is not, another is: %d messages", n)
	}
	watcher.SetAccess(only{read: "x", write: "x"})
	pub, _, _ := b.Open(now, Options{ClientID: "pub"})
	pub.Publish(now, []Inbound{{Message: &Message{Topic: "y"}}, {Message: &Message{Topic: "x"}}})
	if n, _ := watcher.Next(now, out); n != 1 || out[0].Message.Topic != "x" {
		t.Errorf("a session that is given other access has it at once: %d messages", n)
	}
}

func TestAccess(t *testing.T) {
	b, now := New(Limits{}), time.Now()
	pub, _, _ := b.Open(now, Options{ClientID: "pub", Access: only{write: "a/"}})
	sub, _, _ := b.Open(now, Options{ClientID: "sub", Access: only{read: "a/x"}})
	sub.Subscribe(now, []Subscription{{Filter: "#", QoS: 1}})
	out := make([]Outbound, 10)
	for i, row := range []struct {
		topic     string
		reason    mqtt.ReasonCode
		delivered bool
	}{
		{"a/x", mqtt.Success, true},
		{"a/y", mqtt.Success, false},
		{"b/x", mqtt.NotAuthorized, false},
	} {
		pub.Publish(now, []Inbound{{ID: uint16(i + 1), Message: &Message{Topic: row.topic, QoS: 1, Payload: []byte("1")}}})
		if n, _ := pub.Next(now, out); n != 1 || out[0].Reason != row.reason {
			t.Errorf("the publisher of %s is answered %v, not %v", row.topic, row.reason, out[0].Reason)
		}
		if n, _ := sub.Next(now, out); (n == 1) != row.delivered {
			t.Errorf("%s reaches the subscriber: %v, want %v", row.topic, n == 1, row.delivered)
		}
	}
	codes, _ := sub.Subscribe(now, []Subscription{{Filter: "closed"}, {Filter: "open"}})
	if codes[0] != mqtt.NotAuthorized || codes[1] != mqtt.Success || len(sub.Subscriptions()) != 2 {
		t.Errorf("a filter that may not be subscribed to is refused, others are not: %v", codes)
	}
	pub.SetWill(&Will{Message: &Message{Topic: "b/will", Payload: []byte("1")}})
	pub.Close(now, Closing{Lost: true})
	if n := b.Counters().Dropped["not_authorized"]; n != 3 {
		t.Errorf("what was refused on the way in, on the way out and as a will is counted: %d, want 3", n)
	}
}
