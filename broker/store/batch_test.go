package store

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// row is a batch and what the store then holds.
type row struct {
	what string
	fill func(b *Batch)
	want string
}

func own(seq uint64, payload string) *Entry {
	return &Entry{Seq: seq, Total: seq * 10, QoS: 1, Message: Message{Topic: "t", Payload: []byte(payload), QoS: 1}}
}

func shared(seq, body uint64) *Entry { return &Entry{Seq: seq, Total: seq * 10, QoS: 1, Body: body} }

func message(topic, payload string) *Message { return &Message{Topic: topic, Payload: []byte(payload)} }

var rows = []row{
	{"a session", func(b *Batch) { b.SetSession(Session{Num: 1, ClientID: "a"}) },
		"session 1: {Num:1 ClientID:a Username: Expiry:0 Connectionless:false Connected:false Given:0 Next:0 WillAt:0 ExpireAt:0 Will:<nil>}\n"},
	{"subscriptions, the first dropped", func(b *Batch) {
		b.SetSubscription(1, Subscription{Filter: "a/+"})
		b.SetSubscription(1, Subscription{Filter: "#", QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2, ID: 7})
		b.DropSubscription(1, "a/+")
	}, "subscription 1: {Filter:# QoS:2 NoLocal:true RetainAsPublished:true RetainHandling:2 ID:7}\n"},
	{"notes, one empty and one dropped", func(b *Batch) {
		b.SetNote(1, "t1", []byte("x"))
		b.SetNote(1, "t2", []byte{})
		b.SetNote(1, "t3", []byte("x"))
		b.SetNote(1, "t3", nil)
	}, "note 1 t1: \"x\"\nnote 1 t2: \"\"\n"},
	{"inbound identifiers, one dropped", func(b *Batch) { b.AddInbound(1, 5); b.AddInbound(1, 600); b.DropInbound(1, 5) }, "inbound 1: 600\n"},
	{"retained, one dropped", func(b *Batch) {
		b.SetRetained(message("a", "1"))
		b.SetRetained(message("b", "2"))
		b.SetRetained(message("a", ""))
	}, "retained b: 2\n"},
	{"the clock", func(b *Batch) { b.SetClock(Clock{1, -2, 3}) }, "clock {1 -2 3}\n"},
	{"own and shared entries in one order", func(b *Batch) {
		session(b, 1)
		b.AddBody(9, 1, message("s", "shared"))
		b.Enqueue(1, own(1, "one"))
		b.Enqueue(1, shared(2, 9))
		b.Enqueue(1, own(3, "three"))
	}, "session 1\n  entry 1 total=10 qos=1 body=0 t: one\n  entry 2 total=20 qos=1 body=9 s: shared\n  entry 3 total=30 qos=1 body=0 t: three\nbody 9\n"},
	{"neighbours and strangers removed", func(b *Batch) {
		session(b, 1)
		for seq := range uint64(12) {
			b.Enqueue(1, own(seq+1, "x"))
		}
		b.Remove(1, []Removed{{1, 0}, {2, 0}, {3, 0}, {4, 0}, {7, 0}, {8, 0}, {10, 0}})
	}, "session 1\n  entry 5 total=50 qos=1 body=0 t: x\n  entry 6 total=60 qos=1 body=0 t: x\n  entry 9 total=90 qos=1 body=0 t: x\n  entry 11 total=110 qos=1 body=0 t: x\n  entry 12 total=120 qos=1 body=0 t: x\n"},
	{"a body goes with its last entry", func(b *Batch) {
		session(b, 1)
		session(b, 2)
		for n := uint64(1); n <= 2; n++ {
			b.AddBody(n, 2, message("s", "x"))
			b.Enqueue(1, shared(n, n))
			b.Enqueue(2, shared(n, n))
		}
		b.Remove(1, []Removed{{1, 1}, {2, 2}})
		b.Remove(2, []Removed{{1, 1}})
	}, "session 1\nsession 2\n  entry 2 total=20 qos=1 body=2 s: x\nbody 2\n"},
	{"a run of bodies goes, one between stays", func(b *Batch) {
		session(b, 1)
		session(b, 2)
		for n := uint64(1); n <= 9; n++ {
			b.AddBody(n, 1, message("s", "x"))
			b.Enqueue(uint32(1+n/5%2), shared(n, n))
		}
		b.Remove(1, []Removed{{1, 1}, {2, 2}, {3, 3}, {4, 4}})
		b.Remove(2, []Removed{{5, 5}, {7, 7}, {8, 8}, {9, 9}})
	}, "session 1\nsession 2\n  entry 6 total=60 qos=1 body=6 s: x\nbody 6\n"},
	{"a received entry is not read", func(b *Batch) {
		session(b, 1)
		b.Enqueue(1, own(1, "one"))
		b.Enqueue(1, own(2, "two"))
		b.AddReceived(1, 1)
	}, "session 1\n  entry 2 total=20 qos=1 body=0 t: two\nreceived 1: 1\n"},
	{"a received entry is removed with its mark", func(b *Batch) {
		session(b, 1)
		b.AddBody(3, 1, message("s", "x"))
		b.Enqueue(1, own(1, "one"))
		b.Enqueue(1, shared(2, 3))
		b.AddReceived(1, 1)
		b.AddReceived(1, 2)
		b.Remove(1, []Removed{{1, 0}, {2, 3}})
	}, "session 1\n"},
	{"a dropped session leaves nothing", func(b *Batch) {
		for num := uint32(1); num <= 3; num++ {
			session(b, num)
			b.SetSubscription(num, Subscription{Filter: "#"})
			b.SetNote(num, "n", []byte("x"))
			b.AddInbound(num, 1)
			b.Enqueue(num, own(1, "x"))
			b.AddReceived(num, 1)
		}
		b.AddBody(1, 1, message("s", "x"))
		b.AddBody(2, 2, message("s", "x"))
		b.Enqueue(2, shared(2, 1))
		b.Enqueue(2, shared(3, 2))
		b.Enqueue(3, shared(2, 2))
		b.DropSession(2)
	}, "session 1\nsession 3\n  entry 2 total=20 qos=1 body=2 s: x\nsubscription 1\nsubscription 3\ninbound 1: 1\ninbound 3: 1\nreceived 1: 1\nreceived 3: 1\nnote 1 n: \"x\"\nnote 3 n: \"x\"\nbody 2\n"},
	{"a body that no entry uses is not kept", func(b *Batch) { b.AddBody(1, 1, message("s", "x")) }, ""},
}

