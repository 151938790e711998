package client

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"midge/mqttsn"
)

var update = flag.Bool("update", false, "rewrite the golden traces in testdata")

// TestTraces runs each file of testdata. Its inputs are the lines that begin with config, do, gw> and after; all
// between them is what the client did and is rewritten by -update:
//
//	config id=valve7 keepalive=60s      New
//	do publish a/b 1 "on"               a request
//	gw> CONNACK accepted                a frame from the gateway
//	after 30s                           time passes; Advance is called at each Deadline
//	dev> CONNECT id=valve7 …            a frame to the gateway, "dev>>" when broadcast
//	  Connected {}                      an event
//	  at 10s                            what follows happened that long after the begin of the line above
func TestTraces(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.trace")
	if len(files) == 0 {
		t.Fatal("testdata holds golden traces")
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".trace"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := (&tracer{t: t, now: time.Unix(0, 0)}).run(string(want))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for i, w := range strings.Split(string(want), "\n") {
				if g := append(strings.Split(got, "\n"), "")[i]; g != w && !*update {
					t.Fatalf("line %d of the trace is %q, got %q; the whole:\n%s", i+1, w, g, got)
				}
			}
			if len(got) != len(want) && !*update {
				t.Fatalf("the trace ends where the file ends; the whole:\n%s", got)
			}
		})
	}
}

// tracer replays one trace and writes what happens.
type tracer struct {
	t   *testing.T
	c   *Client
	now time.Time
	out strings.Builder
}

func (r *tracer) run(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		verb, args, _ := strings.Cut(line, " ")
		switch verb {
		case "dev>", "dev>>", "":
			if line != "" {
				continue // rewritten
			}
		}
		fmt.Fprintln(&r.out, line)
		switch verb {
		case "config":
			r.c = New(r.config(args))
		case "do":
			r.do(args)
		case "gw>":
			r.receive(args)
		case "after":
			r.after(r.duration(args))
		case "counters":
			r.counters(args)
		}
		r.drain()
	}
	return r.out.String()
}

func (r *tracer) drain() {
	if r.c == nil {
		return
	}
	for _, f := range r.c.Output(nil) {
		p, err := mqttsn.Decode(f.Data)
		if err != nil {
			r.t.Fatalf("the client sends well-formed messages: %v", err)
		}
		arrow := "dev>"
		if f.Broadcast {
			arrow = "dev>>"
		}
		fmt.Fprintln(&r.out, arrow, mqttsn.Text(p))
	}
	for _, e := range r.c.Events(nil) {
		text := strings.TrimPrefix(fmt.Sprintf("%T %+v", e, e), "client.")
		if m, ok := e.(Message); ok {
			text = fmt.Sprintf("Message topic=%q id=0x%04x(%s) qos=%d retain=%t dup=%t %q", m.Topic, m.TopicID, m.Kind, m.QoS, m.Retain, m.Dup, m.Payload)
		}
		fmt.Fprintln(&r.out, " ", text)
	}
}

func (r *tracer) after(d time.Duration) {
	start, end := r.now, r.now.Add(d)
	for {
		at, ok := r.c.Deadline()
		if !ok || at.After(end) {
			break
		}
		r.now = at
		r.c.Advance(at)
		if next, ok := r.c.Deadline(); ok && !next.After(at) {
			r.t.Fatalf("after Advance the deadline lies ahead: %v", next.Sub(at))
		}
		if len(r.c.frames)+len(r.c.events) > 0 {
			fmt.Fprintln(&r.out, "  at", at.Sub(start))
		}
		r.drain()
	}
	r.now = end
}

func (r *tracer) receive(text string) {
	p, err := mqttsn.ParseText(text)
	if err != nil {
		r.t.Fatal(err)
	}
	r.c.Receive(r.now, p.Append(nil))
}

// counters shows the counters named.
func (r *tracer) counters(names string) {
	all := fmt.Sprintf("%+v", r.c.Counters())
	for _, name := range strings.Fields(names) {
		_, tail, ok := strings.Cut(all, name+":")
		if !ok {
			r.t.Fatalf("no counter is called %s", name)
		}
		fmt.Fprintf(&r.out, "  %s=%s\n", name, tail[:strings.IndexAny(tail, " }")])
	}
}

func (r *tracer) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *tracer) config(args string) Config {
	cfg := Config{ClientID: "valve7", KeepAlive: time.Minute}
	for _, f := range strings.Fields(args) {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "keepalive":
			cfg.KeepAlive = r.duration(value)
		case "clean":
			cfg.CleanSession = value == "true"
		case "will":
			topic, message, _ := strings.Cut(value, ":")
			cfg.Will = &Will{Topic: topic, Message: []byte(message), QoS: 1, Retain: true}
		case "reconnect":
			cfg.Reconnect = r.duration(value)
		case "wake":
			cfg.WakeEvery = r.duration(value)
		case "first":
			cfg.FirstMsgID = uint16(r.number(value))
		case "queue":
			cfg.QueueMax = r.number(value)
		case "topics":
			cfg.TopicsMax = r.number(value)
		case "mtu":
			cfg.MTU = r.number(value)
		case "inline":
			cfg.InlineNames = true
		default:
			r.t.Fatalf("no setting is called %s", key)
		}
	}
	return cfg
}

func (r *tracer) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// topic reads name, #5 for a predefined id, or short:ab.
func (r *tracer) topic(s string) Topic {
	if name, ok := strings.CutPrefix(s, "short:"); ok {
		return Short(name)
	}
	if id, ok := strings.CutPrefix(s, "#"); ok && id != "" {
		return Predefined(uint16(r.number(id)))
	}
	return Named(s)
}

func (r *tracer) do(args string) {
	a := append(strings.Fields(args), "", "", "", "")
	var err error
	switch a[0] {
	case "connect":
		err = r.c.Connect(r.now)
	case "restart":
		r.c.Restart()
	case "register":
		_, err = r.c.Register(r.now, a[1])
	case "publish":
		_, err = r.c.Publish(r.now, r.topic(a[1]), mqttsn.QoS(r.number(a[2])), a[4] == "retain", []byte(a[3]))
	case "subscribe":
		_, err = r.c.Subscribe(r.now, r.topic(a[1]), mqttsn.QoS(r.number(a[2])))
	case "unsubscribe":
		_, err = r.c.Unsubscribe(r.now, r.topic(a[1]))
	case "sleep":
		err = r.c.Sleep(r.now, r.duration(a[1]))
	case "wake":
		err = r.c.Wake(r.now)
	case "disconnect":
		err = r.c.Disconnect(r.now)
	case "willtopic":
		_, err = r.c.UpdateWillTopic(r.now, a[1], 1, false)
	case "willmessage":
		_, err = r.c.UpdateWillMessage(r.now, []byte(a[1]))
	case "search":
		r.c.SearchGateway(r.now, uint8(r.number(a[1])), r.duration(a[2]))
	default:
		r.t.Fatalf("nothing is called %s", a[0])
	}
	if err != nil {
		fmt.Fprintln(&r.out, "  refused:", err)
	}
}
