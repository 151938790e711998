package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"midge/internal/peertest"
	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports"
	"midge/transports/faults"
	"midge/transports/serial"
	"midge/transports/udp"
)

// site is a midge with every kind of front end, on ports of its own.
type site struct {
	t                *testing.T
	mqtt, sn, health int
	device           string // path that the serial link opens
	*process
}

const siteConfig = `
[node]
id = "barn"
data_dir = ""
[log]
level = "debug"
[[listener]]
address = "127.0.0.1:%d"
[[link]]
name = "lan"
type = "udp"
address = "127.0.0.1:%d"
retry_interval = "300ms"
retry_count = 10
[[link]]
name = "field"
type = "serial"
device = "%s"
framing = "%s"
retry_interval = "300ms"
retry_count = 10
[http]
address = "127.0.0.1:%d"
`

const siteBridge = `
[[bridge]]
name = "cloud"
address = "mqtt://127.0.0.1:%d"
[[bridge.topic]]
filter = "sensors/#"
direction = "out"
qos = 2
remote_prefix = "barn/"
[[bridge.topic]]
filter = "cmd/#"
direction = "in"
qos = 1
remote_prefix = "barn/"
`

// newSite starts a midge; upstream is the port of a central broker, 0 for none.
func newSite(t *testing.T, upstream int, framing, device string) *site {
	t.Helper()
	s := &site{t: t, mqtt: peertest.FreePort(t), sn: peertest.FreePort(t), health: peertest.FreePort(t), device: device}
	config := fmt.Sprintf(siteConfig, s.mqtt, s.sn, s.device, framing, s.health)
	if upstream != 0 {
		config += fmt.Sprintf(siteBridge, upstream)
	}
	s.process = startMidge(t, config)
	return s
}

// pty makes a virtual serial line: the path that midge opens and the device's end as a link.
func pty(t *testing.T, framing string) (path string, end transports.Link) {
	t.Helper()
	link, pts, err := serial.OnPty(serial.Config{Framing: framing})
	if err != nil {
		peertest.Cannot(t, "no virtual serial line: %v", err)
	}
	path = filepath.Join(t.TempDir(), "tty")
	if err := os.Symlink(pts, path); err != nil {
		t.Fatal(err)
	}
	end = ttyLink{link, path}
	t.Cleanup(func() { end.Close() })
	return path, end
}

// ttyLink is a line whose path goes when it is closed: the system gives the number of the pseudo-terminal to the next that is made, by another test perhaps,
// and a midge that waits for its device to come back would take that.
type ttyLink struct {
	transports.Link
	path string
}

func (l ttyLink) Close() error {
	os.Remove(l.path)
	return l.Link.Close()
}

func (s *site) udp() transports.Link {
	s.t.Helper()
	l, err := udp.Dial(fmt.Sprintf("127.0.0.1:%d", s.sn))
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

func (s *site) get(path string) string {
	s.t.Helper()
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", s.health, path))
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	return fmt.Sprintf("%d\n%s", r.StatusCode, body)
}

func quick(id string) client.Config {
	return client.Config{ClientID: id, KeepAlive: time.Minute, Retry: 300 * time.Millisecond, Retries: 20, Reconnect: time.Second}
}

// TestDevicesReachEveryone: a device on UDP and one on a serial line, a subscriber here and one at the central broker.
func TestDevicesReachEveryone(t *testing.T) {
	for _, framing := range []string{"raw", "hdlc"} {
		t.Run(framing, func(t *testing.T) {
			up := startMosquitto(t)
			path, line := pty(t, framing)
			s := newSite(t, up.port, framing, path)
			here := subscribe(t, s.mqtt, "-t", "sensors/#", "-q", "2")
			there := subscribe(t, up.port, "-t", "barn/sensors/#", "-q", "2")
			lan := newDevice(t, s.udp(), quick("lan-device"))
			field := newDevice(t, line, quick("field-device"))
			for _, d := range []*device{lan, field} {
				d.connect()
			}
			for q := range mqttsn.QoS(3) {
				lan.publish("sensors/lan", fmt.Sprintf("lan-%d", q), q)
				field.publish("sensors/field", fmt.Sprintf("field-%d", q), q)
			}
			for _, from := range []string{"lan", "field"} {
				var wantHere, wantThere []string
				for q := range 3 {
					wantHere = append(wantHere, fmt.Sprintf("sensors/%s %s-%d", from, from, q))
					wantThere = append(wantThere, "barn/"+wantHere[q])
				}
				equal(t, "the local subscriber gets each message once, in order",
					here.waitCount("local subscriber", from+"-", 3), wantHere)
				equal(t, "the subscriber at the central broker gets each message once, in order",
					there.waitCount("upstream subscriber", from+"-", 3), wantThere)
			}
		})
	}
}

func equal(t *testing.T, sentence string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", sentence, got, want)
	}
}

