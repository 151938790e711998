package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"midge/internal/peertest"
	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports"
	"midge/transports/serial"
)

const hostileConfig = `
[node]
data_dir = ""
[log]
level = "warn"
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
framing = "hdlc"
retry_interval = "300ms"
retry_count = 10
[[link]]
name = "shed"
type = "serial"
device = "%s"
framing = "raw"
[http]
address = "127.0.0.1:%d"
`

var seed = flag.Uint64("seed", 1, "what TestHostile draws its packets from")

// TestHostile sends corrupt, truncated, oversized and out-of-state packets on every kind of link while good clients work: the process lives,
// the good clients lose nothing, and the figures tell what came.
func TestHostile(t *testing.T) {
	const rounds = 30
	t.Logf("repeat with -seed %d", *seed)
	field, shed := openPty(t), openPty(t)
	s := &site{t: t, mqtt: peertest.FreePort(t), sn: peertest.FreePort(t), health: peertest.FreePort(t)}
	s.process = start(t, midgePath(t), "run", "-c", writeFile(t, "config.toml", fmt.Sprintf(hostileConfig, s.mqtt, s.sn, field.Path(), shed.Path(), s.health)))
	until(t, "midge is ready", func() bool { return s.well() })

	here := subscribe(t, s.mqtt, "-t", "good/#", "-q", "2", "-i", "well-behaved-subscriber")
	lines := feed(t, s.mqtt, "-t", "good/tcp", "-i", "well-behaved-publisher")
	good := map[string]*device{"lan": newDevice(t, s.udp(), patient("well-behaved-lan")), "field": newDevice(t, stream(t, field, "hdlc"), patient("well-behaved-field"))}
	for name, d := range good {
		d.connect()
		d.subscribe("down/"+name, mqttsn.ExactlyOnce)
	}
	foe := newFoe(t, s, *seed, field, shed)
	foe.radio[0].Write(mqttsn.Connect{ProtocolID: mqttsn.ProtocolID12, Duration: 60, ClientID: "evil-0"}.Append(nil))
	foe.radio[0].Write(mqttsn.Publish{QoS: 1, TopicID: 0x7777, MsgID: 1}.Append(nil)) // chance rarely has one that is connected do this
	want := map[string][]string{}
	for i := range rounds {
		foe.round()
		message := fmt.Sprint("m", i)
		fmt.Fprintln(lines.in, message)
		want["tcp"] = append(want["tcp"], "good/tcp "+message)
		for name, d := range good {
			d.publish("good/"+name, message, mqttsn.ExactlyOnce)
			want[name] = append(want[name], "good/"+name+" "+message)
			publish(t, s.mqtt, "-t", "down/"+name, "-m", message, "-q", "2", "-i", "well-behaved-commander")
		}
		for name, d := range good {
			if m := await[client.Message](d, "a command reaches "+name); string(m.Payload) != message {
				t.Fatalf("commands reach %s once and in order: got %q, want %q", name, m.Payload, message)
			}
		}
	}
	lines.endInput()
	for name := range want {
		equal(t, "nothing from "+name+" is lost, nothing comes twice", here.waitCount("messages from "+name, "good/"+name, rounds), want[name])
	}
	s.wantMoved(foe)

	// The line without checksums comes back into step.
	d := newDevice(t, foe.shed, patient("well-behaved-shed"))
	d.connectAtLast()
	d.publish("good/shed", "m", mqttsn.AtLeastOnce)
	here.waitFor("after the noise a device on the raw line is heard", "good/shed m")
	s.stop()
	if s.err != nil {
		t.Errorf("SIGTERM ends midge without an error: %v", s.err)
	}
}

// connectAtLast connects on a line where answers to others are still on their way.
func (d *device) connectAtLast() {
	d.t.Helper()
	deadline := time.After(patience)
	connect := func(c *client.Client, now time.Time) error { return c.Connect(now) }
	for d.do("connect", connect); ; {
		select {
		case e := <-d.events:
			switch e.(type) {
			case client.Connected:
				return
			case client.ConnectRefused:
				d.do("connect again", connect)
			}
		case <-deadline:
			d.t.Fatal("the device is connected at last: it is not")
		}
	}
}

