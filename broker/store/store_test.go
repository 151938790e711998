package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"midge/broker/mqtt"
)

// open opens a store on fs and fails the test when that fails, or when the store gives up.
func open(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open(Options{Dir: "data", FS: fs, Fatal: func(err error) { panic(err) }})
	if err != nil {
		t.Fatal("open:", err)
	}
	return s
}

// commit commits what f puts into a batch.
func commit(t testing.TB, s *Store, f func(b *Batch)) {
	t.Helper()
	b := s.NewBatch()
	f(b)
	if err := b.Commit(); err != nil {
		t.Fatal("commit:", err)
	}
	if !b.Empty() {
		t.Error("a batch is not empty after Commit")
	}
}

// dump is all that a store holds, as text: one line a record, in key order.
func dump(t testing.TB, s *Store) string {
	t.Helper()
	var b strings.Builder
	check := func(err error) {
		if err != nil {
			t.Fatal("dump:", err)
		}
	}
	entries := make([]Entry, 1000)
	check(s.Sessions(func(x Session) error {
		fmt.Fprintf(&b, "session %d: %s\n", x.Num, text(x))
		n, err := s.Read(x.Num, 0, entries, 1<<30)
		check(err)
		for _, e := range entries[:n] {
			fmt.Fprintf(&b, "  entry %d total=%d qos=%d body=%d %s: %s\n", e.Seq, e.Total, e.QoS, e.Body, e.Message.Topic, e.Message.Payload)
		}
		return nil
	}))
	check(s.Subscriptions(func(num uint32, x Subscription) error {
		fmt.Fprintf(&b, "subscription %d: %s\n", num, text(x))
		return nil
	}))
	check(s.Inbound(func(num uint32, id uint16) error { fmt.Fprintf(&b, "inbound %d: %d\n", num, id); return nil }))
	check(s.Received(func(num uint32, seq uint64) error { fmt.Fprintf(&b, "received %d: %d\n", num, seq); return nil }))
	check(s.Notes(func(num uint32, name string, v []byte) error {
		fmt.Fprintf(&b, "note %d %s: %q\n", num, name, v)
		return nil
	}))
	check(s.Retained(func(m *Message) error { fmt.Fprintf(&b, "retained %s: %s\n", m.Topic, m.Payload); return nil }))
	c, err := s.Clock()
	check(err)
	if c != (Clock{}) {
		fmt.Fprintf(&b, "clock %v\n", c)
	}
	check(s.scanKind(kindBody, func(key, _ []byte) error {
		number, err := cutBody(key)
		fmt.Fprintf(&b, "body %d\n", number)
		return err
	}))
	return b.String()
}

func text(v any) string { return strings.TrimSpace(fmt.Sprintf("%+v", v)) }

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

func TestSpan(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	if _, _, _, n, err := s.Span(1); n != 0 || err != nil {
		t.Errorf("the queue of nobody is empty: n=%d, %v", n, err)
	}
	commit(t, s, func(b *Batch) {
		b.AddBody(1, 1, message("topic", "12345"))
		e := shared(5, 1)
		e.Total = 1000
		b.Enqueue(1, e)
		e = own(90, "x")
		e.Total = 5000
		b.Enqueue(1, e)
		b.Enqueue(2, own(1, "x"))
	})
	first, last, before, n, err := s.Span(1)
	if err != nil || first.Seq != 5 || last.Seq != 90 || n != 86 || first.Body != 1 || last.Total != 5000 {
		t.Errorf("a queue from a shared to an own entry: first %+v, last %+v, n=%d, %v", first, last, n, err)
	}
	if want := uint64(1000 - 10 - Overhead); before != want {
		t.Errorf("before is the first entry's Total without the entry: got %d, want %d", before, want)
	}
	commit(t, s, func(b *Batch) { b.AddReceived(1, 5) })
	if first, last, _, n, err := s.Span(1); err != nil || first.Seq != 90 || last.Seq != 90 || n != 1 {
		t.Errorf("a received entry does not count: first %d, last %d, n=%d, %v", first.Seq, last.Seq, n, err)
	}
	commit(t, s, func(b *Batch) { b.AddReceived(1, 90) })
	if _, _, _, n, err := s.Span(1); err != nil || n != 0 {
		t.Errorf("a queue of received entries is empty: n=%d, %v", n, err)
	}
}

