package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"midge/internal/peertest"
	"midge/mqttsn"
	"midge/mqttsn/client"
)

// arm64 is midge for a 64-bit Raspberry Pi, built once.
var arm64 = sync.OnceValues(func() (string, error) {
	return build("midge-arm64", "GOOS=linux", "GOARCH=arm64")
})

// TestARM64 runs the static arm64 binary in an emulator: it tells its version, and serves a device, Mosquitto's tools and its own.
func TestARM64(t *testing.T) {
	peertest.Need(t, "qemu-aarch64-static")
	path, err := arm64()
	if err != nil {
		t.Fatal(err)
	}
	qemu := func(args ...string) []string { return append([]string{path}, args...) }
	if out, err := run(t, "qemu-aarch64-static", qemu("version")...); err != nil || !strings.HasSuffix(out, " linux/arm64\n") {
		t.Fatalf("the binary says what it is: got %q, %v", out, err)
	}

	s := &site{t: t, mqtt: peertest.FreePort(t), sn: peertest.FreePort(t)}
	config := fmt.Sprintf("[node]\ndata_dir = \"\"\n[[listener]]\naddress = \"127.0.0.1:%d\"\n[[link]]\nname = \"lan\"\ntype = \"udp\"\naddress = \"127.0.0.1:%d\"\n[http]\naddress = \"\"\n",
		s.mqtt, s.sn)
	s.process = start(t, "qemu-aarch64-static", qemu("run", "-c", writeFile(t, "config.toml", config))...)
	s.waitFor("midge says when it is ready", "midge is ready")

	theirs := subscribe(t, s.mqtt, "-t", "sensors/#", "-q", "2")
	port := fmt.Sprint(s.mqtt)
	ours := start(t, "qemu-aarch64-static", qemu("sub", "-p", port, "-t", "sensors/#", "-q", "2", "-v", "-i", "ours")...)
	// midge sub says nothing when it is subscribed, but gets a retained message then.
	if out, err := run(t, "qemu-aarch64-static", qemu("pub", "-p", port, "-t", "sensors/pub", "-m", "from midge pub", "-q", "2", "-r")...); err != nil {
		t.Fatalf("midge pub publishes: %v: %s", err, out)
	}
	for _, sub := range []*process{theirs, ours} {
		sub.waitFor("what midge pub sent arrives", "sensors/pub from midge pub")
	}
	d := newDevice(t, s.udp(), quick("device"))
	d.connect()
	for q := range mqttsn.QoS(3) {
		d.publish("sensors/device", fmt.Sprint("reading ", q), q)
		await[client.Published](d, "the device's message is taken")
	}
	want := []string{"sensors/device reading 0", "sensors/device reading 1", "sensors/device reading 2"}
	for _, sub := range []*process{theirs, ours} {
		equal(t, "the subscriber gets each message of the device once, in order", sub.waitCount("subscriber", "reading", 3), want)
	}
	d.subscribe("cmd/device", mqttsn.AtLeastOnce)
	publish(t, s.mqtt, "-t", "cmd/device", "-m", "open", "-q", "1")
	if m := await[client.Message](d, "a command comes down"); string(m.Payload) != "open" {
		t.Errorf("the command is as it was sent: got %q", m.Payload)
	}
	s.stop()
	if s.err != nil {
		t.Errorf("SIGTERM ends midge without an error: %v", s.err)
	}
}