// TestCommandReachesSleeper: what the central broker publishes waits for a sleeping device and comes once at its next wake-up.
func TestCommandReachesSleeper(t *testing.T) {
	up := startMosquitto(t)
	path, line := pty(t, "raw")
	s := newSite(t, up.port, "raw", path)
	s.waitFor("the bridge connects", "bridge connected")
	sleepers := []*device{newDevice(t, s.udp(), quick("lan-sleeper")), newDevice(t, line, quick("field-sleeper"))}
	for _, d := range sleepers {
		d.connect()
		d.subscribe("cmd/#", mqttsn.AtLeastOnce)
		d.do("sleep", func(c *client.Client, now time.Time) error { return c.Sleep(now, time.Minute) })
		await[client.FellAsleep](d, "the gateway acknowledges the sleep")
	}
	local := subscribe(t, s.mqtt, "-t", "cmd/#")
	publish(t, up.port, "-t", "barn/cmd/valve", "-m", "open", "-q", "1")
	local.waitFor("the command arrives at the box", "cmd/valve open")
	for _, d := range sleepers {
		for _, want := range []int{1, 0} {
			d.do("wake", func(c *client.Client, now time.Time) error { return c.Wake(now) })
			if got := d.commandsUntilAsleep(); got != want {
				t.Errorf("a command comes at the next wake-up, once: got %d, want %d", got, want)
			}
		}
		d.do("counters", func(c *client.Client, _ time.Time) error {
			if n := c.Counters().WhileAsleep; n != 0 {
				t.Errorf("nothing is sent to a sleeping device: it heard %d messages", n)
			}
			return nil
		})
	}
}

// commandsUntilAsleep counts the messages of one wake-up.
func (d *device) commandsUntilAsleep() (n int) {
	d.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e := <-d.events:
			switch e.(type) {
			case client.Message:
				n++
			case client.AwakeEnded:
				return n
			}
		case <-deadline:
			d.t.Fatal("PINGRESP ends the wake-up: it did not come")
		}
	}
}

// TestUplinkCut: while the central broker is away, messages at QoS 1 and 2 wait; then all arrive, in order.
func TestUplinkCut(t *testing.T) {
	up := startMosquitto(t)
	path, _ := pty(t, "raw")
	s := newSite(t, up.port, "raw", path)
	s.waitFor("the bridge connects", "bridge connected")
	there := subscribe(t, up.port, "-t", "barn/sensors/#", "-q", "2", "-i", "archive", "-c")
	feed := start(t, "mosquitto_pub", "-h", "127.0.0.1", "-p", fmt.Sprint(s.mqtt), "-t", "sensors/one", "-l", "-q", "1")
	feed2 := start(t, "mosquitto_pub", "-h", "127.0.0.1", "-p", fmt.Sprint(s.mqtt), "-t", "sensors/two", "-l", "-q", "2")
	here := subscribe(t, s.mqtt, "-t", "sensors/#", "-q", "2")
	const n = 300
	var want1, want2 []string
	for i := range n {
		switch i {
		case n / 3:
			up.stop()
			s.wait("midge notices that the central broker has gone", func(line string) bool {
				return strings.Contains(line, "level=WARN") && strings.Contains(line, "bridge=cloud")
			})
		case 2 * n / 3:
			here.waitCount("everything so far has reached the local broker", "sensors/", 2*i)
			up.again()
		}
		fmt.Fprintf(feed.in, "m%d\n", i)
		fmt.Fprintf(feed2.in, "m%d\n", i)
		want1 = append(want1, fmt.Sprintf("barn/sensors/one m%d", i))
		want2 = append(want2, fmt.Sprintf("barn/sensors/two m%d", i))
	}
	equal(t, "QoS 2: nothing lost, nothing twice, in order", there.waitCount("QoS 2 upstream", "sensors/two", n), want2)
	there.waitFor("the last message at QoS 1 arrives", want1[n-1])
	var got1 []string
	for _, line := range there.output() {
		if strings.Contains(line, "sensors/one") && !slices.Contains(got1, line) {
			got1 = append(got1, line)
		}
	}
	equal(t, "QoS 1: nothing lost, in order", got1, want1)
}

