package main

import (
	"fmt"
	"strings"
	"testing"

	"midge/internal/peertest"
	"midge/mqttsn"
	"midge/mqttsn/client"
)

// TestMountPointAgainstMosquitto: clients of a listener with a mount point, and those of one without, see the same as they do at Mosquitto.
func TestMountPointAgainstMosquitto(t *testing.T) {
	peertest.Need(t, "mosquitto", "mosquitto_sub", "mosquitto_pub")
	inner := peertest.FreePort(t)
	up := startMosquitto(t, "allow_anonymous true", fmt.Sprintf("listener %d 127.0.0.1", inner), "mount_point barn/")
	wantIn, wantOut := seenThroughMount(t, inner, up.port)
	for i := range wantIn {
		wantIn[i] = strings.TrimPrefix(wantIn[i], "barn/") // 2.0.11 does not take it off towards its clients, as its manual says and later versions do
	}
	for _, line := range []string{"a 0", "a 1", "a 2", "given by the world", "will gone"} {
		if !strings.Contains(strings.Join(wantIn, "\n"), line) {
			t.Fatalf("Mosquitto shows its client %q: %q", line, wantIn)
		}
	}
	mounted, plain := peertest.FreePort(t), peertest.FreePort(t)
	startMidge(t, fmt.Sprintf(mountConfig, mounted, plain, peertest.FreePort(t)))
	gotIn, gotOut := seenThroughMount(t, mounted, plain)
	equal(t, "who is below the mount point sees what Mosquitto's client sees", gotIn, wantIn)
	equal(t, "who is not sees what Mosquitto's client sees", gotOut, wantOut)
}

const mountConfig = `
[node]
data_dir = ""
[[listener]]
address = "127.0.0.1:%d"
mount_point = "barn/"
[[listener]]
address = "127.0.0.1:%d"
[[link]]
name = "lan"
type = "udp"
address = "127.0.0.1:%d"
mount_point = "dev/%%c/"
[http]
address = ""
`

// seenThroughMount publishes on both sides of a mount point and returns what a subscriber on each has seen. Both subscribe at once to everything and to a branch.
func seenThroughMount(t *testing.T, inner, outer int) (in, out []string) {
	t.Helper()
	publish(t, outer, "-t", "barn/kept", "-m", "given by the world", "-r", "-q", "1")
	publish(t, inner, "-t", "deep/kept", "-m", "kept below", "-r", "-q", "1")
	below := subscribe(t, inner, "-t", "#", "-q", "2")
	above := subscribe(t, outer, "-t", "#", "-q", "2")
	below.waitFor("what is retained comes", "kept below")
	above.waitFor("what is retained comes", "kept below")
	for q := range 3 {
		publish(t, inner, "-t", "a", "-m", fmt.Sprint(q), "-q", fmt.Sprint(q))
	}
	below.waitFor("the message at QoS 2 comes", "a 2") // mosquitto_sub shows it at its PUBREL, which later messages may overtake
	above.waitFor("the message at QoS 2 comes", "a 2")
	publish(t, outer, "-t", "barn/from/outside", "-m", "1", "-q", "1")
	publish(t, outer, "-t", "barns/no", "-m", "1", "-q", "1")
	publish(t, outer, "-t", "elsewhere", "-m", "1", "-q", "1")
	doomed := subscribe(t, inner, "-t", "none", "--will-topic", "will", "--will-payload", "gone", "--will-qos", "1")
	doomed.cmd.Process.Kill()
	below.waitFor("the will comes", "will gone")
	publish(t, outer, "-t", "barn/end", "-m", "now", "-q", "1")
	below.waitFor("the last message comes", "end now")
	above.waitFor("the last message comes", "barn/end now")
	return messagesOf(below), messagesOf(above)
}

func messagesOf(p *process) (lines []string) {
	for _, line := range p.output() {
		if !strings.HasPrefix(line, "Subscribed") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestDevicesBelowAMountPoint: two devices with the same firmware, each in a branch of its own that it knows nothing of.
func TestDevicesBelowAMountPoint(t *testing.T) {
	mounted, plain, sn := peertest.FreePort(t), peertest.FreePort(t), peertest.FreePort(t)
	s := &site{t: t, mqtt: plain, sn: sn, process: startMidge(t, fmt.Sprintf(mountConfig, mounted, plain, sn))}
	all := subscribe(t, s.mqtt, "-t", "#", "-q", "1")
	devices := map[string]*device{"one": newDevice(t, s.udp(), quick("one")), "two": newDevice(t, s.udp(), quick("two"))}
	for id, d := range devices {
		d.connect()
		d.subscribe("cmd", mqttsn.AtLeastOnce)
		d.publish("temp", "from "+id, mqttsn.AtLeastOnce)
		all.waitFor("a device's message is in its branch", "dev/"+id+"/temp from "+id)
	}
	publish(t, s.mqtt, "-t", "dev/two/cmd", "-m", "open", "-q", "1")
	if m := await[client.Message](devices["two"], "a command comes"); m.Topic != "cmd" || string(m.Payload) != "open" {
		t.Errorf("it comes under the name that the device knows: %+v", m)
	}
	publish(t, s.mqtt, "-t", "dev/one/cmd", "-m", "close", "-q", "1")
	if m := await[client.Message](devices["one"], "a command comes"); string(m.Payload) != "close" {
		t.Errorf("nobody hears another's command: %+v", m)
	}
}