// wantMoved wants every kind of bad input to be counted.
func (s *site) wantMoved(f *foe) {
	s.t.Helper()
	for _, metric := range []string{
		`midge_link_messages_discarded_total{link="lan",reason="malformed"}`,
		`midge_link_messages_discarded_total{link="lan",reason="unknown_sender"}`,
		`midge_link_messages_discarded_total{link="lan",reason="rate_limited"}`,
		`midge_link_messages_discarded_total{link="lan",reason="invalid_topic"}`,
		`midge_link_messages_discarded_total{link="lan",reason="unexpected"}`,
		`midge_link_messages_discarded_total{link="lan",reason="not_supported"}`,
		`midge_link_errors_total{link="field",reason="crc"}`,
		`midge_link_errors_total{link="field",reason="malformed"}`,
		`midge_link_errors_total{link="field",reason="oversize"}`,
		`midge_link_errors_total{link="field",reason="garbage_bytes"}`,
		`midge_link_errors_total{link="shed",reason="garbage_bytes"}`,
	} {
		until(s.t, "it is counted: "+metric, func() bool { return s.metric(metric) > 0 })
	}
	if !s.well() {
		s.t.Errorf("the box is well: %s", s.get("/healthz"))
	}
}

// metric is a figure of /metrics.
func (s *site) metric(name string) float64 {
	s.t.Helper()
	for line := range strings.Lines(s.get("/metrics")) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return v
		}
	}
	s.t.Fatalf("/metrics has %s: it does not", name)
	return 0
}

// well reports whether midge answers that it is well.
func (s *site) well() bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.health))
	if err != nil {
		return false
	}
	c.Close()
	return strings.HasPrefix(s.get("/healthz"), "200\n")
}

// patient is a device that does not give up while the link is full of noise.
func patient(id string) client.Config {
	c := quick(id)
	c.Retries, c.QueueMax = 100, 1000
	return c
}

// A foe makes bad input out of good, the same for a seed.
type foe struct {
	t     *testing.T
	s     *site
	rng   *rand.Rand
	field *serial.Pty // a line that a good device uses as well
	shed  transports.Link
	noise *serial.Pty // under shed
	radio []net.Conn
}

func newFoe(t *testing.T, s *site, seed uint64, field, shed *serial.Pty) *foe {
	t.Helper()
	f := &foe{t: t, s: s, rng: rand.New(rand.NewPCG(seed, 0)), field: field, noise: shed, shed: stream(t, shed, "raw")}
	for range 20 {
		c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", s.sn))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		f.radio = append(f.radio, c)
	}
	return f
}

// round is one batch of everything.
func (f *foe) round() {
	f.t.Helper()
	for range 60 {
		f.radio[f.rng.IntN(len(f.radio))].Write(f.datagram())
	}
	for range 5 {
		f.field.Write(f.damagedFrame())
		f.noise.Write(f.bad(f.datagram()))
	}
	for range 8 {
		f.connection()
	}
}

// damagedFrame is what a bad cable makes of a frame. A good frame by somebody else would not be bad input: who is on a line is the device.
func (f *foe) damagedFrame() []byte {
	framing, err := serial.FramingByName("hdlc")
	if err != nil {
		f.t.Fatal(err)
	}
	frame := framing.Append(nil, f.datagram())
	switch f.rng.IntN(5) {
	case 0: // cut off
		return frame[:f.rng.IntN(len(frame)-1)]
	case 1: // noise
		return f.octets(1 + f.rng.IntN(60))
	case 2: // too short to have a checksum
		return []byte{0x7E, 1, 0x7E}
	case 3: // longer than any message
		return framing.Append(nil, make([]byte, 3000))
	default: // a flipped bit
		frame[1+f.rng.IntN(len(frame)-2)] ^= 1 << f.rng.IntN(8)
		return frame
	}
}

