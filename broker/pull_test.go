package broker

import (
	"testing"
	"time"

	"midge/broker/mqtt"
)

// count is a waker that counts.
type count int

func (c *count) Wake() { *c++ }

func TestPullEndsAtItsOctets(t *testing.T) {
	for _, qos := range []mqtt.QoS{mqtt.AtMostOnce, mqtt.AtLeastOnce} {
		now := time.Now()
		b := New(Limits{})
		var wakes count
		o := Options{ClientID: "sub", SessionExpiry: Never, Waker: &wakes, PullBytes: 1000}
		sub, _, _ := b.Open(now, o)
		sub.Subscribe(now, []Subscription{{Filter: "t", QoS: qos}})
		pub, _, _ := b.Open(now, Options{ClientID: "pub"})
		message := func() Inbound {
			return Inbound{ID: 1, Message: &Message{Topic: "t", Payload: make([]byte, 399), QoS: qos}}
		}
		for range 7 {
			pub.Publish(now, []Inbound{message()})
		}
		pull := func(sentence string, want int) {
			t.Helper()
			var dst [100]Outbound
			if n, err := sub.Next(now, dst[:]); n != want || err != nil {
				t.Errorf("QoS %d: %s: got %d, %v; want %d", qos, sentence, n, err, want)
			}
		}
		pull("a pull of at least 1,000 octets ends with the third message of 400", 3)
		if qos > mqtt.AtMostOnce { // what is repeated counts too
			sub.Close(now, Closing{})
			sub, _, _ = b.Open(now, o)
			pull("what is repeated counts as well", 3)
		}
		pull("the next one goes on", 3)
		before := wakes
		pub.Publish(now, []Inbound{message()})
		if wakes != before {
			t.Errorf("QoS %d: whoever was not told that nothing waits needs no waking", qos)
		}
		pull("the last one brings what is left, which is less", 2)
		pub.Publish(now, []Inbound{message()})
		if wakes != before+1 {
			t.Errorf("QoS %d: whoever was is woken for the next message", qos)
		}
	}
}
