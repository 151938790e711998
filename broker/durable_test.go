package broker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"midge/broker/mqtt"
	"midge/broker/store"
)

func TestPubackWaitsForTheCommit(t *testing.T) {
	x := newBox(t)
	sub, pub := x.connect("sub"), x.connect("pub")
	x.subscribe(sub, "a", 1)
	sub.Close(x.now, Closing{})
	x.publish(pub, 7, 1, "a", "1")
	x.want("nothing is acknowledged that is not safe", pub)
	x.commit()
	x.want("what is safe is acknowledged", pub, "puback 7")
	x.cut(0, nil)
	x.want("what was acknowledged reaches its subscriber", loaded(x, "sub"), "publish 1 qos1 a 1")
}

// loaded connects and has what waits on disk read.
func loaded(x *box, id string) *Session {
	s := x.connect(id)
	s.Next(x.now, make([]Outbound, 1)[:0])
	x.b.refill(s.st)
	x.load()
	return s
}

func TestElision(t *testing.T) {
	x := newBox(t)
	sub, pub := x.connect("sub"), x.connect("pub")
	x.subscribe(sub, "a", 1)
	x.commit()
	before := x.store.Metrics().LogBytes
	for i := range uint16(100) {
		x.publish(pub, i+1, 1, "a", "1")
		x.want("a message at QoS 1 goes out before it is safe", sub, fmt.Sprintf("publish %d qos1 a 1", i+1))
		x.want("its publisher waits", pub)
		sub.Acked(i + 1)
		x.want("its publisher is acknowledged when every receiver has it, commit or not", pub, fmt.Sprintf("puback %d", i+1))
	}
	x.commit()
	if after := x.store.Metrics().LogBytes; after != before {
		t.Errorf("messages that their receivers had before the commit are never written: %d octets were", after-before)
	}
}

func TestQoS2GoesOutOnlyWhenSafe(t *testing.T) {
	x := newBox(t)
	sub, pub := x.connect("sub"), x.connect("pub")
	x.subscribe(sub, "a", 2)
	x.commit()
	x.publish(pub, 1, 2, "a", "1")
	x.want("a message at QoS 2 that is not safe stays", sub)
	x.commit()
	x.want("a safe one goes", sub, "publish 1 qos2 a 1")
	x.want("and its publisher has PUBREC", pub, "pubrec 1")
	x.cut(0, nil)
	sub = loaded(x, "sub")
	x.want("after the cut it goes again under the same identifier", sub, "publish 1 qos2 dup a 1")
	sub.Received(1)
	x.want("PUBREL waits until the store knows of PUBREC", sub)
	x.commit()
	x.want("and then goes", sub, "pubrel 1")
	x.cut(0, nil)
	sub = loaded(x, "sub")
	x.want("after the cut PUBREL goes again, the message does not", sub, "pubrel 1")
	sub.Completed(1)
	x.commit()
	x.cut(0, nil)
	x.want("a delivery that is complete is over", loaded(x, "sub"))
}

func TestReplyWaitsForWhatItPromises(t *testing.T) {
	x := newBox(t)
	s := x.connect("s")
	x.commit()
	s.Reply("at once")
	x.want("a reply that promises nothing comes out at once", s, "reply at once")
	s.SetNote("n", []byte("note"))
	s.Reply("noted")
	x.want("a reply waits for what was changed before", s)
	x.commit()
	x.want("and comes out when it is safe", s, "reply noted")
	x.cut(0, nil)
	var notes []string
	x.b.Notes(func(id, name string, value []byte) { notes = append(notes, id+" "+name+" "+string(value)) })
	if got := strings.Join(notes, "; "); got != "s n note" {
		t.Errorf("the note is there after the cut: %q", got)
	}
}

