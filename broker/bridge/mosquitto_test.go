package bridge

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/internal/peertest"
)

const stateTopic = "midge/box/bridge/cloud/state"

func TestMosquittoDirectionsAndPassword(t *testing.T) {
	peertest.Need(t, "mosquitto_passwd")
	dir := t.TempDir()
	passwords := filepath.Join(dir, "passwords")
	if out, err := exec.Command("mosquitto_passwd", "-b", "-c", passwords, "box", "secret").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd writes a file: %v %s", err, out)
	}
	m := startMosquitto(t, "allow_anonymous false", "password_file "+passwords)
	login := func(o *paho.ClientOptions) { o.SetUsername("box").SetPassword("secret") }
	up := m.client("observer", login).subscribe("#")
	p := startPlace(t, Config{Address: m.address("mqtt"), Username: "box", Password: "secret", Topics: []Topic{
		{Filter: "#", Direction: Out, QoS: 2, LocalPrefix: "sensors/", RemotePrefix: "site1/"},
		{Filter: "cmd/#", Direction: In, QoS: 2, LocalPrefix: "", RemotePrefix: "site1/"},
		{Filter: "shared/#", Direction: Both, QoS: 2},
	}})
	p.subscribe("cmd/#")
	p.subscribe("shared/#")
	up.want("the bridge says that it is there", stateTopic+"=1 q1")

	p.publish(0, false, "sensors/a", "0")
	p.publish(1, false, "sensors/a", "1")
	p.publish(2, true, "sensors/b", "2")
	up.want("out, with the prefixes changed", "site1/a=0 q0", "site1/a=1 q1", "site1/b=2 q2")

	up.publish(1, true, "site1/cmd/valve", "open")
	up.want("its own", "site1/cmd/valve=open q1")
	p.want("in, with the prefixes changed and Retain kept", "cmd/valve=open q1 retain")
	up.publish(2, false, "site1/cmd/valve", "shut")
	up.want("its own", "site1/cmd/valve=shut q2")
	p.want("in at QoS 2", "cmd/valve=shut q2")

	// Both: each message is seen once on each side, and a marker behind it shows that nothing came between.
	p.publish(2, false, "shared/x", "from here")
	p.want("the local subscriber has it once", "shared/x=from here q2")
	up.want("upstream has it once", "shared/x=from here q2")
	up.publish(2, false, "shared/x", "from there")
	up.want("upstream has it once", "shared/x=from there q2")
	p.want("the local subscriber has it once", "shared/x=from there q2")
	for i := range 20 {
		p.publish(1, false, "shared/y", fmt.Sprint(i))
		line := fmt.Sprintf("shared/y=%d q1", i)
		p.want("no loop, no second copy", line)
		up.want("no loop, no second copy", line)
	}
	p.stop()
	up.want("a bridge that stops says so", stateTopic+"=0 q1")
	if s := p.bridge.Status(); s.Backlog != 0 || s.Resent != 0 || s.Dropped["echo"] != 0 {
		t.Errorf("nothing is left, nothing went twice: %+v", s)
	}
}

func TestMosquittoTLS(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	server := ca.issue(t, dir, "localhost")
	device := ca.issue(t, dir, "box")
	m := startMosquitto(t, "allow_anonymous true", "cafile "+ca.file, "certfile "+server.cert, "keyfile "+server.key, "require_certificate true")
	pair, err := tls.LoadX509KeyPair(device.cert, device.key)
	if err != nil {
		t.Fatal(err)
	}
	secure := func(o *paho.ClientOptions) {
		o.Servers = nil
		o.AddBroker(m.address("ssl")).SetTLSConfig(&tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{pair}})
	}
	up := m.client("observer", secure).subscribe("#")
	p := startPlace(t, Config{Address: m.address("mqtts"), CAFile: ca.file, CertFile: device.cert, KeyFile: device.key,
		Topics: []Topic{{Filter: "s/#", Direction: Both, QoS: 2}}})
	up.want("it connects with its certificate", stateTopic+"=1 q1")
	p.publish(2, false, "s/a", "x")
	up.want("and carries", "s/a=x q2")
	p.subscribe("s/b")
	up.publish(2, false, "s/b", strings.Repeat("y", 100_000))
	up.publish(1, false, "s/b", "small")
	p.want("both ways", "s/b="+strings.Repeat("y", 100_000)+" q2", "s/b=small q1")
}

func TestBadFilesAreOneSentence(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	os.WriteFile(empty, nil, 0o600)
	rows := []struct {
		cfg  Config
		want string
	}{
		{Config{CAFile: filepath.Join(dir, "none.pem")}, "bridge cloud: CA file cannot be read: open " + dir + "/none.pem: no such file or directory"},
		{Config{CAFile: empty}, "bridge cloud: CA file " + empty + " holds no certificate in PEM"},
		{Config{CertFile: empty, KeyFile: empty}, "bridge cloud: client certificate " + empty + " with key " + empty + " cannot be used: tls: failed to find any PEM data in certificate input"},
		{Config{Address: "ftp://x"}, `bridge cloud: address has the unknown scheme "ftp"; write mqtt:// or mqtts://`},
		{Config{Address: "x:1883"}, `bridge cloud: address is not a URL; write for example "mqtts://broker.example.com:8883"`},
		{Config{Topics: []Topic{{Filter: "a/#/b"}}}, `bridge cloud: topic "a/#/b" cannot be bridged as "a/#/b": '#' must be the last level and stand alone in it`},
	}
	for _, row := range rows {
		if row.cfg.Address == "" {
			row.cfg.Address = "mqtts://localhost"
		}
		row.cfg.Name, row.cfg.ClientID, row.cfg.AvailabilityTopic = "cloud", "box-cloud", stateTopic
		err := New(broker.New(broker.Limits{}), row.cfg, slog.New(slog.DiscardHandler)).Open()
		if err == nil || err.Error() != row.want {
			t.Errorf("what cannot work is one sentence at the start:\ngot  %v\nwant %s", err, row.want)
		}
	}
}

