package gateway

import (
	"context"
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
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/mqttsn"
	"midge/transports"
)

var update = flag.Bool("update", false, "rewrite the golden traces in testdata")

// TestTraces runs each file of testdata. Lines that are indented are what the gateway and the broker did; -update rewrites them. The
// others are inputs:
//
//	config retry=10s tries=4 mtu=1024 clients=100 qosminusone=true predefined=1:sensors/boot predefined=valve7/2:a@radio auth=USER:PASSWORD
//	dev> CONNECT id=valve7 …     a frame from device "dev", whose address is its name, on link lan
//	dev@radio> …                 the same on link radio
//	dev/0a1b> …                  behind a forwarder at the address "dev", node id 0a1b
//	dev>> SEARCHGW radius=1      a frame to everyone
//	dev! 0400                    octets that need not be a message; dev!! to everyone
//	mqtt> publish a/b 1 text     by an MQTT client; a fourth word "retain"
//	mqtt> watch #                everything published from here on is shown as mqtt< lines; "watch # always": over restarts too
//	mqtt> open valve7            another front end opens that client id
//	after 30s                    time passes; what happens in it is preceded by its time
//	devices, drops, dropped      what the gateway tells of its clients, of its drops by link, by client
//	crash, restart               the process dies, or ends in order, and starts again with what the store has; the links that it then serves may follow
//
// A trace whose name begins with "restart" needs a store; config commit=1s is for how long it collects before it commits. The others are played on a
// broker with a store and on one without, and must not show which.
func TestTraces(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.trace")
	if len(files) == 0 {
		t.Fatal("testdata holds golden traces")
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".trace")
		if !strings.HasPrefix(name, "restart") {
			t.Run(name, func(t *testing.T) { playTrace(t, path, false) })
		}
		t.Run(name+"/store", func(t *testing.T) { playTrace(t, path, true) })
	}
}

func playTrace(t *testing.T, path string, durable bool) {
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	synctest.Test(t, func(t *testing.T) {
		r := &tracer{t: t, now: time.Now(), cfg: Config{GatewayID: 1}, mtu: 1024}
		if durable {
			r.disk = vfs.NewCrashableMem()
		}
		got = r.run(string(want))
		r.end()
	})
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
}

// tracer replays one trace on the machines, without the shell. It lives in a bubble of synctest, for the sake of the broker's committer.
type tracer struct {
	t       *testing.T
	now     time.Time
	cfg     Config
	linkCfg LinkConfig
	mtu     int
	commit  time.Duration
	disk    *vfs.MemFS // nil: the broker has no store
	core    *core
	b       *broker.Broker
	g       *Gateway
	watches []string // the arguments of watch
	watcher *broker.Session
	taken   map[uint16]bool // QoS 2 messages that the watcher has, until PUBREL
	out     strings.Builder
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
		r.core = startCore(r.t, r.disk, r.commit)
		r.b = r.core.b
		r.g = New(r.b, r.cfg, slog.New(slog.DiscardHandler))
	}
	return r.g
}

// link serves the link of that name if nobody does.
func (r *tracer) link(name string) *link {
	g := r.gateway()
	if l := g.links[name]; l == nil || l.away {
		l := g.open(name, r.linkCfg, r.mtu, func(a transports.Addr) string { return string(a.Bytes()) }, r.now)
		l.identify, l.host = identity, host
	}
	return g.links[name]
}

// restart ends the process, after which nothing of it is left but what the store has, and starts the next one, which serves these links; by default
// those that were served.
func (r *tracer) restart(orderly bool, links []string) {
	if r.disk == nil {
		r.t.Fatal("there is no restart without a store")
	}
	r.link("lan")
	if len(links) == 0 {
		links = slices.Sorted(maps.Keys(r.g.links))
	}
	if orderly {
		for _, l := range r.g.links {
			l.stop(r.now)
		}
	}
	r.disk = r.core.stop(orderly)
	r.g, r.watcher = nil, nil
	for _, name := range links {
		r.link(name)
	}
	r.watch(false)
}

func (r *tracer) end() {
	if r.core != nil {
		r.core.stop(true)
	}
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
	case verb == "dropped":
		for _, d := range r.g.Devices() {
			fmt.Fprintf(&r.out, "  %s: %v\n", d.ID, d.Dropped)
		}
	case verb == "crash", verb == "restart":
		r.restart(verb == "restart", strings.Fields(args))
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
		case "maxqos":
			if r.linkCfg.MaxQoS = n; n == 0 {
				r.linkCfg.MaxQoS = -1
			}
		case "mount":
			r.linkCfg.MountPoint = value
		case "commit":
			r.commit = d
		case "ids":
			r.cfg.Limits.TopicIDs = n
		case "advertise":
			r.cfg.AdvertiseInterval = d
		case "qosminusone":
			r.cfg.QoSMinusOne = value == "true"
		case "inline":
			r.cfg.InlineTopics = value == "true"
		case "rebind":
			r.linkCfg.Rebind = map[string]Rebind{"open": RebindOpen, "same-identity": RebindSameIdentity, "never": RebindNever}[value]
		case "gwinfo":
			r.linkCfg.GwInfo = map[string]GwInfoTo{"both": GwInfoToBoth, "unicast": GwInfoToAsker, "broadcast": GwInfoToEveryone}[value]
		case "strict":
			r.linkCfg.Strict = value == "true"
		case "probe":
			r.linkCfg.Probe = value == "true"
		case "emptyid":
			r.linkCfg.EmptyClientID = value == "true"
		case "forgetful":
			r.linkCfg.RegisterAfterSleep = value == "true"
		case "later":
			r.cfg.RefuseLater = value == "true"
		case "allow":
			r.linkCfg.AllowClients = append(r.linkCfg.AllowClients, value)
		case "allowaddress":
			r.linkCfg.AllowAddresses = append(r.linkCfg.AllowAddresses, value)
		case "states": // with * for the client id
			r.cfg.StateTopic = func(id string) string { return strings.ReplaceAll(value, "*", id) }
		case "deny":
			r.linkCfg.DenyClients = append(r.linkCfg.DenyClients, value)
		case "denyaddress":
			r.linkCfg.DenyAddresses = append(r.linkCfg.DenyAddresses, value)
		case "at": // CLIENT@ADDRESS
			client, address, _ := strings.Cut(value, "@")
			r.linkCfg.ClientAddresses = append(r.linkCfg.ClientAddresses, ClientAddress{client, address})
		case "auth":
			r.logins(value)
		case "predefined":
			id, topic, _ := strings.Cut(value, ":")
			client, id, ok := strings.Cut("*/"+id, "/")
			if c, rest, mine := strings.Cut(id, "/"); ok && mine {
				client, id = c, rest
			}
			n, err := strconv.Atoi(id)
			r.must(err)
			topic, on, _ := strings.Cut(topic, "@")
			r.cfg.Predefined = append(r.cfg.Predefined, Predefined{Client: client, Link: on, ID: uint16(n), Topic: topic})
		default:
			r.t.Fatalf("no setting is called %q", key)
		}
	}
}