// TestConnackWaitsForWhatItPromises says what a client may count on once it has CONNACK.
func TestConnackWaitsForWhatItPromises(t *testing.T) {
	will := func(o *Options) { o.Will = &Will{Message: &Message{Topic: "w", QoS: 1, Payload: []byte("lost")}} }
	clean := func(o *Options) { o.CleanStart, o.SessionExpiry = true, 0 }
	longer := func(o *Options) { o.SessionExpiry = 7200 }
	for _, row := range []struct {
		name   string
		change []func(*Options)
		waits  bool
	}{
		{"a session that goes on as it was", nil, false},
		{"a will", []func(*Options){will}, true},
		{"a will of a session that ends with its connection", []func(*Options){clean, will}, true},
		{"the end of the session before", []func(*Options){clean}, true},
		{"a longer life of the session", []func(*Options){longer}, true},
	} {
		x := newBox(t)
		before := x.connect("c")
		x.subscribe(before, "a", 1)
		before.Close(x.now, Closing{})
		x.commit()
		s := x.connect("c", row.change...)
		s.Greet("connack")
		if row.waits {
			x.want(row.name+": CONNACK waits until it is safe", s)
			x.commit()
		}
		x.want(row.name+": then CONNACK comes out", s, "reply connack")
		was := *x.b.sessions["c"]
		x.cut(0, nil)
		st := x.b.sessions["c"]
		switch {
		case st == nil && was.num == 0:
		case st == nil || st.subs.Len() != was.subs.Len() || st.expiry != was.expiry || (st.will == nil) != (was.will == nil):
			t.Errorf("%s: after a power cut the session is as CONNACK said: %+v, was %+v", row.name, st, was)
		}
	}
}

func TestConnackComesFirst(t *testing.T) {
	x := newBox(t)
	s := x.connect("s")
	x.subscribe(s, "a", 2)
	x.publish(x.connect("pub"), 1, 2, "a", "m")
	x.commit()
	x.want("the message goes out", s, "publish 1 qos2 a m")
	s.Received(1)
	s = x.connect("s")
	s.Greet("connack")
	x.commit()
	x.want("CONNACK comes before what the session has to repeat", s, "reply connack", "pubrel 1")
}

func TestDeliveriesWaitBehindAReply(t *testing.T) {
	x := newBox(t)
	pub, s := x.connect("pub"), x.connect("s")
	x.publish(pub, 0, 0, "a", "kept", func(m *Message) { m.Retain = true })
	x.subscribe(s, "a", 1)
	s.Reply("suback")
	x.want("retained messages wait behind SUBACK", s)
	x.commit()
	x.want("which comes first", s, "reply suback", "publish 0 qos0 a kept")
}

func TestRetainedQoS0IsCoalesced(t *testing.T) {
	x := newBox(t)
	x.how.RetainedInterval = 30 * time.Second
	x.cut(0, nil)
	pub := x.connect("pub")
	kept := func(m *Message) { m.Retain = true }
	x.commit()
	before := x.store.Metrics().LogBytes
	for i := range 50 {
		x.publish(pub, 0, 0, "a", fmt.Sprint(i), kept)
		x.b.commitDue(x.b.sinceStart(x.now))
		x.now = x.now.Add(500 * time.Millisecond)
		if x.b.commitDue(x.b.sinceStart(x.now)) == 0 {
			t.Fatalf("a retained value at QoS 0 is not written after %v", x.b.sinceStart(x.now))
		}
	}
	if after := x.store.Metrics().LogBytes; after != before {
		t.Errorf("retained values at QoS 0 wait for their interval: %d octets were written", after-before)
	}
	x.now = x.now.Add(10 * time.Second)
	if x.b.commitDue(x.b.sinceStart(x.now)) != 0 {
		t.Error("after the interval the last value is due")
	}
	x.commit()
	x.cut(0, nil)
	if m, ok := x.b.retained.Get("a"); !ok || string(m.Payload) != "49" {
		t.Errorf("the last value is retained after a cut: %v", m)
	}
	x.publish(x.connect("pub"), 1, 1, "a", "", kept)
	x.commit()
	x.cut(0, nil)
	if m, ok := x.b.retained.Get("a"); ok {
		t.Errorf("a retained message that was deleted stays away: %v", m)
	}
}