// TestMosquittoOutage stops the upstream, publishes meanwhile, and starts it again.
func TestMosquittoOutage(t *testing.T) {
	m := startMosquitto(t, "allow_anonymous true")
	var uplink sync.Mutex // held by the test while somebody else is to be subscribed first
	p := startPlaceWith(t, Config{Address: m.address("mqtt"), Topics: []Topic{
		{Filter: "s/#", Direction: Out, QoS: 2}, {Filter: "c/#", Direction: In, QoS: 2},
	}}, func(ctx context.Context) (net.Conn, error) {
		uplink.Lock()
		defer uplink.Unlock()
		return new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", m.Port))
	})
	p.subscribe("c/#")
	once := func(o *paho.ClientOptions) { o.SetAutoReconnect(false) }
	up := m.client("observer", once).subscribe("s/#")
	phase := func(name string, n int) (want []string) {
		for i := range n {
			qos := mqtt.QoS(1 + i%2)
			topic := fmt.Sprintf("s/q%d", qos)
			p.publish(qos, false, topic, fmt.Sprint(name, i))
			want = append(want, fmt.Sprintf("%s=%s%d q%d", topic, name, i, qos))
		}
		return want
	}
	want := phase("before", 200)
	compare(t, "before the outage", up.collect(len(want)), want)
	uplink.Lock()
	m.Stop()
	want = phase("during", 500)
	m.Start()
	up = m.client("observer", once).subscribe("s/#")
	uplink.Unlock()
	want = append(want, phase("after", 100)...)
	compare(t, "every message arrives once and in order after the outage", up.collect(len(want)), want)
	up.publish(2, false, "c/x", "down again")
	p.want("the subscription upstream is there again too", "c/x=down again q2")
	if s := p.bridge.Status(); s.Uncertain != 0 || s.Connects < 2 {
		t.Errorf("the upstream kept the session: %+v", s)
	}
}

// compare compares message by message, each topic on its own: order is promised per topic.
func compare(t *testing.T, sentence string, got, want []string) {
	t.Helper()
	g, w := byTopic(got), byTopic(want)
	for topic := range w {
		for i := range w[topic] {
			if i >= len(g[topic]) || g[topic][i] != w[topic][i] {
				t.Fatalf("%s: message %d of %s is %q, want %q", sentence, i, topic, at(g[topic], i), w[topic][i])
			}
		}
		if len(g[topic]) > len(w[topic]) {
			t.Fatalf("%s: %d messages of %s, want %d", sentence, len(g[topic]), topic, len(w[topic]))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "missing"
}

func byTopic(lines []string) map[string][]string {
	m := make(map[string][]string)
	for _, l := range lines {
		topic, _, _ := strings.Cut(l, "=")
		m[topic] = append(m[topic], l)
	}
	return m
}

// TestMosquittoCutsUnderLoad cuts the connection again and again while messages at QoS 2 cross both ways.
func TestMosquittoCutsUnderLoad(t *testing.T) {
	const n = 1500
	m := startMosquitto(t, "allow_anonymous true")
	cutter := newCutter(t, m.Port)
	done := make(chan struct{})
	go func() { // each cut comes after some traffic, at a place in the stream that nobody chose
		defer close(done)
		for range 25 {
			cutter.cutAfter(5_000)
		}
		cutter.rest()
	}()
	p := startPlace(t, Config{Address: fmt.Sprintf("mqtt://%s", cutter.l.Addr()), Topics: []Topic{
		{Filter: "s/#", Direction: Out, QoS: 2}, {Filter: "c/#", Direction: In, QoS: 2},
	}})
	up := m.client("observer", nil).subscribe("s/#")
	p.subscribe("c/#")
	var wantUp, wantHere []string
	for i := range n {
		p.publish(2, false, "s/a", fmt.Sprint(i))
		wantUp = append(wantUp, fmt.Sprintf("s/a=%d q2", i))
	}
	for i := range n {
		wantHere = append(wantHere, fmt.Sprintf("c/a=%d q2", i))
	}
	pub := m.client("publisher", nil)
	for i := range n {
		pub.publish(2, false, "c/a", fmt.Sprint(i)) // one at a time: Mosquitto closes on more than twenty
	}
	compare(t, "QoS 2 upstream: once and in order", up.collect(n), wantUp)
	p.want("QoS 2 from upstream: once and in order", wantHere...)
	cutter.rest()
	<-done
	if s := p.bridge.Status(); s.Connects < 5 || s.Uncertain != 0 {
		t.Errorf("the connection was cut often: %+v", s)
	} else {
		t.Logf("%d connections, %d messages sent again", s.Connects, s.Resent)
	}
}
