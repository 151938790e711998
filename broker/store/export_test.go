package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"midge/broker/mqtt"
)

// fullStore has something of every kind.
func fullStore(t *testing.T) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	s := openTest(t, fs)
	w := &writer{rng: rand.New(rand.NewPCG(7, 7)), next: map[uint32]uint64{}, queue: map[uint32][]Removed{}}
	b := s.NewBatch()
	for range 30 {
		w.fill(b)
	}
	props := &mqtt.Properties{ContentType: "text/<plain>", CorrelationData: []byte{0xff, 0}, User: []mqtt.UserProperty{{Name: "a", Value: "b"}, {Name: "a", Value: "c"}}}
	for _, id := range []mqtt.PropertyID{mqtt.PropContentType, mqtt.PropCorrelationData, mqtt.PropUserProperty} {
		props.Mark(id)
	}
	will := &Will{Message: Message{Topic: "will/ü", Payload: []byte("gone & lost"), QoS: 2, Retain: true, Properties: props}, Delay: 3e9, Expiry: 7}
	b.SetClock(Clock{Now: 5e9, AnchorNow: 4e9, AnchorWall: 1e18})
	b.SetSession(Session{Num: 9, ClientID: "full", Username: "u", Expiry: 60, Connectionless: true, Connected: true, Given: 3, Next: 8, WillAt: 1, ExpireAt: 65e9, Will: will})
	b.SetSubscription(9, Subscription{Filter: "a/+/#", QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2, ID: 77})
	b.SetNote(9, "sleep", []byte("\x00text\n"))
	b.SetNote(9, "radio", []byte{0x80, 0x81})
	b.SetNote(9, "empty", []byte{})
	b.AddInbound(9, 65535)
	b.Enqueue(9, &Entry{Seq: 3, QoS: 2, Retain: true, IDs: []uint32{1, 268435455}, Message: Message{Topic: "x", Expires: 6e9, Publisher: "p", Properties: props}})
	b.AddReceived(9, 3)
	b.Enqueue(9, &Entry{Seq: 5, QoS: 1, Message: Message{Topic: "y", Payload: []byte{0xff}, Expires: 1}})
	b.SetRetained(&Message{Topic: "r", Payload: []byte("{\"v\":1}"), Properties: props})
	if err := b.Commit(); err != nil {
		t.Fatal("a batch commits:", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal("the store closes:", err)
	}
	return fs
}

func exported(t *testing.T, fs vfs.FS) string {
	t.Helper()
	var b bytes.Buffer
	if err := export(testOptions(fs), &b); err != nil {
		t.Fatal("the store is exported:", err)
	}
	return b.String()
}

