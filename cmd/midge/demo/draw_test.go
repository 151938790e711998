package demo

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"midge/broker"
	"midge/gateway"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// sample is a view with n devices, the third of which says bad things.
func sample(n int) view {
	v := view{elapsed: 83 * time.Second, broker: broker.Counters{Connected: n + 2}}
	for i := range n {
		id := fmt.Sprintf("udp-%02d", i+1)
		d := gateway.Device{ID: id, Link: "udp", State: gateway.Active, LastTopic: "sensors/" + id + "/temperature",
			LastValue: fmt.Appendf(nil, "%.1f °C %s %d", 20+float64(i)/10, id, 40+i), In: uint64(40 + i), Out: uint64(i % 3)}
		if i%3 == 1 {
			d.State, d.Sleep, d.Queued = gateway.Asleep, 10*time.Second, 1
		}
		if i >= 6 {
			d.ID, d.Link = fmt.Sprintf("serial-%02d", i-5), "serial"
			d.LastTopic = "sensors/" + d.ID + "/soil-moisture"
		}
		v.devices = append(v.devices, d)
	}
	if n > 2 {
		v.devices[2].State, v.devices[2].Retransmitted = gateway.Lost, 123456
		v.devices[2].LastTopic = "a/\x1b]0;title\x07"
		v.devices[2].LastValue = []byte("\x1b[2J\r\n日本\xff\\")
	}
	for i := range 6 {
		v.events = append(v.events, fmt.Sprintf("%s event %d", seconds(time.Duration(i)*time.Second), i+1))
	}
	return v
}

func sampleBanner() []string {
	return where{mqtt: "127.0.0.1:1883", sn: "127.0.0.1:1883", serial: "/dev/pts/3", devices: 10, sleepers: []string{"udp-03", "serial-04"}}.banner()
}

func TestScreens(t *testing.T) {
	rows := []struct {
		name                string
		devices, cols, rows int
	}{
		{"80x24.txt", 10, 80, 24},
		{"120x40.txt", 10, 120, 40},
		{"small.txt", 10, 60, 12},
		{"many.txt", 40, 100, 30},
		{"none.txt", 0, 80, 24},
	}
	for _, row := range rows {
		lines := sample(row.devices).draw(sampleBanner(), row.cols, row.rows)
		if len(lines) > row.rows {
			t.Errorf("a screen of %d rows gets no more lines, got %d", row.rows, len(lines))
		}
		for _, l := range lines {
			if n := utf8.RuneCountInString(l); n > row.cols {
				t.Errorf("a screen of %d columns gets no longer lines, got %d in %q", row.cols, n, l)
			}
		}
		golden(t, row.name, strings.Join(lines, "\n")+"\n")
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the screen is that of %s, got:\n%s", path, got)
	}
}

func TestAnySizeFits(t *testing.T) {
	for cols := range 90 {
		for rows := range 30 {
			lines := sample(10).draw(sampleBanner(), cols, rows)
			if len(lines) > rows {
				t.Fatalf("%d lines are drawn on a screen of %d by %d", len(lines), cols, rows)
			}
			for _, l := range lines {
				if utf8.RuneCountInString(l) > cols {
					t.Fatalf("%q is drawn on a screen of %d by %d", l, cols, rows)
				}
			}
		}
	}
}

func TestCleanLeavesNothingThatMovesTheCursor(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{"21.5 °C", "21.5 °C"},
		{"a\tb\x00\x7f\u0085", `a\x09b\x00\x7f\x85`},
		{"\x1b[31m", `\x1b[31m`},
		{"\xff\xfe", `\xff\xfe`},
		{`C:\x1b`, `C:\\x1b`},
		{"e\u0301 日 🙂 \u202e", "e\\u0301 \\u65e5 \\U0001f642 \\u202e"},
	} {
		if got := clean(row.in); got != row.want {
			t.Errorf("%q is shown as %q, got %q", row.in, row.want, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("21.5 °C")
	f.Add("\x1b[2J\xff")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range clean(s) {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r >= latinEnd {
				t.Errorf("what is shown of %q has nothing but characters of one column, got %q", s, r)
			}
		}
	})
}