// datagram is a message for UDP: one in three is as it should be, but comes from somebody who should not send it now.
func (f *foe) datagram() []byte {
	p, err := mqttsn.ParseText(foeMessages[f.rng.IntN(len(foeMessages))])
	if err != nil {
		f.t.Fatal(err)
	}
	b := p.Append(nil)
	switch f.rng.IntN(6) {
	case 0, 1:
		return b
	case 2:
		return mqttsn.Encapsulated{NodeID: f.octets(f.rng.IntN(9))}.Append(nil, f.bad(b))
	default:
		return f.bad(b)
	}
}

// bad returns a copy of b with something wrong in it.
func (f *foe) bad(b []byte) []byte {
	if len(b) == 0 {
		return f.octets(1)
	}
	b = append([]byte(nil), b...)
	switch f.rng.IntN(6) {
	case 0: // cut off
		return b[:f.rng.IntN(len(b)+1)]
	case 1: // more than it says
		return append(b, f.octets(1+f.rng.IntN(40))...)
	case 2: // another length
		b[0] = byte(f.rng.Uint32())
	case 3: // noise
		return f.octets(1 + f.rng.IntN(60))
	case 4: // much too long
		return append(b, f.octets(2000)...)
	default: // flipped bits
		for range 1 + f.rng.IntN(4) {
			b[f.rng.IntN(len(b))] ^= 1 << f.rng.IntN(8)
		}
	}
	return b
}

func (f *foe) octets(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.rng.Uint32())
	}
	return b
}

// connection is a TCP connection that misbehaves, in any of the three versions. The broker must close it.
func (f *foe) connection() {
	f.t.Helper()
	c := dialMQTT(f.t, f.s.mqtt)
	defer c.Close()
	var all []byte
	if f.rng.IntN(4) > 0 {
		all = append(all, foeConnects[f.rng.IntN(len(foeConnects))]...)
	}
	for range f.rng.IntN(6) {
		p := []byte(foePackets[f.rng.IntN(len(foePackets))])
		if f.rng.IntN(2) == 0 {
			p = f.bad(p)
		}
		all = append(all, p...)
	}
	c.Write(all) // may fail: the broker need not wait for the end
	if f.rng.IntN(4) == 0 {
		return // gone without a word
	}
	c.(*net.TCPConn).CloseWrite()
	if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset by peer") {
		f.t.Fatalf("the broker closes a connection whose input has ended: %v", err)
	}
}

