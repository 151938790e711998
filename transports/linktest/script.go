package linktest

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"midge/transports"
)

// Machine is what a link on a line is driven by (serial.Machine).
type Machine interface {
	Begin(now time.Time)
	End() (queued int)
	Feed(now time.Time, octets []byte)
	Partial() bool
	Next() (transports.Frame, bool)
	Send(now time.Time, f *transports.Frame) (drop string)
	Output(now time.Time, dst []byte) (encoded []byte, message int, ok bool)
	Deadline() (time.Time, bool)
	Flush()
	Down() string
	MTU() int
	FormatAddr(transports.Addr) string
}

// Play plays a script against machines and returns it with what they did. A script's line is a time and what happens then:
//
//	0ms rx C0 01 AA*3 C0     octets arrive, AA*3 being three times AA
//	50ms silence             nothing more had arrived by then
//	0ms send 0102: 02 17     a frame for that address; "all:" to everyone, "all/2:" with a radius of 2
//	5s                       nothing but time
//	0ms end                  the line goes and comes again
//
// After each come, behind a bar, the frames that arrived, the octets to be written, what was counted, and why the machine is down. A line that begins
// with # is a title and begins anew.
func Play(t *testing.T, script string, start func() (Machine, *transports.Counters)) string {
	p := player{t: t}
	for line := range strings.Lines(strings.TrimRight(script, "\n") + "\n") {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "|"):
			continue
		case line == "" || strings.HasPrefix(line, "#"):
			p.m = nil
		}
		fmt.Fprintln(&p.out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if p.m == nil {
			p.m, p.counters = start()
			p.before, p.down = p.counters.Stats().Errors, ""
			p.m.Begin(scriptStart)
		}
		p.play(line)
	}
	return p.out.String()
}

// PlayFile plays a script that stands in a file with what it should make the machines do; update rewrites it.
func PlayFile(t *testing.T, path string, update bool, start func() (Machine, *transports.Counters)) {
	t.Helper()
	Golden(t, path, update, func(text string) string { return Play(t, text, start) })
}

// Golden holds what play makes of a file's text against that text; update rewrites the file.
func Golden(t *testing.T, path string, update bool, play func(text string) string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := play(string(text))
	if update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := strings.Split(string(text), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("%s:%d: the machine does as the trace says: got %q\n%s", path, i+1, line, got)
		}
	}
}

var scriptStart = time.Unix(0, 0)

type player struct {
	t        *testing.T
	m        Machine
	counters *transports.Counters
	before   map[string]uint64
	down     string
	out      strings.Builder
}

func (p *player) play(line string) {
	at, what, _ := strings.Cut(line, " ")
	since, err := time.ParseDuration(at)
	if err != nil {
		p.t.Fatalf("%q: %v", line, err)
	}
	now := scriptStart.Add(since)
	verb, rest, _ := strings.Cut(strings.TrimSpace(what), " ")
	switch verb {
	case "":
	case "rx":
		p.m.Feed(now, p.octets(rest))
	case "silence":
		p.m.Feed(now, nil)
	case "send":
		p.send(now, rest)
	case "end":
		p.say("queued %d", p.m.End())
		p.m.Begin(now)
	case "flush":
		p.m.Flush()
	default:
		p.t.Fatalf("%q: there is no %q", line, verb)
	}
	p.look(now)
}

func (p *player) say(format string, args ...any) { fmt.Fprintf(&p.out, "|  "+format+"\n", args...) }

func (p *player) send(now time.Time, rest string) {
	to, octets, _ := strings.Cut(rest, ":")
	f := transports.Frame{Data: p.octets(octets)}
	if all, radius, _ := strings.Cut(to, "/"); all == "all" {
		f.Broadcast = true
		fmt.Sscan(radius, &f.Radius)
	} else {
		f.Addr = transports.MakeAddr(p.octets(to))
	}
	if len(f.Data) > p.m.MTU() {
		p.say("longer than the MTU of %d", p.m.MTU())
	} else if drop := p.m.Send(now, &f); drop != "" {
		p.say("dropped: %s", drop)
	}
}

// look tells everything that the machine has to tell.
func (p *player) look(now time.Time) {
	for f, ok := p.m.Next(); ok; f, ok = p.m.Next() {
		from := p.m.FormatAddr(f.Addr)
		if f.Broadcast {
			from += " to all"
		}
		if f.RSSI != 0 || f.LQI != 0 {
			from += fmt.Sprintf(" rssi=%d lqi=%d", f.RSSI, f.LQI)
		}
		p.say("from %s: %s", from, short(f.Data))
	}
	for b, _, ok := p.m.Output(now, nil); ok; b, _, ok = p.m.Output(now, nil) {
		p.say("tx %s", strings.ToUpper(fmt.Sprintf("% x", b)))
	}
	if at, ok := p.m.Deadline(); ok && at.After(now) {
		p.say("next %v", at.Sub(scriptStart))
	}
	after := p.counters.Stats().Errors
	reasons := []string{}
	for reason, n := range after {
		if n != p.before[reason] {
			reasons = append(reasons, fmt.Sprintf("%s=%d", reason, n-p.before[reason]))
		}
	}
	if slices.Sort(reasons); len(reasons) > 0 {
		p.say("count %s", strings.Join(reasons, " "))
	}
	p.before = after
	if down := p.m.Down(); down != p.down {
		p.down = down
		p.say("down %q", down)
	}
	if p.m.Partial() {
		p.say("partial")
	}
}

// octets reads hexadecimal octets; AA*n is n times AA.
func (p *player) octets(s string) (b []byte) {
	for word := range strings.FieldsSeq(s) {
		digits, times, _ := strings.Cut(word, "*")
		n := 1
		if times != "" {
			fmt.Sscan(times, &n)
		}
		x, err := hex.DecodeString(digits)
		if err != nil {
			p.t.Fatalf("%q: %v", s, err)
		}
		for range n {
			b = append(b, x...)
		}
	}
	return b
}
