package gateway

import (
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/mqttsn"
	"midge/transports"
)

var update = flag.Bool("update", false, "rewrite the golden traces in testdata")

// TestTraces runs each file of testdata. Lines that are indented are what the gateway and the broker did; -update rewrites them. The
// others are inputs:
//
//	config retry=10s tries=4 mtu=1024 clients=100 qosminusone=true predefined=1:sensors/boot
//	dev> CONNECT id=valve7 …     a frame from device "dev", whose address is its name, on link lan
//	dev@radio> …                 the same on link radio
//	dev/0a1b> …                  behind a forwarder at the address "dev", node id 0a1b
//	dev>> SEARCHGW radius=1      a frame to everyone
//	dev! 0400                    octets that need not be a message
//	mqtt> publish a/b 1 text     by an MQTT client; a fourth word "retain"
//	mqtt> watch #                everything published from here on is shown as mqtt< lines
//	mqtt> open valve7            another front end opens that client id
//	after 30s                    time passes; what happens in it is preceded by its time
//	devices, drops               what the gateway tells of its clients, of its drops
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
			got := newTracer(t).run(string(want))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			wants, gots := strings.Split(string(want), "\n"), strings.Split(got, "\n")
			for i, w := range wants {
				if i >= len(gots) || gots[i] != w {
					t.Fatalf("line %d of the trace is %q; the whole as it is now:\n%s", i+1, w, got)
				}
			}
			if len(gots) != len(wants) {
				t.Fatalf("the trace ends where the file ends; the whole as it is now:\n%s", got)
			}
		})
	}
}

// tracer replays one trace on the machines, without the shell.
type tracer struct {
	t       *testing.T
	now     time.Time
	cfg     Config
	linkCfg LinkConfig
	mtu     int
	b       *broker.Broker
	g       *Gateway
	watcher *broker.Session
	out     strings.Builder
}

func newTracer(t *testing.T) *tracer {
	return &tracer{t: t, now: time.Unix(1_000_000_000, 0), cfg: Config{GatewayID: 1}, mtu: 1024}
}

func (r *tracer) run(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "  ") {
			continue // rewritten
		}
		fmt.Fprintln(&r.out, line)
		if line == "" || line[0] == '#' {
			continue
		}
		r.input(line)
		r.show()
	}
	return r.out.String()
}

// gateway makes the gateway when the first input after config needs it.
func (r *tracer) gateway() *Gateway {
	if r.g == nil {
		r.b = broker.New(broker.Limits{})
		r.g = New(r.b, r.cfg, slog.New(slog.DiscardHandler))
		r.g.sp.start = r.now
	}
	return r.g
}

func (r *tracer) link(name string) *link {
	g := r.gateway()
	if g.links[name] == nil {
		g.links[name] = newLink(g.sp, name, r.linkCfg, r.mtu, func(a transports.Addr) string { return string(a.Bytes()) }, r.now)
	}
	return g.links[name]
}

func (r *tracer) input(line string) {
	verb, args, _ := strings.Cut(line, " ")
	switch {
	case verb == "config":
		r.config(strings.Fields(args))
	case verb == "after":
		d, err := time.ParseDuration(args)
		r.must(err)
		r.pass(d)
	case verb == "mqtt>":
		r.mqtt(strings.Fields(args))
	case verb == "devices":
		r.devices()
	case verb == "drops":
		r.drops()
	case strings.HasSuffix(verb, ">"), strings.HasSuffix(verb, "!"):
		r.frame(verb, args)
	default:
		r.t.Fatalf("no input is called %q", verb)
	}
}

func (r *tracer) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *tracer) config(args []string) {
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		n, _ := strconv.Atoi(value)
		d, _ := time.ParseDuration(value)
		switch key {
		case "retry":
			r.linkCfg.RetryInterval = d
		case "tries":
			r.linkCfg.RetryCount = n
		case "clients":
			r.linkCfg.Clients = n
		case "idle":
			r.linkCfg.IdleLimit = d
		case "mtu":
			r.mtu = n
		case "ids":
			r.cfg.Limits.TopicIDs = n
		case "advertise":
			r.cfg.AdvertiseInterval = d
		case "qosminusone":
			r.cfg.QoSMinusOne = value == "true"
		case "inline":
			r.cfg.InlineTopics = value == "true"
		case "norebind":
			r.cfg.NoRebind = value == "true"
		case "predefined":
			id, topic, _ := strings.Cut(value, ":")
			client, id, ok := strings.Cut("*/"+id, "/")
			if c, rest, mine := strings.Cut(id, "/"); ok && mine {
				client, id = c, rest
			}
			n, err := strconv.Atoi(id)
			r.must(err)
			r.cfg.Predefined = append(r.cfg.Predefined, Predefined{client, uint16(n), topic})
		default:
			r.t.Fatalf("no setting is called %q", key)
		}
	}
}

// frame feeds one frame: who[@link][/node], ">" or ">>" or "!", what.
func (r *tracer) frame(verb, text string) {
	var f transports.Frame
	who := strings.TrimRight(verb, ">!")
	f.Broadcast = strings.HasSuffix(verb, ">>")
	var err error
	if strings.HasSuffix(verb, "!") {
		f.Data, err = hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		r.must(err)
	} else {
		p, err := mqttsn.ParseText(text)
		r.must(err)
		f.Data = p.Append(nil)
	}
	who, node, wrapped := strings.Cut(who, "/")
	if wrapped {
		id, err := hex.DecodeString(node)
		r.must(err)
		f.Data = mqttsn.Encapsulated{NodeID: id}.Append(nil, f.Data)
	}
	who, on, _ := strings.Cut(who, "@")
	if on == "" {
		on = "lan"
	}
	f.Addr = transports.MakeAddr([]byte(who))
	r.link(on).Receive(r.now, &f)
}