// openPty makes a virtual serial line, of which this test has the near end.
func openPty(t *testing.T) *serial.Pty {
	t.Helper()
	p, err := serial.OpenPty()
	if err != nil {
		peertest.Cannot(t, "no virtual serial line: %v", err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// stream is the near end as a link.
func stream(t *testing.T, p *serial.Pty, framing string) transports.Link {
	t.Helper()
	l, err := serial.FromStream(p, serial.Config{Framing: framing})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// foeMessages are good MQTT-SN messages, which become bad by who sends them when.
var foeMessages = []string{
	"ADVERTISE gwid=1 duration=900", "SEARCHGW radius=0", "GWINFO gwid=1", "CONNECT id=evil clean=true duration=60", "CONNECT id=evil clean=false will duration=1",
	"CONNECT id=evil clean=true duration=1 protocol=2", `CONNECT id="" clean=true duration=10`, "CONNACK accepted", "WILLTOPICREQ", "WILLTOPIC qos=1 name=evil/will", "WILLTOPIC empty", "WILLMSGREQ",
	"WILLMSG data=foo", "REGISTER topic=0x0000 msgid=1 name=evil/a", "REGISTER topic=0x0000 msgid=2 name=a/#", "REGACK topic=0x0401 msgid=1 accepted",
	"PUBLISH qos=0 topic=0x0401 msgid=0", "PUBLISH qos=1 topic=0x7777 msgid=9", "PUBLISH qos=2 topic=0x0401 msgid=9", "PUBLISH qos=1 topic=0xffff msgid=0",
	"PUBACK topic=0x0401 msgid=1 accepted", "PUBREC msgid=5", "PUBREL msgid=5", "PUBCOMP msgid=5",
	"SUBSCRIBE qos=1 msgid=3 name=evil/#", "SUBSCRIBE qos=1 msgid=3 name=a/#/b", "SUBACK qos=1 topic=0x0401 msgid=3 accepted", "UNSUBSCRIBE msgid=4 name=evil/#", "UNSUBACK msgid=4",
	"PINGREQ", "PINGREQ id=evil", "PINGRESP", "DISCONNECT", "DISCONNECT duration=10", "WILLTOPICUPD qos=0 name=evil/will", "WILLTOPICRESP accepted", "WILLMSGUPD data=foo", "WILLMSGRESP accepted",
}

// foeConnects are CONNECT packets of client «evil».
var foeConnects = []string{
	"\x10\x12\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x04evil", "\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04evil", "\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x04evil",
	"\x10\x1c\x00\x04MQTT\x04\x0e\x00\x3c\x00\x04evil\x00\x04will\x00\x04gone", "\x10\x10\x00\x04MQTT\x07\x02\x00\x3c\x00\x04evil", "\x10\x10\x00\x04HTTP\x04\x02\x00\x3c\x00\x04evil",
}

// foePackets are packets of MQTT 3.1.1 with topic «evil».
var foePackets = []string{
	"\x30\x07\x00\x04evil!", "\x32\x09\x00\x04evil\x00\x01!", "\x34\x09\x00\x04evil\x00\x02!", "\x36\x09\x00\x04evil\x00\x02!", "\x32\x09\x00\x04evil\x00\x00!", "\x30\x07\x00\x04ev/#!", "\x30\x07\x00\x04\xff\xfe\xfd\xfc!",
	"\x40\x02\x00\x01", "\x50\x02\x00\x01", "\x62\x02\x00\x02", "\x70\x02\x00\x02", "\x82\x09\x00\x03\x00\x04evil\x01", "\x82\x09\x00\x03\x00\x04a/#b\x01", "\x82\x0a\x00\x03\x00\x05a/#/b\x01", "\xa2\x08\x00\x04\x00\x04evil",
	"\xc0\x00", "\xd0\x00", "\xe0\x00", "\xf0\x00", "\x20\x02\x00\x00", "\x90\x03\x00\x03\x01", "\xb0\x02\x00\x04", "\x00\x00", "\x30\xff\xff\xff\x7f", "\x30\xff\xff\xff\xff\xff", "GET / HTTP/1.1\r\n\r\n",
	"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04evil",
}

// TestStrangerIsToldSeldom: an unknown sender gets DISCONNECT, but not for every message.
func TestStrangerIsToldSeldom(t *testing.T) {
	s := &site{t: t, mqtt: peertest.FreePort(t), sn: peertest.FreePort(t), health: peertest.FreePort(t)}
	s.process = startMidge(t, fmt.Sprintf(smallConfig, s.mqtt, s.sn, s.health))
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", s.sn))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(patience))
	since, told := time.Now(), 0
	// The answer to each SEARCHGW shows that what came before has been answered.
	for range 10 {
		for range 30 {
			c.Write(mqttsn.Publish{QoS: 1, TopicID: 0x0401, MsgID: 1}.Append(nil))
		}
		c.Write(mqttsn.SearchGw{}.Append(nil))
		for b := make([]byte, 100); ; {
			n, err := c.Read(b)
			if err != nil {
				t.Fatalf("the gateway answers: %v", err)
			}
			p, err := mqttsn.Decode(b[:n])
			if err != nil {
				t.Fatalf("the gateway's answer is right: %v", err)
			}
			if p.Type() == mqttsn.TypeGwInfo {
				break
			}
			if p != (mqttsn.Disconnect{}) {
				t.Fatalf("a stranger is told to connect, not %s", p)
			}
			told++
		}
	}
	if most := 21 + int(10*time.Since(since).Seconds()); told < 1 || told > most {
		t.Errorf("of 300 messages of a stranger 1 to %d are answered, not %d", most, told)
	}
	if n := s.metric(`midge_link_messages_discarded_total{link="lan",reason="rate_limited"}`); n != float64(300-told) {
		t.Errorf("those not answered are counted: %v with %d answered", n, told)
	}
}