func TestExportImportExportIsTheSameText(t *testing.T) {
	text := exported(t, fullStore(t))
	for _, kind := range []string{"store", "body", "session", "subscription", "note", "inbound", "received", "message", "retained"} {
		if !strings.Contains(text, `"kind":"`+kind+`"`) {
			t.Errorf("an export has lines of kind %s", kind)
		}
	}
	if want := `"will":{"delay":"3s","expiry":"7ns","message":{"topic":"will/ü","qos":2,"retain":true,"properties":{"content_type":"text/<plain>"`; !strings.Contains(text, want) {
		t.Errorf("an export is to be read by people: it contains %s", want)
	}
	for name, r := range map[string]io.Reader{"file": strings.NewReader(text), "pipe": io.MultiReader(strings.NewReader(text))} {
		fs := vfs.NewCrashableMem()
		if err := importLines(testOptions(fs), r, false); err != nil {
			t.Fatalf("an export is imported from a %s: %v", name, err)
		}
		if again := exported(t, fs); again != text {
			t.Errorf("export, import from a %s and export give the same text, but\n%s", name, firstDifference(text, again))
		}
		if err := check(testOptions(fs), io.Discard); err != nil {
			t.Error("what was imported is whole:", err)
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d\n%s\n%s", i+1, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d lines, %d lines", len(x), len(y))
}

func TestImportRefusesClientsThatAreThereUnlessReplace(t *testing.T) {
	fs := fullStore(t)
	text := exported(t, fs)
	err := importLines(testOptions(fs), strings.NewReader(text), false)
	if err == nil || !strings.Contains(err.Error(), "has a session in this store already; with replace it gives way") {
		t.Errorf("a client that is there is refused with a sentence, not %v", err)
	}
	if exported(t, fs) != text {
		t.Error("a refused import changes nothing")
	}
	if err := importLines(testOptions(fs), strings.NewReader(text), true); err != nil {
		t.Fatal("with replace sessions give way:", err)
	}
	again := exported(t, fs)
	for _, kind := range []string{"message", "session", "subscription", "note"} {
		if x, y := strings.Count(text, `"kind":"`+kind+`"`), strings.Count(again, `"kind":"`+kind+`"`); x != y {
			t.Errorf("what gave way is gone: %d lines of kind %s are %d now", x, kind, y)
		}
	}
	if err := check(testOptions(fs), io.Discard); err != nil {
		t.Error("what was replaced is whole:", err)
	}
}

func TestImportNamesTheFaultyLineAndChangesNothing(t *testing.T) {
	const good = `{"kind":"session","client":"c"}` + "\n"
	for _, row := range []struct{ name, line, want string }{
		{"text", `hello`, "line 2: it is no object of an export"},
		{"cut", `{"kind":"note"`, "line 2: it is no object of an export"},
		{"unknown kind", `{"kind":"nonsense"}`, `line 2: the kind "nonsense" is not known`},
		{"unknown field", `{"kind":"note","client":"c","colour":1}`, "line 2: it is no object of an export"},
		{"twice", `{"kind":"session","client":"c"}`, `line 2: session: the client "c" was there before`},
		{"another client's", `{"kind":"note","client":"d","name":"n"}`, `line 2: note: it does not follow the session of its client "d"`},
		{"QoS 3", `{"kind":"subscription","client":"c","filter":"a","qos":3}`, "line 2: subscription: its QoS is 3"},
		{"no body", `{"kind":"message","client":"c","seq":1,"number":7}`, "line 2: message: there is no body 7 before it"},
		{"no seq", `{"kind":"message","client":"c","message":{"topic":"a"}}`, "line 2: message: its seq 0 does not come after 0"},
		{"time", `{"kind":"retained","message":{"topic":"a","payload":{"text":"b"},"expires_in":"soon"}}`, `line 2: retained: "soon" is no time: write it as in 1h30m`},
		{"two objects", `{"kind":"retained"} {}`, "line 2: something follows the object"},
		{"newer", `{"kind":"store","format":99}`, "line 2: store: it has format 99; this midge knows formats up to 1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			fs := vfs.NewCrashableMem()
			openTest(t, fs).Close()
			before := exported(t, fs)
			err := importLines(testOptions(fs), strings.NewReader(good+row.line+"\n"), false)
			if err == nil || !strings.HasPrefix(err.Error(), row.want) {
				t.Errorf("the error is %v, want %s", err, row.want)
			}
			if after := exported(t, fs); after != before {
				t.Errorf("nothing is imported when a line is faulty, but\n%s", after)
			}
		})
	}
}

// endsEarly reads whole once and a part the second time, as when the program is killed while it writes.
type endsEarly struct {
	*strings.Reader
	begun int // how often reading began
	part  int64
}

func (r *endsEarly) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		r.begun++
	}
	return r.Reader.Seek(offset, whence)
}

func (r *endsEarly) Read(p []byte) (int, error) {
	if r.begun == 2 && r.Size()-int64(r.Len()) >= r.part {
		return 0, errors.New("it was pulled out")
	}
	return r.Reader.Read(p)
}

