package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"midge/internal/peertest"
)

// tools are a pair of programs that publish and subscribe with the same flags.
type tools struct {
	name     string
	pub, sub []string
}

// ourTools are midge pub and midge sub, theirs mosquitto_pub and mosquitto_sub.
func ourTools(t *testing.T) tools {
	t.Helper()
	path := midgePath(t)
	return tools{"midge", []string{path, "pub"}, []string{path, "sub"}}
}

func theirTools(t *testing.T) tools {
	t.Helper()
	peertest.Need(t, "mosquitto_pub", "mosquitto_sub", "stdbuf")
	return tools{"mosquitto", []string{"mosquitto_pub"}, []string{"stdbuf", "-oL", "mosquitto_sub"}}
}

// end is a broker as one pair of tools and one version of MQTT see it.
type end struct {
	tools
	t       *testing.T
	port    int
	version string
}

func (e end) args(command, more []string) []string {
	return append(append(command[1:len(command):len(command)], "-h", "127.0.0.1", "-p", fmt.Sprint(e.port), "-V", e.version), more...)
}

func (e end) publish(args ...string) {
	e.t.Helper()
	if out, err := run(e.t, e.pub[0], e.args(e.pub, args)...); err != nil {
		e.t.Fatalf("%s publishes %v: %v: %s", e.name, args, err, out)
	}
}

// lines publishes lines of standard input.
func (e end) lines(lines []string, args ...string) {
	e.t.Helper()
	p := start(e.t, e.pub[0], e.args(e.pub, append(args, "-l"))...)
	for _, l := range lines {
		fmt.Fprintln(p.in, l)
	}
	p.in.Close()
	<-p.done
	if p.err != nil {
		e.t.Errorf("%s publishes lines: %v", e.name, p.err)
	}
}

// subscribe starts a subscriber that prints «topic payload». It is subscribed when it has the retained message that says so.
func (e end) subscribe(args ...string) *process {
	e.t.Helper()
	p := start(e.t, e.sub[0], e.args(e.sub, append(args, "-t", "ready", "-F", "%t %p"))...)
	p.waitFor(e.name+" is subscribed", "ready now")
	return p
}

// TestToolsCrosswise: Mosquitto's tools and midge's own, each version of MQTT, each as publisher and as subscriber.
func TestToolsCrosswise(t *testing.T) {
	s := &site{t: t, mqtt: peertest.FreePort(t)}
	s.process = startMidge(t, fmt.Sprintf(smallConfig, s.mqtt, peertest.FreePort(t), peertest.FreePort(t)))
	pairs := []tools{ourTools(t), theirTools(t)}
	publish(t, s.mqtt, "-t", "ready", "-m", "now", "-r", "-q", "1")
	for _, version := range []string{"mqttv31", "mqttv311", "mqttv5"} {
		for _, from := range pairs {
			for _, to := range pairs {
				t.Run(fmt.Sprintf("%s from %s to %s", version, from.name, to.name), func(t *testing.T) {
					pub, sub := end{from, t, s.mqtt, version}, end{to, t, s.mqtt, version}
					testLive(t, pub, sub)
					testRetained(t, pub, sub)
					testWill(t, pub, sub)
					testPersistent(t, pub, sub)
				})
			}
		}
	}
}

func testLive(t *testing.T, pub, sub end) {
	t.Helper()
	p := sub.subscribe("-t", "live/+/x", "-q", "2")
	var want []string
	for q := range 3 {
		pub.publish("-t", fmt.Sprintf("live/%d/x", q), "-m", "one", "-q", fmt.Sprint(q))
		want = append(want, fmt.Sprintf("live/%d/x one", q))
	}
	var lines []string
	for i := range 50 {
		lines = append(lines, fmt.Sprintf("line %d", i))
		want = append(want, fmt.Sprintf("live/2/x line %d", i))
	}
	pub.lines(lines, "-t", "live/2/x", "-q", "2")
	equal(t, "each message at each QoS arrives once, in order", p.waitCount("live messages", "live/", len(want)), want)
	p.stop()
}

func testRetained(t *testing.T, pub, sub end) {
	t.Helper()
	pub.publish("-t", "kept/a", "-m", "old", "-r", "-q", "0")
	pub.publish("-t", "kept/a", "-m", "value", "-r", "-q", "1")
	pub.publish("-t", "kept/b", "-m", "other", "-r", "-q", "2")
	pub.publish("-t", "kept/b", "-n", "-r", "-q", "1")
	p := sub.subscribe("-t", "kept/#", "-q", "2")
	pub.publish("-t", "kept/end", "-m", "live", "-q", "1")
	equal(t, "the last retained message comes to a new subscriber, a deleted one does not",
		p.upTo("kept/", "kept/end live"), []string{"kept/a value", "kept/end live"})
	p.stop()
}

func testWill(t *testing.T, pub, sub end) {
	t.Helper()
	p := sub.subscribe("-t", "will/#", "-q", "2")
	killed := sub.subscribe("--will-topic", "will/killed", "--will-payload", "gone", "--will-qos", "2")
	polite := sub.subscribe("--will-topic", "will/polite", "--will-payload", "gone", "--will-qos", "1")
	polite.stop()
	if sub.version == "mqttv5" {
		p.waitFor("the will that was asked for arrives", "will/polite gone")
	}
	killed.cmd.Process.Signal(syscall.SIGKILL)
	p.waitFor("the will arrives", "will/killed gone")
	pub.publish("-t", "will/end", "-m", "live", "-q", "1")
	want := []string{"will/killed gone", "will/end live"}
	if sub.version == "mqttv5" {
		want = append([]string{"will/polite gone"}, want...) // both tools ask for it: «disconnect with will message»
	}
	equal(t, "the will of who was killed comes once, that of who said goodbye if it asked for that", p.upTo("will/", "will/end live"), want)
	p.stop()
}

func testPersistent(t *testing.T, pub, sub end) {
	t.Helper()
	session := []string{"-t", "session/#", "-q", "2", "-c", "-i", "keeper"}
	p := sub.subscribe(session...)
	p.stop()
	var one, two []string
	for i := range 4 {
		message := fmt.Sprint("m", i)
		pub.publish("-t", "session/one", "-m", message, "-q", "1")
		pub.publish("-t", "session/two", "-m", message, "-q", "2")
		one, two = append(one, "session/one "+message), append(two, "session/two "+message)
	}
	p = sub.subscribe(session...)
	pub.publish("-t", "session/end", "-m", "live", "-q", "2")
	var gotOne, gotTwo []string
	for _, line := range p.upTo("session/", "session/end live") {
		switch {
		case strings.HasPrefix(line, "session/one"):
			gotOne = append(gotOne, line)
		case strings.HasPrefix(line, "session/two"):
			gotTwo = append(gotTwo, line)
		}
	}
	equal(t, "a session that was away gets everything since at QoS 1, once and in order", gotOne, one)
	equal(t, "a session that was away gets everything since at QoS 2, once and in order", gotTwo, two)
	p.stop()
	// A clean session ends it, for the next round too.
	clean := sub.subscribe("-i", "keeper")
	clean.stop()
}

// upTo returns the lines that begin with a part, up to and including the last one.
func (p *process) upTo(part, last string) (lines []string) {
	p.t.Helper()
	p.wait("the last message arrives", func(line string) bool {
		if strings.HasPrefix(line, part) {
			lines = append(lines, line)
		}
		return line == last
	})
	return lines
}
