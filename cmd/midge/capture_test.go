package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"midge/internal/peertest"
	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports/trace"
)

// TestTsharkReadsEverything captures what midge says and hears on the loopback interface and on a serial line, and lets a dissector that
// shares nothing with midge read it: no malformed packet, and every type of packet is there.
func TestTsharkReadsEverything(t *testing.T) {
	peertest.Need(t, "tshark")
	path, line := pty(t, "hdlc")
	var field bytes.Buffer
	s := &site{t: t, mqtt: peertest.FreePort(t), sn: peertest.FreePort(t)}
	s.process = startMidge(t, fmt.Sprintf(captureConfig, s.mqtt, s.sn, path))
	tap := startCapture(t, s.sn, s.mqtt)

	radioTraffic(t, s, tap)
	for level, version := range map[byte]string{3: "mqttv31", 4: "mqttv311", 5: "mqttv5"} {
		brokerTraffic(t, s.mqtt, version)
		pingAndTakeover(t, s.mqtt, level)
	}
	// The recorder is made for the gateway's end; here it stands at the device's, so that each frame has the other direction.
	d := newDevice(t, trace.Wrap(line, &field), willing("field"))
	deviceLife(t, s, d)
	for await[client.GatewayFound](d, "the gateway advertises itself").Advertised == 0 {
	}
	d.link.Close()
	<-d.done // nothing more is recorded

	lan := tap.end()
	lan.wantTypes("mqttsn.msg.type", mqttsnTypes(0x00, 0xFE))
	lan.wantTypes("mqtt.msgtype", map[string]int{"1": 9, "2": 9, "3": 20, "4": 3, "5": 6, "6": 6, "7": 6, "8": 3, "9": 3, "10": 3, "11": 3, "12": 3, "13": 3, "14": 9})
	lan.wantTypes("mqtt.ver", map[string]int{"3": 3, "4": 3, "5": 3})
	serial := &dissection{t: t, file: filepath.Join(t.TempDir(), "field.pcap"), decode: []string{"-d", "udp.port==1883,mqttsn"}}
	if err := os.WriteFile(serial.file, field.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	serial.wantNothingWrong()
	serial.wantTypes("mqttsn.msg.type", mqttsnTypes(0x00))
	lan.wantNothingWrong()
}

const captureConfig = `
[node]
data_dir = ""
[[listener]]
address = "127.0.0.1:%d"
[[link]]
name = "lan"
type = "udp"
address = "127.0.0.1:%d"
groups = ["239.255.18.83"]
public = true
[[link]]
name = "field"
type = "serial"
device = "%s"
framing = "hdlc"
[gateway]
advertise_interval = "1s"
[[gateway.predefined]]
client = "*"
id = 1
topic = "sensors/boot"
[[gateway.predefined]]
client = "*"
id = 2
topic = "sensors/alarm"
[http]
address = ""
`

// mqttsnTypes are the message types that a capture of a device's life has, those of the list too.
func mqttsnTypes(more ...mqttsn.Type) map[string]int {
	types := map[string]int{}
	for t := range mqttsn.Type(mqttsn.NumTypes) {
		if !strings.HasPrefix(t.String(), "r") && t != mqttsn.TypeAuth { // neither reserved nor an extension that dissectors do not know
			types[fmt.Sprintf("0x%02x", uint8(t))] = 1
		}
	}
	for _, t := range more {
		types[fmt.Sprintf("0x%02x", uint8(t))] = 1
	}
	return types
}

// capture is a running tshark on the loopback interface.
type capture struct {
	*process
	dissection
	probe net.Conn
	port  int
}

// startCapture returns when packets are being captured.
func startCapture(t *testing.T, sn, mqtt int) *capture {
	t.Helper()
	c := &capture{port: mqtt, dissection: dissection{t: t, file: filepath.Join(t.TempDir(), "lo.pcapng"),
		decode: []string{"-d", fmt.Sprintf("udp.port==%d,mqttsn", sn), "-d", fmt.Sprintf("tcp.port==%d,mqtt", mqtt)}}}
	c.process = start(t, "tshark", append([]string{"-n", "-l", "-P", "-i", "lo", "-w", c.file,
		"-f", fmt.Sprintf("udp port %d or tcp port %d", sn, mqtt)}, c.decode...)...)
	var err error
	if c.probe, err = net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", sn)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.probe.Close() })
	until(t, "tshark sees what is sent", func() bool {
		select {
		case <-c.done:
			peertest.Cannot(t, "tshark may not capture here: %s", strings.Join(c.output(), "; "))
		default:
		}
		c.probe.Write(mqttsn.Publish{QoS: mqttsn.QoSMinusOne, TopicIDType: mqttsn.Predefined, TopicID: 1}.Append(nil)) // has no answer
		return strings.Contains(strings.Join(c.output(), "\n"), "Publish Message")
	})
	return c
}

// end waits until everything so far is in the file.
func (c *capture) end() *dissection {
	c.dissection.t.Helper()
	publish(c.dissection.t, c.port, "-t", "the/end", "-m", "")
	c.waitFor("the last packet is captured", "the/end")
	c.stop()
	return &c.dissection
}

// dissection is a capture file and how to read it.
type dissection struct {
	t      *testing.T
	file   string
	decode []string
}

// fields returns the lines of the packets that a display filter lets through: the fields, separated by bars.
func (d *dissection) fields(filter string, fields ...string) []string {
	d.t.Helper()
	args := append([]string{"-n", "-r", d.file, "-Y", filter, "-T", "fields", "-E", "separator=|"}, d.decode...)
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command("tshark", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("tshark %s: %v: %s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// wantTypes wants a field to have each of the values so many times.
func (d *dissection) wantTypes(field string, want map[string]int) {
	d.t.Helper()
	got := map[string]int{}
	for _, line := range d.fields(field, field) {
		for _, value := range strings.Split(line, ",") {
			got[value]++
		}
	}
	for value, n := range want {
		if got[value] < n {
			d.t.Errorf("tshark sees %s = %s at least %d times, not %d", field, value, n, got[value])
		}
	}
}

// wantNothingWrong wants a capture in which tshark finds no fault but those that Wireshark 4.0 is known to find wrongly.
func (d *dissection) wantNothingWrong() {
	d.t.Helper()
	const faults = "_ws.malformed || _ws.expert.severity == error || _ws.expert.group == malformed"
	for _, line := range d.fields(faults, "frame.number", "mqttsn.msg.type", "mqttsn.msg.len", "mqttsn.topic.id.type", "_ws.col.Info", "_ws.expert.message") {
		f := strings.Split(line, "|")
		switch typ, size, topic := f[1], f[2], f[3]; {
		case (typ == "0x07" || typ == "0x1a") && size == "2": // it demands flags in a WILLTOPIC or WILLTOPICUPD without body, against §5.4.7
		case (typ == "0x12" || typ == "0x14") && topic == "1": // it takes a predefined id for characters of a name
		default:
			d.t.Errorf("tshark finds nothing wrong, not: %s", line)
		}
	}
}