// TestImportThatEndsEarlyKeepsItsNumbers: a session or body of the broker's under a number of the import's would be mixed up with it.
func TestImportThatEndsEarlyKeepsItsNumbers(t *testing.T) {
	text := `{"kind":"body","number":70000,"message":{"topic":"a","payload":{"text":"x"}}}` + "\n" +
		`{"kind":"session","client":"c","connected":true}` + "\n" + `{"kind":"message","client":"c","seq":1,"number":70000}` + "\n"
	for seq := range 3 {
		text += fmt.Sprintf(`{"kind":"message","client":"c","seq":%d,"message":{"topic":"a","payload":{"text":"%s"}}}`, seq+2, strings.Repeat("x", importCommit)) + "\n"
	}
	fs := vfs.NewCrashableMem()
	if err := importLines(testOptions(fs), &endsEarly{Reader: strings.NewReader(text), part: 2 * importCommit}, false); err == nil {
		t.Fatal("the import ends early")
	}
	s := openTest(t, fs)
	defer s.Close()
	sessions := 0
	if err := s.Sessions(func(x Session) error {
		sessions++
		if x.Num > s.LastNum() {
			t.Errorf("the session %d is there, and the last number that was given is %d", x.Num, s.LastNum())
		}
		return nil
	}); err != nil || sessions != 1 {
		t.Fatalf("one session was imported, not %d: %v", sessions, err)
	}
	entries := make([]Entry, 1)
	if n, err := s.Read(1, 0, entries, 1<<20); n != 1 || err != nil || entries[0].Body > s.LastBody() {
		t.Errorf("the body %d is in use, and the last number that was given is %d (%d entries, %v)", entries[0].Body, s.LastBody(), n, err)
	}
}

// TestImportCountsOctets: what a queue holds is the difference of two totals.
func TestImportCountsOctets(t *testing.T) {
	const message = `"message":{"topic":"a","payload":{"text":"xyz"},"properties":{"user":[["name","value"]]}}`
	text := `{"kind":"body","number":1,` + message + `}` + "\n" + `{"kind":"session","client":"c"}` + "\n" +
		`{"kind":"message","client":"c","seq":1,` + message + `}` + "\n" + `{"kind":"message","client":"c","seq":2,"number":1}` + "\n"
	fs := vfs.NewCrashableMem()
	if err := importLines(testOptions(fs), strings.NewReader(text), false); err != nil {
		t.Fatal("lines are imported:", err)
	}
	s := openTest(t, fs)
	defer s.Close()
	first, last, before, n, err := s.Span(1)
	if err != nil || n != 2 || before != 0 {
		t.Fatalf("there are two entries and nothing before them: %d, %d, %v", n, before, err)
	}
	if one, two := first.Total, last.Total-first.Total; one != two {
		t.Errorf("a message counts the same with a body that queues share: %d octets, not %d", one, two)
	}
}

func TestToolsSayThatTheStoreIsInUse(t *testing.T) {
	fs := fullStore(t)
	s := openTest(t, fs)
	defer s.Close()
	for name, tool := range map[string]func() error{
		"check": func() error { return check(testOptions(fs), io.Discard) }, "stats": func() error { return stats(testOptions(fs), io.Discard) },
		"export": func() error { return export(testOptions(fs), io.Discard) },
		"import": func() error { return importLines(testOptions(fs), strings.NewReader(""), false) },
	} {
		if err := tool(); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "is in use by another midge") {
			t.Errorf("%s of a store that is open says that it is in use, not %v", name, err)
		}
	}
	if err := stats(testOptions(vfs.NewMem()), io.Discard); err == nil || err.Error() != "there is no store in data" {
		t.Errorf("stats of nothing is a sentence, not %v", err)
	}
}

func FuzzImport(f *testing.F) {
	f.Add(`{"kind":"session","client":"c","will":{"message":{"topic":"a"}},"expire_in":"1h"}` + "\n" + `{"kind":"message","client":"c","seq":1,"message":{"topic":"a"}}`)
	f.Add(`{"kind":"body","number":1,"message":{"topic":"a","properties":{"user":[["a","b"]]}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		fs := vfs.NewMem()
		if importLines(testOptions(fs), strings.NewReader(text), false) != nil {
			return
		}
		if err := check(testOptions(fs), io.Discard); err != nil {
			t.Error("what Import takes Check passes:", err)
		}
	})
}