func TestRetainedWaitsForTheCommit(t *testing.T) {
	x := newBox(t)
	pub := x.connect("pub")
	x.commit()
	x.publish(pub, 1, 1, "a", "old", func(m *Message) { m.Retain = true })
	x.publish(pub, 2, 1, "a", "new", func(m *Message) { m.Retain = true })
	x.want("a retained message at QoS 1 is acknowledged when it is safe", pub)
	x.commit()
	x.want("and so is one that was replaced before", pub, "puback 1 "+mqtt.NoMatchingSubscribers.String(), "puback 2 "+mqtt.NoMatchingSubscribers.String())
	x.cut(0, nil)
	if m, ok := x.b.retained.Get("a"); !ok || string(m.Payload) != "new" {
		t.Errorf("the last acknowledged value is retained: %v", m)
	}
}

func TestWillsOutliveAPowerCut(t *testing.T) {
	x := newBox(t)
	watch := x.connect("watch")
	x.subscribe(watch, "will/#", 1)
	for _, id := range []string{"gone", "back"} {
		x.connect(id, func(o *Options) {
			o.SessionExpiry = 0
			o.Will = &Will{Message: &Message{Topic: "will/" + id, QoS: 1, Payload: []byte("lost")}}
		})
	}
	x.commit()
	x.cut(0, nil)
	watch = loaded(x, "watch")
	x.connect("back", func(o *Options) { o.SessionExpiry, o.CleanStart = 0, true })
	x.want("clients have a moment to come back", watch)
	x.now = x.now.Add(restartGrace)
	x.b.Expire(x.now)
	x.commit()
	x.want("the will of a client that was connected and does not come back is published", watch, "publish 1 qos1 will/gone lost")
	if x.b.sessions["gone"] != nil {
		t.Error("its session, which was to end with its connection, is over")
	}
}

func TestDeadlinesAreKept(t *testing.T) {
	x := newBox(t)
	sub := x.connect("sub")
	x.subscribe(sub, "a", 1)
	sub.Close(x.now, Closing{})
	x.publish(x.connect("pub"), 1, 1, "a", "brief", func(m *Message) { m.Expires = x.now.Add(2 * time.Minute) })
	x.publish(x.connect("pub"), 2, 1, "a", "long", func(m *Message) { m.Expires = x.now.Add(time.Hour) })
	x.commit()
	x.now = x.now.Add(30 * time.Minute)
	x.cut(0, nil)
	x.want("the time that the box was off counts for messages", loaded(x, "sub"), "publish 2 qos1 a long")
	x.b.sessions["sub"].owner.Close(x.now, Closing{})
	x.commit()
	x.now = x.now.Add(59 * time.Minute)
	x.cut(0, nil)
	x.b.Expire(x.now)
	if x.b.sessions["sub"] == nil {
		t.Error("a session lives as long as its expiry says")
	}
	x.now = x.now.Add(2 * time.Minute)
	x.cut(0, nil)
	x.b.Expire(x.now)
	if x.b.sessions["sub"] != nil {
		t.Error("and no longer")
	}
}

