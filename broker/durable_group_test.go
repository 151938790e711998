package broker

import (
	"fmt"
	"testing"
	"time"

	"midge/broker/mqtt"
	"midge/broker/store"
)

const sharedA = "$share/g/a"

// member connects and joins the group of the test.
func (x *box) member(id string, qos mqtt.QoS, change ...func(*Options)) *Session {
	x.t.Helper()
	s := x.connect(id, change...)
	if s.st.subs.Get(sharedA) == nil {
		s.Subscribe(x.now, []Subscription{{Filter: sharedA, QoS: qos}})
	}
	return s
}

func short(o *Options) { o.SessionExpiry = 0 }

// caughtUp has what a group has on disk read and lent.
func (x *box) caughtUp(s *Session) {
	s.Next(x.now, make([]Outbound, 1)[:0])
	for filter := range x.b.groups {
		x.b.feed(x.now, s, x.b.groups[filter])
	}
	x.load()
}

func TestGroupGoesOnAfterTheCut(t *testing.T) {
	x := newBox(t)
	one, two, pub := x.member("one", 1), x.member("two", 1), x.connect("pub")
	x.commit()
	for i := range uint16(4) {
		x.publish(pub, i+1, 1, "a", fmt.Sprint(i+1))
	}
	x.want("the messages are dealt out", one, "publish 1 qos1 a 1", "publish 2 qos1 a 3")
	x.want("the messages are dealt out", two, "publish 1 qos1 a 2", "publish 2 qos1 a 4")
	two.Acked(1)
	x.commit()
	x.want("they are acknowledged when safe", pub, "puback 1", "puback 2", "puback 3", "puback 4")
	x.cut(0, nil)
	two = x.connect("two")
	x.caughtUp(two)
	x.want("after the cut whoever is there gets all that nobody has acknowledged", two, "publish 1 qos1 a 1", "publish 2 qos1 a 3", "publish 3 qos1 a 4")
	two.Acked(1, 2, 3)
	x.commit()
	x.cut(0, nil)
	one = x.connect("one")
	x.caughtUp(one)
	x.want("and then it is over", one)
}

func TestGroupElision(t *testing.T) {
	x := newBox(t)
	one, pub := x.member("one", 1), x.connect("pub")
	x.commit()
	before := x.store.Metrics().LogBytes
	for i := range uint16(100) {
		x.publish(pub, i+1, 1, "a", "1")
		x.want("a message of a group at QoS 1 goes out before it is safe", one, fmt.Sprintf("publish %d qos1 a 1", i+1))
		one.Acked(i + 1)
		x.want("its publisher is acknowledged when the member has it", pub, fmt.Sprintf("puback %d", i+1))
	}
	x.commit()
	if after := x.store.Metrics().LogBytes; after != before {
		t.Errorf("what the member had before the commit is never written: %d octets were", after-before)
	}
}

func TestGroupQoS2StaysWithItsMember(t *testing.T) {
	x := newBox(t)
	one, two, pub := x.member("one", 2), x.member("two", 2), x.connect("pub")
	x.commit()
	x.publish(pub, 1, 2, "a", "1")
	x.want("nothing at QoS 2 goes out that is not safe", one)
	x.commit()
	x.want("a safe one goes", one, "publish 1 qos2 a 1")
	x.cut(0, nil)
	two = x.connect("two")
	x.caughtUp(two)
	x.want("what one may have begun to receive is for nobody else [MQTT-4.8.2-5]", two)
	one = loaded(x, "one")
	x.want("and goes to him again [MQTT-4.8.2-4]", one, "publish 1 qos2 dup a 1")
}

// TestGroupGate has a member without a durable session take from the store: what it is sent must be out of the store first.
func TestGroupGate(t *testing.T) {
	x := newBox(t)
	one, pub := x.member("one", 2), x.connect("pub")
	one.Close(x.now, Closing{})
	x.publish(pub, 1, 2, "a", "1")
	x.commit()
	guest := x.member("guest", 2, short)
	x.want("a member whose session ends with the process gets nothing that is still in the store", guest)
	x.commit()
	x.want("but as soon as it is not", guest, "publish 1 qos2 a 1")
	x.cut(0, nil)
	one = x.connect("one")
	x.caughtUp(one)
	x.want("so that nobody else gets it after a cut", one)
}