func TestReadBounds(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	commit(t, s, func(b *Batch) {
		for seq := range uint64(10) {
			b.Enqueue(1, own(seq+1, "123456789")) // 10 octets with the topic
		}
	})
	entries := make([]Entry, 20)
	for _, r := range []struct {
		what     string
		from     uint64
		room     int
		maxBytes int
		want     int
	}{
		{"all", 0, 20, 1000, 10}, {"from the middle", 6, 20, 1000, 5}, {"behind the end", 11, 20, 1000, 0}, {"as many as there is room for", 1, 3, 1000, 3},
		{"as many as octets allow", 1, 20, 35, 3}, {"exactly as many octets", 1, 20, 30, 3}, {"one at least", 1, 20, 0, 1}, {"no room", 1, 0, 1000, 0},
	} {
		n, err := s.Read(1, r.from, entries[:r.room], r.maxBytes)
		if n != r.want || err != nil {
			t.Errorf("%s: got %d entries, want %d (%v)", r.what, n, r.want, err)
		}
		for i, e := range entries[:n] {
			if e.Seq != max(r.from, 1)+uint64(i) {
				t.Errorf("%s: entry %d has Seq %d", r.what, i, e.Seq)
			}
		}
	}
}

func TestReadWhileCommitting(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	const total = 3000
	done := make(chan error, 1)
	go func() {
		entries := make([]Entry, 64)
		for from := uint64(1); from <= total; {
			n, err := s.Read(1, from, entries, 1<<20)
			if err != nil {
				done <- err
				return
			}
			for _, e := range entries[:n] {
				if e.Seq != from || string(e.Message.Payload) != fmt.Sprint(from) {
					done <- fmt.Errorf("entry %d is %d: %q", from, e.Seq, e.Message.Payload)
					return
				}
				from++
			}
		}
		done <- nil
	}()
	b := s.NewBatch()
	for seq := uint64(1); seq <= total; seq++ {
		e := own(seq, fmt.Sprint(seq))
		if seq%2 == 0 {
			b.AddBody(seq, 1, &e.Message)
			e.Body, e.Message = seq, Message{}
		}
		b.Enqueue(1, e)
		if seq%10 == 0 {
			if err := b.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := <-done; err != nil {
		t.Error("a reader beside the committer sees every entry once, in order:", err)
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

func TestSecondStoreInOneDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(Options{Dir: dir})
	if want := "the data directory " + dir + " is in use by another midge"; !errors.Is(err, ErrLocked) || err.Error() != want {
		t.Errorf("a second Open says %q, want %q", err, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Options{Dir: dir}); err != nil {
		t.Fatal("a closed store can be opened again:", err)
	}
	s.Close()
}

func TestDirectoryThatCannotBeMade(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: name})
	if d := new(DamageError); err == nil || errors.As(err, &d) || !strings.Contains(err.Error(), name) {
		t.Errorf("a directory that cannot be made is no damage and is named: %v", err)
	}
}

func TestInMemory(t *testing.T) {
	s, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	commit(t, s, func(b *Batch) { b.SetRetained(message("a", "1")) })
	if got := dump(t, s); got != "retained a: 1\n" {
		t.Error("a store in memory holds what was committed:", got)
	}
}

func TestVersions(t *testing.T) {
	for _, r := range []struct {
		what  string
		value []byte
		newer bool
	}{{"a later version", []byte{Version + 1}, true}, {"an earlier version than the first", []byte{0}, false}, {"no number", []byte{0x80}, false}} {
		fs := vfs.NewMem()
		s := open(t, fs)
		s.db.Set(keyVersion, r.value, pebble.Sync)
		s.Close()
		_, err := Open(Options{Dir: "data", FS: fs})
		newer, damage := new(NewerError), new(DamageError)
		if errors.As(err, &newer) != r.newer || errors.As(err, &damage) == r.newer {
			t.Errorf("%s: got %v", r.what, err)
		}
	}
}

func TestStoreWithoutVersionIsDamaged(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	commit(t, s, func(b *Batch) { session(b, 1) })
	s.db.Delete(keyVersion, pebble.Sync)
	s.Close()
	_, err := Open(Options{Dir: "data", FS: fs})
	if d := new(DamageError); !errors.As(err, &d) {
		t.Errorf("records without a version are damage: got %v", err)
	}
}

func TestDamageMetWhileReadingIsRemembered(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	commit(t, s, func(b *Batch) { session(b, 1); b.Enqueue(1, own(1, "x")) })
	s.db.Set(appendSeq(nil, kindOwn, 1, 1), []byte{0xFF}, pebble.Sync)
	_, err := s.Read(1, 0, make([]Entry, 1), 100)
	if d := new(DamageError); !errors.As(err, &d) {
		t.Fatalf("an entry that makes no sense is damage: got %v", err)
	}
	s.Close()
	_, err = Open(Options{Dir: "data", FS: fs})
	if d := new(DamageError); !errors.As(err, &d) || d.File != "DAMAGED" || !strings.Contains(d.Reason, "key 71000000010000000000000001") {
		t.Errorf("the next Open tells it: got %v", err)
	}
}

func TestMetrics(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	commit(t, s, func(b *Batch) { b.SetNote(1, "n", bytes.Repeat([]byte("x"), 10_000)) })
	m := s.Metrics()
	var classes uint64
	for _, n := range m.CommitTimes {
		classes += n
	}
	if m.Commits != 1 || classes != 1 || m.CommitTime <= 0 {
		t.Errorf("one commit is one commit: %+v", m)
	}
	if m.LogBytes < 10_000 || m.UsedBytes == 0 || m.FreeBytes == 0 || m.DeviceBytes < m.FreeBytes {
		t.Errorf("octets are counted: %+v", m)
	}
}

var messages = []Message{
	{},
	{Topic: "a"},
	{Topic: "sensors/boot", Payload: []byte("1"), QoS: 2, Retain: true, Publisher: "valve7", Expires: -1},
	{Topic: "t", Payload: bytes.Repeat([]byte{0}, 300), QoS: 1, Expires: 1 << 62, Properties: everyProperty()},
}

func everyProperty() *mqtt.Properties {
	p := &mqtt.Properties{PayloadFormat: 1, ContentType: "text", ResponseTopic: "r", CorrelationData: []byte{1, 2}, User: []mqtt.UserProperty{{Name: "a", Value: "b"}, {Name: "a", Value: ""}}}
	for _, id := range []mqtt.PropertyID{mqtt.PropPayloadFormat, mqtt.PropContentType, mqtt.PropResponseTopic, mqtt.PropCorrelationData, mqtt.PropUserProperty} {
		p.Mark(id)
	}
	return p
}

var sessions = []Session{
	{},
	{ClientID: "valve7", Username: "bob", Expiry: 0xFFFFFFFF, Connectionless: true, Connected: true, Given: 1 << 40, Next: 1 << 63, WillAt: -5, ExpireAt: 1 << 62},
	{ClientID: "w", Will: &Will{Message: messages[2], Delay: 1, Expiry: -1}},
}

// codecs are the values of the layout: how they are written, and read and written again.
var codecs = []struct {
	name   string
	values [][]byte
	again  func(b []byte) ([]byte, any, error)
	want   []any
}{
	{"message", encoded(messages, func(m Message) []byte { return appendMessage(nil, &m, m.Topic) }), func(b []byte) ([]byte, any, error) {
		raw, err := decodeMessage(b)
		m := raw.own(new(interner))
		return appendMessage(nil, &m, m.Topic), m, err
	}, anys(messages)},
	{"own", encoded(messages, func(m Message) []byte { return appendOwn(nil, &Entry{Total: 1 << 50, QoS: 1, Message: m}) }), func(b []byte) ([]byte, any, error) {
		e, raw, err := decodeOwn(b)
		e.Message = raw.own(new(interner))
		return appendOwn(nil, &e), e.Message, err
	}, anys(messages)},
	{"shared", encoded(entries, func(e Entry) []byte { return appendShared(nil, &e) }), func(b []byte) ([]byte, any, error) {
		e, err := decodeShared(b)
		return appendShared(nil, &e), e, err
	}, anys(entries)},
	{"session", encoded(sessions, func(s Session) []byte { return appendSession(nil, &s) }), func(b []byte) ([]byte, any, error) {
		s, err := decodeSession(b)
		return appendSession(nil, &s), s, err
	}, anys(sessions)},
	{"subscription", encoded(subscriptions, func(s Subscription) []byte { return appendSubscription(nil, &s) }), func(b []byte) ([]byte, any, error) {
		s, err := decodeSubscription(b)
		return appendSubscription(nil, &s), s, err
	}, anys(subscriptions)},
	{"clock", encoded(clocks, func(c Clock) []byte { return appendClock(nil, c) }), func(b []byte) ([]byte, any, error) {
		c, err := decodeClock(b)
		return appendClock(nil, c), c, err
	}, anys(clocks)},
}

var (
	entries       = []Entry{{Body: 1}, {Total: 1 << 63, QoS: 2, Retain: true, IDs: []uint32{1, 268435455}, Body: 1 << 40}}
	subscriptions = []Subscription{{}, {QoS: 1, ID: 1}, {QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2, ID: 268435455}}
	clocks        = []Clock{{}, {1, -2, 1 << 62}}
)

func encoded[T any](values []T, enc func(T) []byte) (out [][]byte) {
	for _, v := range values {
		out = append(out, enc(v))
	}
	return out
}

func anys[T any](values []T) (out []any) {
	for _, v := range values {
		out = append(out, v)
	}
	return out
}

func TestValuesComeBack(t *testing.T) {
	for _, c := range codecs {
		for i, b := range c.values {
			again, v, err := c.again(b)
			if err != nil || !bytes.Equal(again, b) || !reflect.DeepEqual(v, c.want[i]) {
				t.Errorf("%s: %x comes back as %x, %+v (%v), want %+v", c.name, b, again, v, err, c.want[i])
			}
			for n := range b {
				if _, _, err := c.again(b[:n:n]); err == nil {
					t.Errorf("%s: the first %d octets of %x must fail", c.name, n, b)
				}
			}
			if _, _, err := c.again(append(slices.Clone(b), 0)); err == nil {
				t.Errorf("%s: an octet behind %x must fail", c.name, b)
			}
		}
	}
}

// FuzzDecode hands any octets to every decoder. What one accepts means the same when it is written and read again.
func FuzzDecode(f *testing.F) {
	for i, c := range codecs {
		for _, b := range c.values {
			f.Add(uint8(i), b)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, b []byte) {
		c := codecs[int(i)%len(codecs)]
		again, v, err := c.again(b)
		if err != nil {
			return
		}
		// Not every encoding is the shortest, so the octets may differ; the meaning may not.
		if _, w, err := c.again(again); err != nil || !reflect.DeepEqual(v, w) {
			t.Errorf("%s: %x means %+v, and written again %+v (%v)", c.name, b, v, w, err)
		}
	})
}

// FuzzKeys hands any octets to the functions that take keys apart.
func FuzzKeys(f *testing.F) {
	f.Add(appendSeq(nil, kindOwn, 1, 2))
	f.Add(appendInbound(nil, 1, 2))
	f.Add(appendBody(nil, 1))
	f.Fuzz(func(t *testing.T, key []byte) {
		if num, seq, err := cutSeq(key); err == nil && !bytes.Equal(appendSeq(nil, key[0], num, seq), key) {
			t.Errorf("%x is no key of a place in a queue", key)
		}
		if num, id, err := cutInbound(key); err == nil && !bytes.Equal(appendInbound(nil, num, id)[1:], key[1:]) {
			t.Errorf("%x is no key of an identifier", key)
		}
		if number, err := cutBody(key); err == nil && !bytes.Equal(appendBody(nil, number)[1:], key[1:]) {
			t.Errorf("%x is no key of a body", key)
		}
	})
}

func TestEndOfARange(t *testing.T) {
	for _, r := range [][2][]byte{{{1}, {2}}, {{1, 0xFF}, {2}}, {{1, 2}, {1, 3}}, {{'q', 0xFF, 0xFF, 0xFF, 0xFF}, {'r'}}} {
		if got := after(slices.Clone(r[0])); !bytes.Equal(got, r[1]) {
			t.Errorf("the keys that begin with %x end before %x, got %x", r[0], r[1], got)
		}
	}
}