// logins lets a user in with that password; one called "busy" hears «later».
func (r *tracer) logins(user string) {
	user, password, _ := strings.Cut(user, ":")
	r.linkCfg.Auth = func(_ context.Context, l Login) Verdict {
		return Verdict{OK: l.Username == user && string(l.Password) == password, Later: l.Username == "busy", Username: l.Username}
	}
}

// judge gives the verdicts that the machines wait for.
func (r *tracer) judge() {
	for _, l := range r.g.links {
		for _, c := range l.takeChecks() {
			l.enter(r.now)
			l.judged(c.of, c.ask(context.Background(), c.login))
		}
	}
}

// identity is who has proven to be at an address "USER:PORT".
func identity(a transports.Addr) string {
	user, _, ok := strings.Cut(string(a.Bytes()), ":")
	if !ok {
		return ""
	}
	return user
}

// host is what stays of an address "HOST.PORT".
func host(a transports.Addr) string {
	text := string(a.Bytes())
	return text[:max(0, strings.LastIndexByte(text, '.'))]
}

// frame feeds one frame: who[@link][/node], ">" or ">>" or "!", what.
func (r *tracer) frame(verb, text string) {
	var f transports.Frame
	who := strings.TrimRight(verb, ">!")
	f.Broadcast = strings.HasSuffix(verb, ">>") || strings.HasSuffix(verb, "!!")
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
		if r.commit > 0 && r.now.Add(r.commit/2).Before(next) {
			next = r.now.Add(r.commit / 2) // something may be safe by then
		}
		if next.After(r.now) {
			time.Sleep(next.Sub(r.now))
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
	r.judge()
	var text, watched strings.Builder
	names := slices.Sorted(maps.Keys(r.g.links))
	for quiet := 0; quiet < 2; quiet++ { // what one link does may wake a client of another
		synctest.Wait() // what can be safe is safe
		for _, name := range names {
			l := r.g.links[name]
			l.Pull(r.now)
			for _, f := range l.frames() {
				if l.away {
					r.t.Errorf("nothing goes out on a link that is not served: %s", describe(name, f))
				}
				text.WriteString("  " + describe(name, f) + "\n")
				quiet = 0
			}
		}
		if r.watched(&watched) {
			quiet = 0
		}
	}
	return text.String() + watched.String()
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
		r.watches = args[1:]
		r.watch(true)
	case "open":
		_, _, err := r.b.Open(r.now, broker.Options{ClientID: args[1]})
		r.must(err)
	default:
		r.t.Fatalf("mqtt> knows no %q", args[0])
	}
}

func (r *tracer) watch(anew bool) {
	if len(r.watches) == 0 {
		return
	}
	o := broker.Options{ClientID: "watcher", CleanStart: anew}
	if len(r.watches) > 1 {
		o.SessionExpiry = broker.Never
	} else {
		r.taken = nil
	}
	s, _, err := r.b.Open(r.now, o)
	r.must(err)
	_, err = s.Subscribe(r.now, []broker.Subscription{{Filter: r.watches[0], QoS: 2, RetainAsPublished: true}})
	r.must(err)
	r.watcher = s
}

// watched describes what the watcher is given, and answers it. It reports whether there was anything.
func (r *tracer) watched(text *strings.Builder) (any bool) {
	if r.watcher == nil {
		return false
	}
	var dst [1]broker.Outbound
	for {
		n, err := r.watcher.Next(r.now, dst[:])
		r.must(err)
		if n == 0 {
			return any
		}
		any = true
		o := dst[0]
		switch {
		case o.Kind == broker.Pubrel:
			delete(r.taken, o.ID)
			r.watcher.Completed(o.ID)
			continue
		case o.QoS == 1:
			r.watcher.Acked(o.ID)
		case o.QoS == 2:
			r.watcher.Received(o.ID)
			if r.taken[o.ID] {
				continue
			}
			if r.taken == nil {
				r.taken = make(map[uint16]bool)
			}
			r.taken[o.ID] = true
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
		user := ""
		if d.User != "" {
			user = ", user " + d.User
		}
		fmt.Fprintf(&r.out, "  %s: %s on %s at %s, queued %d, in %d, out %d%s\n", d.ID, d.State, d.Link, d.Address, d.Queued, d.In, d.Out, user)
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