func TestGroupLeftOnDisk(t *testing.T) {
	x := newBox(t)
	one, two, pub := x.member("one", 1), x.member("two", 1), x.connect("pub")
	one.Close(x.now, Closing{})
	two.Close(x.now, Closing{})
	const n = 3 * loadMessages
	for i := range n {
		x.publish(pub, uint16(i+1), 1, "a", fmt.Sprint(i))
	}
	x.commit()
	if st := x.b.groups[sharedA].st; st.queue.len() > restingMessages || st.dur.stored() < n-restingMessages {
		t.Errorf("of the backlog of a group that is away a few messages wait in memory: %d of %d", st.queue.len(), n)
	}
	one, two = x.connect("one"), x.connect("two")
	got := map[string]int{}
	for range 4 * n / shareAhead {
		for _, s := range []*Session{one, two} {
			out := make([]Outbound, 50)
			k, _ := s.Next(x.now, out)
			for _, o := range out[:k] {
				got[string(o.Message.Payload)]++
				s.Acked(o.ID)
			}
		}
		x.load()
	}
	if len(got) != n {
		t.Errorf("all that waited on disk is delivered: %d of %d", len(got), n)
	}
	for value, times := range got {
		if times != 1 {
			t.Errorf("message %s is delivered once, not %d times", value, times)
		}
	}
}

// TestGroupAdopted has a member unsubscribe from what it was sent: that is its own from then on.
func TestGroupAdopted(t *testing.T) {
	x := newBox(t)
	one, pub := x.member("one", 1), x.connect("pub")
	x.commit()
	x.publish(pub, 1, 1, "a", "1")
	x.want("the member gets its message", one, "publish 1 qos1 a 1")
	one.Unsubscribe(x.now, []string{sharedA})
	if len(x.b.groups) != 0 {
		t.Errorf("a group ends with its last member: %d are left", len(x.b.groups))
	}
	x.want("its publisher waits for the commit", pub)
	x.commit()
	x.want("and then no longer", pub, "puback 1")
	x.cut(0, nil)
	x.want("what was sent before the member unsubscribed is sent again [MQTT-3.10.4-3]", loaded(x, "one"), "publish 1 qos1 dup a 1")
}

func TestGroupEndsWithoutTrace(t *testing.T) {
	x := newBox(t)
	one, guest, pub := x.member("one", 1), x.member("guest", 2, short), x.connect("pub")
	for i := range uint16(200) {
		x.publish(pub, i+1, 1, "a", "1")
	}
	x.commit()
	one.Unsubscribe(x.now, []string{sharedA})
	x.commit()
	guest.Rest(x.now)
	x.cut(0, nil)
	if len(x.b.groups) != 0 {
		t.Errorf("a group whose members are gone after a cut is gone too: %d are left", len(x.b.groups))
	}
	x.commit()
	x.store.Close()
	s, err := store.Open(store.Options{Dir: "data", FS: x.fs, Fatal: func(err error) { panic(err) }})
	if err != nil {
		t.Fatal(err)
	}
	x.store = s
	s.Sessions(func(r store.Session) error {
		if r.ClientID == sharedA {
			t.Error("nothing of it is left in the store")
		}
		return nil
	})
}

// TestGroupExpiry has a message of a group expire in its backlog.
func TestGroupExpiry(t *testing.T) {
	x := newBox(t)
	one, pub := x.member("one", 1), x.connect("pub")
	one.Close(x.now, Closing{})
	x.publish(pub, 1, 1, "a", "1", func(m *Message) { m.Expires = x.now.Add(time.Minute) })
	x.publish(pub, 2, 1, "a", "2")
	x.commit()
	x.now = x.now.Add(2 * time.Minute)
	x.want("what has expired is not delivered", x.connect("one"), "publish 1 qos1 a 2")
	if n := x.b.Counters().Dropped["expired"]; n != 1 {
		t.Errorf("and counted: %d times", n)
	}
}

// TestGroupMoveIsSafe has a copy that is not safe yet move from a member to the backlog: its publisher waits on.
func TestGroupMoveIsSafe(t *testing.T) {
	x := newBox(t)
	one, pub := x.member("one", 2), x.connect("pub")
	x.commit()
	x.publish(pub, 1, 2, "a", "1")
	one.Close(x.now, Closing{})
	x.want("a publisher waits while its message has moved and is not safe", pub)
	x.commit()
	x.want("and no longer", pub, "pubrec 1")
	x.cut(0, nil)
	one = x.connect("one")
	x.caughtUp(one)
	x.commit()
	x.want("nobody had it, so the next who comes gets it", one, "publish 2 qos2 a 1")
}
