package broker

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"midge/broker/mqtt"
)

// bounded is a box whose durable queues hold n messages and lose the oldest.
func bounded(t *testing.T, n int) *box {
	x := newBox(t)
	x.limits = Limits{StoredMessages: n, Policy: DropOldest}
	x.cut(0, nil)
	return x
}

// TestDropOldestOnDisk has a session that is away overflow by far: nearly all of its queue lies on disk alone, and the oldest of that is what goes.
func TestDropOldestOnDisk(t *testing.T) {
	x := bounded(t, 100)
	sub, pub := x.connect("sub"), x.connect("pub")
	x.subscribe(sub, "a", 1)
	sub.Close(x.now, Closing{})
	out := make([]Outbound, 1000)
	for i := range 1000 {
		x.publish(pub, uint16(i+1), 1, "a", fmt.Sprint(i))
		if i%7 == 0 {
			x.commit()
			x.load()
			if n, _ := pub.Next(x.now, out); n == 0 || out[0].Reason.Failed() {
				t.Fatalf("publishers are acknowledged while the oldest are dropped: %d, %+v", n, out[0])
			}
		}
		if st := x.b.sessions["sub"]; st.queue.len() > 2*restingMessages || st.queue.len()+st.dur.stored() > 100+loadMessages {
			t.Fatalf("a queue goes beyond its bound by what is read at once, and little of it is in memory: %d messages, %d of them on disk alone", st.queue.len()+st.dur.stored(), st.dur.stored())
		}
	}
	x.commit()
	x.load()
	if c := x.b.Counters(); c.Queued != 100 || c.Dropped["queue_oldest"] != 900 {
		t.Errorf("the newest 100 are left and 900 are counted as dropped: %d, %v", c.Queued, c.Dropped)
	}
	x.commit()
	x.cut(0, nil)
	sub = loaded(x, "sub")
	n := 0
	for range 10 {
		k, _ := sub.Next(x.now, out)
		for _, o := range out[:k] {
			if want := fmt.Sprint(900 + n); string(o.Message.Payload) != want {
				t.Fatalf("the newest come in order: %s, want %s", o.Message.Payload, want)
			}
			n++
		}
		x.load()
	}
	if n != 100 {
		t.Errorf("all of them come after a cut: %d", n)
	}
}

// TestDropOldestSparesWhatHasBegun: who may have begun to receive a message at QoS 2 gets it to its end.
func TestDropOldestSparesWhatHasBegun(t *testing.T) {
	x := bounded(t, 3)
	sub, pub := x.connect("sub"), x.connect("pub")
	x.subscribe(sub, "a", 2)
	x.publish(pub, 1, 2, "a", "1")
	x.commit()
	x.want("it is handed out", sub, "publish 1 qos2 a 1")
	x.cut(0, nil)
	sub, pub = loaded(x, "sub"), x.connect("pub")
	for i := range uint16(5) {
		x.publish(pub, i+2, 2, "a", fmt.Sprint(i+2))
	}
	x.commit()
	x.want("it comes again, and of the others the newest", sub, "publish 1 qos2 dup a 1", "publish 5 qos2 a 5", "publish 6 qos2 a 6")
}

// TestDropOldestThroughCuts publishes at QoS 2 to a subscriber that pulls now and then, with power cuts between: what it gets comes once, and the newest is
// among it. What was dropped may come back after a cut.
func TestDropOldestThroughCuts(t *testing.T) {
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 9))
		x := bounded(t, 50)
		s := &testSubscriber{w: &world{box: x, rng: rng}, id: "sub", qos: 2, open: map[uint16]bool{}, got: map[string][]int{}}
		s.connect()
		x.subscribe(s.s, "t/#", 2)
		x.commit()
		p := &testPublisher{w: s.w, id: "pub", qos: 2}
		for range 300 {
			x.now = x.now.Add(time.Duration(rng.IntN(300)) * time.Millisecond)
			switch n := rng.IntN(20); {
			case n < 8:
				p.publish(1 + rng.IntN(30))
			case n < 12:
				p.pull()
			case n == 12:
				s.pull()
			case n == 13:
				s.disconnect()
			case n == 14:
				x.cut([]int{0, 50, 100}[rng.IntN(3)], rng)
				p.s = nil
				s.gone()
			case n < 17:
				x.load()
			default:
				x.commit()
			}
		}
		for n := range 200 {
			if n == 100 { // all that was begun before a cut, and may not be dropped, is over
				p.publish(1)
			}
			p.pull()
			x.commit()
			x.load()
			s.pull()
		}
		got := s.got["t/pub"]
		seen := map[int]bool{}
		for _, n := range got {
			if seen[n] {
				t.Fatalf("seed %d: message %d comes once", seed, n)
			}
			seen[n] = true
		}
		if !seen[p.next-1] || len(got) == p.next {
			t.Errorf("seed %d: the newest of %d arrives, and not all do: %d", seed, p.next, len(got))
		}
	}
}

// TestUserProperties bounds them by number and by octets, and counts all properties where memory is counted.
func TestUserProperties(t *testing.T) {
	b, now := New(Limits{UserProperties: 2, UserPropertyBytes: 10}), time.Now()
	pub := mustOpen(t, b, Options{ClientID: "pub"})
	sub := mustOpen(t, b, Options{ClientID: "sub"})
	sub.Subscribe(now, []Subscription{{Filter: "a", QoS: 1}})
	for i, row := range []struct {
		text   string
		reason mqtt.ReasonCode
	}{
		{"k=v", mqtt.Success},
		{"k=v k=w", mqtt.Success},
		{"k=v k=w k=x", mqtt.QuotaExceeded},
		{"12345=12345", mqtt.Success},
		{"12345=123456", mqtt.QuotaExceeded},
	} {
		p := &mqtt.Properties{}
		p.Mark(mqtt.PropUserProperty)
		for _, pair := range strings.Fields(row.text) {
			name, value, _ := strings.Cut(pair, "=")
			p.User = append(p.User, mqtt.UserProperty{Name: name, Value: value})
		}
		pub.Publish(now, []Inbound{{ID: uint16(i + 1), Message: &Message{Topic: "a", QoS: 1, Properties: p}}})
		out := make([]Outbound, 1)
		if n, _ := pub.Next(now, out); n != 1 || out[0].Reason != row.reason {
			t.Errorf("user properties %q are answered with %v, want %v", row.text, out[0].Reason, row.reason)
		}
	}
	c := b.Counters()
	if c.Dropped["user_properties"] != 2 {
		t.Errorf("what is refused is counted: %d", c.Dropped["user_properties"])
	}
	if least := 3 * (MessageOverhead + 300); c.QueuedBytes < least {
		t.Errorf("properties count where memory does: %d octets, want at least %d", c.QueuedBytes, least)
	}
}