// TestClocksThatLie boots boxes without a real-time clock. A row is a story of boots: what the wall clock says at each, how long the box runs, and where a network puts
// the clock right meanwhile.
func TestClocksThatLie(t *testing.T) {
	day := 24 * time.Hour
	true0 := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	type boot struct {
		wall  time.Time
		runs  time.Duration
		right time.Time // zero: the clock is not touched
	}
	for _, row := range []struct {
		name  string
		boots []boot
		want  time.Duration // of the store's time from the first boot to the end
	}{
		{"an honest clock counts the time off", []boot{{wall: true0, runs: time.Hour}, {wall: true0.Add(day), runs: time.Hour}}, day + time.Hour},
		{"1970 counts the time on only", []boot{{wall: true0, runs: time.Hour}, {wall: time.Unix(0, 0), runs: time.Hour}, {wall: time.Unix(60, 0), runs: time.Hour}}, 3 * time.Hour},
		{"last year too", []boot{{wall: true0, runs: time.Hour}, {wall: true0.Add(-365 * day), runs: time.Hour}}, 2 * time.Hour},
		{"a clock put right while running expires nothing", []boot{{wall: true0, runs: time.Hour}, {wall: time.Unix(0, 0), runs: time.Hour, right: true0.Add(7 * day)}}, 2 * time.Hour},
		{"nor after the next boot", []boot{{wall: true0, runs: time.Hour}, {wall: time.Unix(0, 0), runs: time.Hour, right: true0.Add(7 * day)},
			{wall: true0.Add(7*day + time.Minute), runs: time.Hour}}, 3*time.Hour + time.Minute},
		{"a box that has never known the time", []boot{{wall: time.Unix(0, 0), runs: time.Hour}, {wall: true0, runs: time.Hour}}, 2 * time.Hour},
		{"a lie in between does not hide the time off", []boot{{wall: true0, runs: time.Hour}, {wall: time.Unix(0, 0), runs: time.Hour}, {wall: true0.Add(day), runs: time.Hour}}, day + time.Hour},
	} {
		var saved store.Clock
		begin := int64(1)
		for _, bt := range row.boots {
			c := newClock(bt.wall, saved)
			end := bt.wall.Add(bt.runs)
			if saved = c.record(end); !bt.right.IsZero() {
				now := c.store(end)
				c.start, c.base = bt.right, now // what a monotonic clock does: the wall steps, the elapsed time does not
				saved = c.record(bt.right)
			}
		}
		if got := time.Duration(saved.Now - begin); got != row.want {
			t.Errorf("%s: the store's time is %v, want %v", row.name, got, row.want)
		}
	}
}

func TestTheQueueBeyondMemoryIsOnDisk(t *testing.T) {
	x := newBox(t)
	sub, pub := x.connect("sub"), x.connect("pub")
	x.subscribe(sub, "a", 1)
	sub.Close(x.now, Closing{})
	const n = 2000
	for i := range n {
		x.publish(pub, uint16(i+1), 1, "a", fmt.Sprint(i))
	}
	x.commit()
	if c := x.b.Counters(); c.Queued != n || c.Stored != n-restingMessages {
		t.Errorf("all wait and few in memory: %+v", c)
	}
	sub = x.connect("sub")
	mark, _ := sub.Mark()
	out := make([]Outbound, 100)
	for got := 0; got < n; {
		k, _ := sub.Next(x.now, out)
		for _, o := range out[:k] {
			if string(o.Message.Payload) != fmt.Sprint(got) {
				t.Fatalf("they come in order: got %s for %d", o.Message.Payload, got)
			}
			if pending, _ := sub.Pending(mark); !pending {
				t.Fatalf("message %d is pending before the mark", got)
			}
			sub.Acked(o.ID)
			got++
		}
		x.load()
	}
	if pending, _ := sub.Pending(mark); pending {
		t.Error("nothing is pending when all have been acknowledged")
	}
	x.commit()
	x.cut(0, nil)
	if c := x.b.Counters(); c.Queued != 0 {
		t.Errorf("what was drained stays drained: %+v", c)
	}
}

