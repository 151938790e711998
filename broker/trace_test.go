package broker

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"midge/broker/mqtt"
)

var update = flag.Bool("update", false, "rewrite the golden traces in testdata")

// TestTraces plays every testdata/*.trace and compares what comes out with what stands there.
//
// A line «NAME: VERB …» is a verb on the hold called NAME, «after D» moves the clock, «expire» calls Expire, «counters» shows what the core holds;
// a line «NAME< …» is what came out of the verb above it, «NAME! woken» a call of that session's waker, «NAME< go on» a busy
// channel that was closed. Empty lines and lines starting with # are kept as they are. With -update the output is rewritten.
func TestTraces(t *testing.T) {
	files, err := filepath.Glob("testdata/*.trace")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are traces in testdata: found %d, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".trace"), func(t *testing.T) {
			old, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(old))
			switch {
			case got == string(old):
			case *update:
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s does not come out as it stands there; got:\n%s\nfirst difference: %s", file, got, firstDifference(string(old), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d is\n\t%s\nand should be\n\t%s", i+1, g[i], w[i])
		}
	}
	return "one is longer than the other"
}

// player runs one trace.
type player struct {
	t      *testing.T
	b      *Broker
	now    time.Time
	line   int
	out    strings.Builder
	holds  map[string]*hold
	names  []string // of holds, in order of appearance
	payNum int      // of the last message of a burst
}

// hold is one front end of a trace.
type hold struct {
	p    *player
	name string
	s    *Session
	busy []<-chan struct{}
	mark Mark
}

// Wake notes the call in the trace.
func (h *hold) Wake() { fmt.Fprintf(&h.p.out, "%s! woken\n", h.name) }

func play(t *testing.T, text string) string {
	p := &player{t: t, b: New(Limits{}), now: time.Unix(1e9, 0), holds: make(map[string]*hold)}
	for i, line := range strings.SplitAfter(text, "\n") {
		p.line = i + 1
		bare := strings.TrimSpace(line)
		if isOutput(bare) {
			continue
		}
		p.out.WriteString(line)
		if bare == "" || bare[0] == '#' {
			continue
		}
		p.do(bare)
		p.goOn()
		p.b.check(t, fmt.Sprintf("line %d: %s", p.line, bare))
	}
	return p.out.String()
}

func isOutput(line string) bool {
	word, _, _ := strings.Cut(line, " ")
	return strings.HasSuffix(word, "<") || strings.HasSuffix(word, "!")
}

func (p *player) do(line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "limits":
		p.b = New(p.args(rest).limits())
	case "after":
		p.now = p.now.Add(p.args("d=" + rest).duration("d"))
	case "expire":
		if next := p.b.Expire(p.now); next.IsZero() {
			p.say("broker", "nothing is due")
		} else {
			p.say("broker", "next in %v", next.Sub(p.now))
		}
	case "counters":
		p.counters()
	default:
		name, ok := strings.CutSuffix(word, ":")
		if !ok {
			p.t.Fatalf("line %d: %q is no verb of a trace", p.line, line)
		}
		p.verb(p.hold(name), rest)
	}
}

func (p *player) hold(name string) *hold {
	h := p.holds[name]
	if h == nil {
		h = &hold{p: p, name: name}
		p.holds[name] = h
		p.names = append(p.names, name)
	}
	return h
}

func (p *player) say(who, format string, args ...any) {
	fmt.Fprintf(&p.out, "%s< %s\n", who, fmt.Sprintf(format, args...))
}

// goOn tells which busy channels have been closed.
func (p *player) goOn() {
	for _, name := range p.names {
		h := p.holds[name]
		h.busy = slices.DeleteFunc(h.busy, func(ch <-chan struct{}) bool {
			select {
			case <-ch:
				p.say(name, "go on")
				return true
			default:
				return false
			}
		})
	}
}

func (p *player) counters() {
	c := p.b.Counters()
	line := fmt.Sprintf("sessions=%d connected=%d subscriptions=%d retained=%d/%dB queued=%d/%dB inflight=%d/%dB",
		c.Sessions, c.Connected, c.Subscriptions, c.Retained, c.RetainedBytes, c.Queued, c.QueuedBytes, c.Inflight, c.InflightBytes)
	if c.Shared > 0 {
		line += fmt.Sprintf(" shared=%d", c.Shared)
	}
	for _, r := range DropReasons() {
		if n := c.Dropped[r]; n > 0 {
			line += fmt.Sprintf(" %s=%d", r, n)
		}
	}
	p.say("broker", "%s", line)
}

// args are the words behind a verb: bare ones in order, and key=value. A word in double quotes is Go syntax.
type args struct {
	p     *player
	words []string
	keys  map[string]string
}

func (p *player) args(text string) args {
	a := args{p: p, keys: make(map[string]string)}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		word, rest, _ := strings.Cut(text, " ")
		if text[0] == '"' {
			quoted, err := strconv.QuotedPrefix(text)
			if err != nil {
				p.t.Fatalf("line %d: %v in %s", p.line, err, text)
			}
			word, rest = quoted[1:len(quoted)-1], text[len(quoted):]
			a.words = append(a.words, word)
		} else if k, v, ok := strings.Cut(word, "="); ok {
			a.keys[k] = v
		} else {
			a.words = append(a.words, word)
		}
		text = rest
	}
	return a
}

func (a args) number(key string) int {
	v, ok := a.keys[key]
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		a.p.t.Fatalf("line %d: %s is a number, not %q", a.p.line, key, v)
	}
	return n
}

func (a args) duration(key string) time.Duration {
	v, ok := a.keys[key]
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		a.p.t.Fatalf("line %d: %s is a duration, not %q", a.p.line, key, v)
	}
	return d
}

func (a args) has(word string) bool { return slices.Contains(a.words, word) }

// ids are the bare words as packet identifiers.
func (a args) ids() (ids []uint16) {
	for _, w := range a.words {
		n, err := strconv.ParseUint(w, 10, 16)
		if err != nil {
			a.p.t.Fatalf("line %d: %q is no packet identifier", a.p.line, w)
		}
		ids = append(ids, uint16(n))
	}
	return ids
}

// expiry is a session expiry interval in seconds, or never.
func (a args) expiry() uint32 {
	if a.keys["expiry"] == "never" {
		return Never
	}
	return uint32(a.number("expiry"))
}

func (a args) limits() Limits {
	policy := map[string]QueuePolicy{"": DropNewest, "oldest": DropOldest, "refuse": Refuse}[a.keys["policy"]]
	return Limits{Policy: policy, SessionExpiry: a.duration("expiry"), QueueQoS0: a.has("qos0"), Inflight: a.number("inflight"), TopicLength: a.number("length"), TopicLevels: a.number("levels"),
		QueueMessages: a.number("queue"), QueueBytes: a.number("queuebytes"), TotalBytes: a.number("total"), Retained: a.number("retained"),
		RetainedBytes: a.number("retainedbytes"), Sessions: a.number("sessions"), Subscriptions: a.number("subscriptions")}
}

// message is TOPIC PAYLOAD qos= expires= retain.
func (a args) message() *Message {
	if len(a.words) < 2 {
		a.p.t.Fatalf("line %d: a message has a topic and a payload", a.p.line)
	}
	m := &Message{Topic: a.words[0], Payload: []byte(a.words[1]), QoS: mqtt.QoS(a.number("qos")), Retain: slices.Contains(a.words[2:], "retain")}
	if n := a.number("size"); n > 0 {
		m.Payload = make([]byte, n)
	}
	if d := a.duration("expires"); d > 0 {
		m.Expires = a.p.now.Add(d)
	}
	return m
}