// pass lets time pass, stopping wherever something is due.
func (r *tracer) pass(d time.Duration) {
	r.link("lan")
	begin, end := r.now, r.now.Add(d)
	for {
		next := end
		for _, l := range r.g.links {
			if at, ok := l.Deadline(); ok && at.Before(next) {
				next = at
			}
		}
		if at := r.b.Expire(r.now); !at.IsZero() && at.Before(next) {
			next = at
		}
		if next.After(r.now) {
			r.now = next
		}
		for _, name := range slices.Sorted(maps.Keys(r.g.links)) {
			r.g.links[name].Advance(r.now)
		}
		r.b.Expire(r.now)
		before := r.out.Len()
		text := r.outputs()
		if text != "" {
			fmt.Fprintf(&r.out, "  at %v\n%s", r.now.Sub(begin), text)
		}
		if r.now.Equal(end) && r.out.Len() == before {
			return
		}
	}
}

func (r *tracer) show() { r.out.WriteString(r.outputs()) }

// outputs describes all that the gateway sent and the watcher received.
func (r *tracer) outputs() string {
	if r.g == nil {
		return ""
	}
	var text strings.Builder
	names := slices.Sorted(maps.Keys(r.g.links))
	for range 2 { // what one link does may wake a client of another
		for _, name := range names {
			l := r.g.links[name]
			l.Pull(r.now)
			for _, f := range l.frames() {
				text.WriteString("  " + describe(name, f) + "\n")
			}
		}
	}
	r.watched(&text)
	return text.String()
}

func describe(link string, f transports.Frame) string {
	to := string(f.Addr.Bytes())
	if f.Broadcast {
		to = fmt.Sprintf("everyone(radius %d)", f.Radius)
	}
	if link != "lan" {
		to += "@" + link
	}
	if t, _ := mqttsn.PeekType(f.Data); t == mqttsn.TypeEncapsulated {
		e, inner, err := mqttsn.ParseEncapsulated(f.Data)
		if err != nil {
			return err.Error()
		}
		to += fmt.Sprintf("/%x", e.NodeID)
		f.Data = inner
	}
	p, err := mqttsn.Decode(f.Data)
	if err != nil {
		return to + "< " + err.Error()
	}
	if strings.HasPrefix(p.Type().String(), "PUBLISH") {
		return to + "< " + shorten(mqttsn.Text(p))
	}
	return to + "< " + p.String()
}

func shorten(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}

func (r *tracer) mqtt(args []string) {
	r.link("lan")
	switch args[0] {
	case "publish":
		qos, err := strconv.Atoi(args[2])
		r.must(err)
		s, _, err := r.b.Open(r.now, broker.Options{ClientID: "publisher", CleanStart: true})
		r.must(err)
		payload := args[3]
		if n, ok := strings.CutPrefix(payload, "size="); ok {
			size, err := strconv.Atoi(n)
			r.must(err)
			payload = strings.Repeat("x", size)
		}
		m := &broker.Message{Topic: args[1], QoS: mqtt.QoS(qos), Payload: []byte(payload), Retain: len(args) > 4 && args[4] == "retain"}
		_, err = s.Publish(r.now, []broker.Inbound{{ID: 1, Message: m}})
		r.must(err)
	case "watch":
		s, _, err := r.b.Open(r.now, broker.Options{ClientID: "watcher", CleanStart: true})
		r.must(err)
		_, err = s.Subscribe(r.now, []broker.Subscription{{Filter: args[1], QoS: 2, RetainAsPublished: true}})
		r.must(err)
		r.watcher = s
	case "open":
		_, _, err := r.b.Open(r.now, broker.Options{ClientID: args[1]})
		r.must(err)
	default:
		r.t.Fatalf("mqtt> knows no %q", args[0])
	}
}

func (r *tracer) watched(text *strings.Builder) {
	if r.watcher == nil {
		return
	}
	var dst [1]broker.Outbound
	for {
		n, err := r.watcher.Next(r.now, dst[:])
		r.must(err)
		if n == 0 {
			return
		}
		o := dst[0]
		switch {
		case o.Kind == broker.Pubrel:
			r.watcher.Completed(o.ID)
			continue
		case o.QoS == 1:
			r.watcher.Acked(o.ID)
		case o.QoS == 2:
			r.watcher.Received(o.ID)
		}
		retain := ""
		if o.Retain {
			retain = " retain"
		}
		fmt.Fprintf(text, "  mqtt< %s qos=%d%s %q\n", o.Message.Topic, o.QoS, retain, o.Message.Payload)
	}
}

func (r *tracer) devices() {
	for _, d := range r.gateway().Devices() {
		fmt.Fprintf(&r.out, "  %s: %s on %s at %s, queued %d, in %d, out %d\n", d.ID, d.State, d.Link, d.Address, d.Queued, d.In, d.Out)
	}
}

func (r *tracer) drops() {
	for _, name := range slices.Sorted(maps.Keys(r.g.links)) {
		c := r.g.Counters().Links[name]
		for _, why := range slices.Sorted(maps.Keys(c.Dropped)) {
			if n := c.Dropped[why]; n > 0 {
				fmt.Fprintf(&r.out, "  %s: %s %d\n", name, why, n)
			}
		}
	}
}