func TestStarvedSessionsWaitForTheCommit(t *testing.T) {
	x := newBox(t)
	woken := 0
	sub, pub := x.connect("sub", func(o *Options) { o.Waker = wakerFunc(func() { woken++ }) }), x.connect("pub")
	x.subscribe(sub, "a", 1)
	x.commit()
	x.now = x.now.Add(time.Minute)
	for i := range uint16(restingMessages + 5) {
		x.publish(pub, i+1, 1, "a", "1")
		x.now = x.now.Add(100 * time.Millisecond) // it stalls
	}
	out := make([]Outbound, 100)
	if n, _ := sub.Next(x.now, out); n != restingMessages {
		t.Fatalf("what is in memory comes at once: %d", n)
	}
	x.load()
	woken = 0
	for range 3 {
		if n, _ := sub.Next(x.now, out); n != 0 {
			t.Fatalf("what is not committed cannot be read: %d", n)
		}
		x.load()
	}
	if woken != 0 || len(x.b.loads) != 0 {
		t.Errorf("and nobody runs in circles meanwhile: woken %d times, %d loads", woken, len(x.b.loads))
	}
	x.commit()
	x.load()
	if n, _ := sub.Next(x.now, out); n != 5 || woken == 0 {
		t.Errorf("after the commit the rest comes: %d, woken %d times", n, woken)
	}
}

type wakerFunc func()

func (f wakerFunc) Wake() { f() }

func TestVolatileSessionsAreNotWritten(t *testing.T) {
	x := newBox(t)
	before := x.store.Metrics().LogBytes
	sub, pub := x.connect("sub", func(o *Options) { o.SessionExpiry = 0 }), x.connect("pub", func(o *Options) { o.SessionExpiry = 0 })
	x.subscribe(sub, "a", 2)
	x.publish(pub, 1, 2, "a", "1")
	x.want("nothing waits for the disk that nobody durable waits for", pub, "pubrec 1")
	x.want("nor does its receiver", sub, "publish 1 qos2 a 1")
	pub.Release(1)
	sub.Received(1)
	x.want("at any step", pub, "pubcomp 1")
	sub.Close(x.now, Closing{})
	pub.Close(x.now, Closing{})
	x.commit()
	if after := x.store.Metrics().LogBytes; after != before {
		t.Errorf("a session that ends with its connection leaves nothing on disk: %d octets", after-before)
	}
}

func TestConnectionlessSessionsWaitForTheirFrontEnd(t *testing.T) {
	x := newBox(t)
	radio := func(o *Options) { o.SessionExpiry, o.Connectionless = 0, true }
	s := x.connect("dev", radio)
	x.subscribe(s, "a", 1)
	x.commit()
	x.publish(x.connect("pub"), 1, 1, "a", "1")
	x.commit()
	x.want("a delivery goes out", s, "publish 1 qos1 a 1")
	x.cut(0, nil)
	x.now = x.now.Add(time.Minute)
	x.b.Expire(x.now)
	s, present, err := x.b.Open(x.now, Options{ClientID: "dev", Connectionless: true})
	if err != nil || !present {
		t.Fatalf("the session of a connectionless client without expiry is there after a restart: %v %v", present, err)
	}
	x.b.refill(s.st)
	x.load()
	x.want("and what it has not acknowledged comes again", s, "publish 1 qos1 dup a 1")
	s.Acked(1)
	x.publish(x.connect("pub"), 2, 1, "a", "2")
	x.commit()
	x.want("a new delivery does not have an identifier that may be under way", s, fmt.Sprintf("publish %d qos1 a 2", packetID(s.st.numbers)))
	if id := s.st.window.at(0).id(); id < 1000 {
		t.Errorf("it is far from those before the crash, not %d", id)
	}
}

func TestDiskFullRefuses(t *testing.T) {
	x := newBox(t)
	x.b.diskFull = true
	sub, pub := x.connect("sub"), x.connect("pub")
	x.subscribe(sub, "a", 1)
	x.publish(pub, 1, 1, "a", "1")
	x.publish(pub, 2, 2, "a", "1")
	x.publish(pub, 0, 0, "a", "zero")
	x.want("QoS > 0 is refused", pub, "puback 1 "+mqtt.QuotaExceeded.String(), "pubrec 2 "+mqtt.QuotaExceeded.String())
	x.want("QoS 0 goes on", sub, "publish 0 qos0 a zero")
	if n := x.b.Counters().Dropped["disk_full"]; n != 2 {
		t.Errorf("refusals are counted: %d", n)
	}
}