// TestLossyRadio: every fifth frame is lost each way; QoS 1 loses nothing and QoS 2 comes exactly once, up and down.
func TestLossyRadio(t *testing.T) {
	path, _ := pty(t, "raw")
	s := newSite(t, 0, "raw", path)
	here := subscribe(t, s.mqtt, "-t", "up/#", "-q", "2")
	lossy := faults.Wrap(s.udp(), faults.Faults{Loss: 0.2, Seed: 1})
	cfg := quick("lossy")
	cfg.QueueMax = 1000
	d := newDevice(t, lossy, cfg)
	d.connect()
	d.subscribe("down/+", mqttsn.ExactlyOnce)
	const n = 40
	for i := range n {
		d.publish("up/one", fmt.Sprintf("m%d", i), mqttsn.AtLeastOnce)
		d.publish("up/two", fmt.Sprintf("m%d", i), mqttsn.ExactlyOnce)
		publish(t, s.mqtt, "-t", "down/two", "-m", fmt.Sprintf("m%d", i), "-q", "2")
	}
	for i := range n {
		m := await[client.Message](d, "a command at QoS 2 arrives")
		if got, want := string(m.Payload), fmt.Sprintf("m%d", i); got != want {
			t.Fatalf("commands at QoS 2 arrive once and in order: got %s, want %s", got, want)
		}
	}
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("up/two m%d", i))
		here.waitFor("a message at QoS 1 is not lost", fmt.Sprintf("up/one m%d", i))
	}
	equal(t, "QoS 2 through a radio that loses every fifth frame: once and in order", here.waitCount("QoS 2", "up/two", n), want)
}

// TestUnplug: the adapter goes and comes back; midge stays and the device goes on.
func TestUnplug(t *testing.T) {
	first, line := pty(t, "raw")
	link := filepath.Join(t.TempDir(), "adapter")
	if err := os.Symlink(first, link); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, 0, "raw", link)
	here := subscribe(t, s.mqtt, "-t", "sensors/#", "-q", "1")
	d := newDevice(t, line, quick("field"))
	d.connect()
	d.publish("sensors/field", "before", mqttsn.AtLeastOnce)
	here.waitFor("the device is heard", "before")

	os.Remove(link)
	line.Close()
	until(t, "health says that the adapter is gone", func() bool { return strings.HasPrefix(s.get("/healthz"), "503\n") })

	second, line := pty(t, "raw")
	if err := os.Symlink(second, link); err != nil {
		t.Fatal(err)
	}
	d = newDevice(t, line, quick("field"))
	d.connect()
	d.publish("sensors/field", "after", mqttsn.AtLeastOnce)
	here.waitFor("the device is heard again", "after")
	until(t, "health is good again", func() bool { return strings.HasPrefix(s.get("/healthz"), "200\n") })
}

// until asks again and again for something that a process does in its own time.
func until(t *testing.T, sentence string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: it did not happen", sentence)
}

// TestHealthAndMetrics: figures exist from the start, zeros too, and move.
func TestHealthAndMetrics(t *testing.T) {
	path, _ := pty(t, "raw")
	s := newSite(t, peertest.FreePort(t), "raw", path) // nobody listens upstream: that is no illness
	if got := s.get("/healthz"); !strings.HasPrefix(got, "200\n") {
		t.Errorf("a box whose uplink is down is well: %s", got)
	}
	before := s.get("/metrics")
	for _, want := range []string{
		`midge_messages_received_total{protocol="mqttsn",qos="2"} 0`,
		`midge_bridge_connected{bridge="cloud"} 0`,
		`midge_link_up{link="field"`,
		`reason="queue_full"} 0`,
		`midge_connection_faults_total{reason="malformed_packet"} 0`,
		`midge_connections_refused_total{reason="tls_handshake"} 0`,
	} {
		if !strings.Contains(before, want) {
			t.Errorf("metrics have %s from the start:\n%s", want, before)
		}
	}
	publish(t, s.mqtt, "-t", "sensors/x", "-m", "1", "-q", "1")
	if after := s.get("/metrics"); !strings.Contains(after, `midge_messages_received_total{protocol="mqtt",qos="1"} 1`) {
		t.Errorf("a message at QoS 1 is counted:\n%s", after)
	}
}
