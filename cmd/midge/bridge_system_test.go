package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"midge/internal/certtest"
	"midge/internal/peertest"
)

// central is a central broker that lets in who has a certificate of its authority and a password.
type central struct {
	*mosquitto
	ca        *certtest.Authority
	cert, key string   // a client's
	login     []string // flags of Mosquitto's tools
}

func startCentral(t *testing.T) *central {
	t.Helper()
	peertest.Need(t, "mosquitto_passwd")
	passwords := filepath.Join(t.TempDir(), "passwords")
	if out, err := exec.Command("mosquitto_passwd", "-b", "-c", passwords, "barn", "se cret").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v: %s", err, out)
	}
	c := &central{ca: certtest.New(t)}
	server, client := c.ca.Issue("central"), c.ca.Issue("barn")
	c.cert, c.key = client.CertFile, client.KeyFile
	c.mosquitto = startMosquitto(t, "allow_anonymous false", "password_file "+passwords,
		"cafile "+c.ca.File, "certfile "+server.CertFile, "keyfile "+server.KeyFile, "require_certificate true")
	c.login = []string{"-u", "barn", "-P", "se cret", "--cafile", c.ca.File, "--cert", c.cert, "--key", c.key}
	return c
}

const centralBridge = `
[node]
id = "barn"
data_dir = ""
[[listener]]
address = "127.0.0.1:%d"
[[link]]
name = "lan"
type = "udp"
address = "127.0.0.1:%d"
[http]
address = "127.0.0.1:%d"
[[bridge]]
name = "cloud"
address = "mqtts://127.0.0.1:%d"
username = "barn"
password = "%s"
ca_file = "%s"
cert_file = "%s"
key_file = "%s"
[[bridge.topic]]
filter = "shared/#"
direction = "both"
qos = 2
`

// newBridged starts a midge that bridges to the central broker.
func newBridged(t *testing.T, up *central, password, caFile string) *site {
	t.Helper()
	s := &site{t: t, mqtt: peertest.FreePort(t), sn: peertest.FreePort(t), health: peertest.FreePort(t)}
	s.process = startMidge(t, fmt.Sprintf(centralBridge, s.mqtt, s.sn, s.health, up.port, password, caFile, up.cert, up.key))
	return s
}

// feed is a publisher of lines.
func feed(t *testing.T, port int, args ...string) *process {
	t.Helper()
	return start(t, "mosquitto_pub", append([]string{"-h", "127.0.0.1", "-p", fmt.Sprint(port), "-l", "-q", "2"}, args...)...)
}

// endInput lets a feed send what it has, and waits for it.
func (p *process) endInput() {
	p.t.Helper()
	p.in.Close()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end after its last line", p.name)
	}
}

// TestBridgeBothWays: over TLS with certificate and password, both ways on the same topics, each message is at each broker once and in
// order, also when the central broker restarts.
func TestBridgeBothWays(t *testing.T) {
	up := startCentral(t)
	state := subscribe(t, up.port, append(up.login, "-t", "midge/barn/cloud/state", "-q", "1", "-i", "state", "-c")...)
	s := newBridged(t, up, "se cret", up.ca.File)
	state.waitFor("the bridge says upstream that it is there", "state 1")
	here := subscribe(t, s.mqtt, "-t", "shared/#", "-q", "2")
	there := subscribe(t, up.port, append(up.login, "-t", "shared/#", "-q", "2", "-i", "archive", "-c")...)
	var wantHere, wantThere []string // what was published here, and there
	const n = 50
	bothWays := func(phase string) {
		f, g := feed(t, s.mqtt, "-t", "shared/here"), feed(t, up.port, append(up.login, "-t", "shared/there")...)
		for i := range n {
			fmt.Fprintln(f.in, phase, i)
			fmt.Fprintln(g.in, phase, i)
			wantHere = append(wantHere, fmt.Sprint("shared/here ", phase, " ", i))
			wantThere = append(wantThere, fmt.Sprint("shared/there ", phase, " ", i))
		}
		f.endInput()
		g.endInput()
	}
	bothWays("before")
	for _, sub := range []*process{here, there} {
		sub.waitCount("what was published here", "shared/here", n)
		sub.waitCount("what was published there", "shared/there", n)
	}
	// Mosquitto 2.0 sends again, as new, what it has not seen the PUBCOMP of when it stops.
	up.waitCount("the subscriber at the central broker is done", "Received PUBCOMP from archive", 2*n)
	up.waitCount("the bridge is done", "Received PUBCOMP from midge-barn-cloud", n)
	up.stop()
	s.wait("midge notices that the central broker has gone", func(line string) bool {
		return strings.Contains(line, "level=WARN") && strings.Contains(line, "bridge=cloud")
	})
	f := feed(t, s.mqtt, "-t", "shared/here")
	for i := range n {
		fmt.Fprintln(f.in, "meanwhile", i)
		wantHere = append(wantHere, fmt.Sprint("shared/here meanwhile ", i))
	}
	f.endInput()
	up.again()
	there.waitFor("what was published meanwhile reaches the central broker", wantHere[2*n-1])
	bothWays("after")

	// A message that went round would be seen before these.
	publish(t, s.mqtt, "-t", "shared/here", "-m", "end", "-q", "2")
	there.waitFor("the last message from here", "shared/here end")
	publish(t, up.port, append(up.login, "-t", "shared/there", "-m", "end", "-q", "2")...)
	wantHere, wantThere = append(wantHere, "shared/here end"), append(wantThere, "shared/there end")
	for name, sub := range map[string]*process{"midge": here, "the central broker": there} {
		sub.waitFor("the last message from there", "shared/there end")
		equal(t, "at "+name+" what was published at midge is seen once and in order", sub.linesWith("shared/here"), wantHere)
		equal(t, "at "+name+" what was published at the central broker is seen once and in order", sub.linesWith("shared/there"), wantThere)
	}
	s.cmd.Process.Signal(syscall.SIGKILL)
	state.waitFor("the central broker says that the bridge has gone", "state 0")
}

// linesWith returns the lines so far that have a part.
func (p *process) linesWith(part string) (lines []string) {
	for _, line := range p.output() {
		if strings.Contains(line, part) {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestBridgeRefused: a bridge that is not let in says why, and the box works.
func TestBridgeRefused(t *testing.T) {
	up := startCentral(t)
	for why, s := range map[string]*site{
		"not authorised to connect":               newBridged(t, up, "wrong", up.ca.File),
		"certificate signed by unknown authority": newBridged(t, up, "se cret", certtest.New(t).File),
	} {
		s.wait("midge says why it is not let in: "+why, func(line string) bool {
			return strings.Contains(line, "level=WARN") && strings.Contains(line, "bridge=cloud") && strings.Contains(line, why)
		})
		sub := subscribe(t, s.mqtt, "-t", "shared/#", "-q", "1")
		publish(t, s.mqtt, "-t", "shared/x", "-m", "here", "-q", "1")
		sub.waitFor("local messages arrive", "shared/x here")
		if got := s.get("/metrics"); !strings.Contains(got, `midge_bridge_connected{bridge="cloud"} 0`) || !strings.Contains(got, `midge_bridge_backlog_messages{bridge="cloud"} 1`) {
			t.Errorf("the figures say that the bridge is not connected and one message waits:\n%s", got)
		}
		if got := s.get("/healthz"); !strings.HasPrefix(got, "200\n") {
			t.Errorf("the box is well: %s", got)
		}
	}
}