func session(b *Batch, num uint32) { b.SetSession(Session{Num: num}) }

// short cuts the details of sessions and subscriptions off a dump, where the row has none.
func short(text, want string) string {
	if strings.Contains(want, "{") && !strings.Contains(want, "clock") {
		return text
	}
	var out []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "session") || strings.HasPrefix(line, "subscription") {
			line = line[:strings.Index(line, ":")] + "\n"
		}
		out = append(out, line)
	}
	return strings.Join(out, "")
}

func TestWhatABatchSaysIsThereAfterwards(t *testing.T) {
	for _, r := range rows {
		fs := vfs.NewMem()
		s := open(t, fs)
		commit(t, s, r.fill)
		if got := short(dump(t, s), r.want); got != r.want {
			t.Errorf("%s: the store holds\n%swant\n%s", r.what, got, r.want)
		}
		s.Close()
		s = open(t, fs)
		if got := short(dump(t, s), r.want); got != r.want {
			t.Errorf("%s: opened again, the store holds\n%swant\n%s", r.what, got, r.want)
		}
		s.Close()
	}
}

func TestNumbersAreNotGivenTwice(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	commit(t, s, func(b *Batch) {
		session(b, 7)
		b.AddBody(70_000, 1, message("s", "x"))
		b.Enqueue(7, shared(1, 70_000))
	})
	commit(t, s, func(b *Batch) { b.DropSession(7) })
	s.Close()
	s = open(t, fs)
	defer s.Close()
	if got := s.LastNum(); got != 7 {
		t.Errorf("the number of a session that is gone is remembered: got %d", got)
	}
	if got := s.LastBody(); got < 70_000 {
		t.Errorf("the number of a body that is gone is remembered: got %d", got)
	}
}

func TestReceivedEntryOfAnEarlierRunReleasesItsBody(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	commit(t, s, func(b *Batch) {
		session(b, 1)
		b.AddBody(4, 1, message("s", "x"))
		b.Enqueue(1, shared(1, 4))
	})
	commit(t, s, func(b *Batch) { b.AddReceived(1, 1) })
	s.Close()
	s = open(t, fs)
	defer s.Close()
	commit(t, s, func(b *Batch) { b.Remove(1, []Removed{{Seq: 1}}) })
	if got, want := short(dump(t, s), ""), "session 1\n"; got != want {
		t.Errorf("Remove without the body's number, which a restarted broker does not have, leaves\n%s", got)
	}
}

func TestEntriesWithoutSessionAreDroppedAtOpen(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	commit(t, s, func(b *Batch) {
		session(b, 1)
		b.AddBody(1, 2, message("s", "x"))
		b.AddBody(2, 1, message("s", "x"))
		b.Enqueue(1, shared(1, 1))
		b.Enqueue(5, shared(1, 1)) // as a power cut in DropSession leaves it
		b.Enqueue(5, shared(2, 2))
	})
	s.Close()
	s = open(t, fs)
	defer s.Close()
	if got, want := short(dump(t, s), ""), "session 1\n  entry 1 total=10 qos=1 body=1 s: x\nbody 1\n"; got != want {
		t.Errorf("after Open the store holds\n%s", got)
	}
	if n := s.refs[1]; n != 1 {
		t.Errorf("body 1 is used once, by the session that is there: got %d", n)
	}
}

func TestBatchCopiesWhatItIsGiven(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	b := s.NewBatch()
	payload := []byte("good")
	b.Enqueue(1, &Entry{Seq: 1, Message: Message{Topic: "t", Payload: payload}})
	b.SetNote(1, "n", payload)
	copy(payload, "evil")
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, s); !strings.Contains(got, "good") || strings.Contains(got, "evil") {
		t.Error("a batch keeps the octets of the moment of the call:", got)
	}
}