func TestScreenDrawsOnlyWhatChanges(t *testing.T) {
	var out bytes.Buffer
	cols := 80
	s := &screen{out: &out, size: func() (int, int) { return cols, 24 }}
	s.begin(sampleBanner())
	drew := func(v view, fresh ...string) bool {
		out.Reset()
		s.show(v, fresh)
		return out.Len() > 0
	}
	v := sample(4)
	if !drew(v) || !strings.HasPrefix(out.String(), home) || !strings.HasSuffix(out.String(), eraseBelow) {
		t.Errorf("the first view is drawn from the top left and erases what was below, got %q", out.String())
	}
	v.elapsed += 100 * time.Millisecond
	v.devices[0].In++
	if drew(v) {
		t.Error("a number that moves waits for the next second")
	}
	if v.events = append(v.events, "news"); !drew(v, "news") {
		t.Error("an event is drawn at once")
	}
	if v.elapsed += drawEvery; !drew(v) {
		t.Error("after a second the clock has moved")
	}
	if cols = 100; !drew(v) {
		t.Error("another size is drawn at once")
	}
	out.Reset()
	if s.end(); out.String() != showCursor+firstPage {
		t.Errorf("the end gives the cursor and the first page back, got %q", out.String())
	}
}

func TestPlainTellsEventsAndSums(t *testing.T) {
	var out bytes.Buffer
	p := &plain{out: &out}
	p.begin([]string{"banner"})
	v := sample(2)
	v.elapsed = 4900 * time.Millisecond
	p.show(v, []string{"udp-01 connected on link udp"})
	v.elapsed = 5 * time.Second
	p.show(v, nil)
	v.elapsed = 5100 * time.Millisecond
	p.show(v, nil)
	const want = "banner\n   4.9s udp-01 connected on link udp\n   5.0s sums after 5s: 2 devices, 1 asleep; in 81, out 1, queued 1, resent 0; MQTT clients 2\n"
	if out.String() != want {
		t.Errorf("plain output is\n%s, got\n%s", want, out.String())
	}
}

func TestWatch(t *testing.T) {
	dev := func(state gateway.State, out uint64, queued int) gateway.Device {
		return gateway.Device{ID: "d\x1b", Link: "udp", State: state, Out: out, Queued: queued, Sleep: 10 * time.Second}
	}
	var w watch
	moved := dev(gateway.Active, 3, 0)
	moved.Link = "serial"
	for i, row := range []struct {
		d    gateway.Device
		want string
	}{
		{dev(gateway.Connecting, 0, 0), ""},
		{dev(gateway.Active, 0, 0), `d\x1b connected on link udp`},
		{dev(gateway.Active, 2, 0), `2 messages were delivered to d\x1b`},
		{dev(gateway.Asleep, 2, 0), `d\x1b fell asleep for 10s`},
		{dev(gateway.Asleep, 2, 1), `1 message waits for d\x1b until it wakes`},
		{dev(gateway.Awake, 2, 1), ``},
		{dev(gateway.Asleep, 3, 0), `1 message was delivered to d\x1b`},
		{moved, `d\x1b moved to link serial`},
		{dev(gateway.Lost, 3, 0), `d\x1b moved to link udp|d\x1b was silent for too long and counts as lost`},
		{dev(gateway.Asleep, 3, 2), `d\x1b connected on link udp|2 messages wait for d\x1b until it wakes|d\x1b fell asleep for 10s`},
		{dev(gateway.Disconnected, 3, 0), `d\x1b disconnected`},
	} {
		if got := strings.Join(w.compare([]gateway.Device{row.d}), "|"); got != row.want {
			t.Errorf("step %d is told as %q, got %q", i, row.want, got)
		}
	}
}

func TestBannerWithoutSerialLine(t *testing.T) {
	b := strings.Join(where{mqtt: "127.0.0.1:1", sn: "127.0.0.1:2", http: "127.0.0.1:3", why: "no line", devices: 2}.banner(), "\n")
	for _, want := range []string{"no line", "http://127.0.0.1:3/healthz", "MQTT-SN udp 127.0.0.1:2\n", "sensors/udp-01/set", "-p 1\n"} {
		if !strings.Contains(b, want) {
			t.Errorf("the banner has %q, got:\n%s", want, b)
		}
	}
}

func TestNotesAreBounded(t *testing.T) {
	var n notes
	for range notesMax + 5 {
		n.Write([]byte("level=WARN msg=\"x\x1b\"\n"))
	}
	if got := n.take(); len(got) != notesMax || got[0] != `level=WARN msg="x\x1b"` {
		t.Errorf("%d notes are kept, escaped; got %d, %q", notesMax, len(got), got[0])
	}
	if got := n.take(); got != nil {
		t.Errorf("notes are taken once, got %q", got)
	}
}
