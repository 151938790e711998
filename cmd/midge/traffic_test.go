package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports"
)

// forwarded is a link behind a forwarder: every message is in an envelope.
type forwarded struct {
	transports.Link
	node []byte
}

func (f forwarded) WriteFrames(frames []transports.Frame) {
	for _, frame := range frames {
		frame.Data = mqttsn.Encapsulated{NodeID: f.node}.Append(nil, frame.Data)
		f.Link.WriteFrames([]transports.Frame{frame})
	}
}

func (f forwarded) ReadFrames(frames []transports.Frame) (int, error) {
	n, err := f.Link.ReadFrames(frames[:1])
	if n == 0 {
		return n, err
	}
	e, inner, bad := mqttsn.ParseEncapsulated(frames[0].Data)
	if bad != nil || !bytes.Equal(e.NodeID, f.node) {
		return 0, fmt.Errorf("what comes back through the forwarder is for node %q, not %q: %v", f.node, e.NodeID, bad)
	}
	frames[0].Data = append(frames[0].Data[:0], inner...)
	return n, err
}

func willing(id string) client.Config {
	c := quick(id)
	c.Will = &client.Will{Topic: "wills/" + id, Message: []byte("gone"), QoS: mqttsn.AtLeastOnce, Retain: true}
	return c
}

// radioTraffic is MQTT-SN over UDP: a device with everything, one behind a forwarder and a stranger.
func radioTraffic(t *testing.T, s *site, tap *capture) {
	t.Helper()
	deviceLife(t, s, newDevice(t, s.udp(), willing("lan")))
	tap.waitFor("the gateway advertises itself to the group", "Advertise")
	wrapped := newDevice(t, forwarded{s.udp(), []byte("n7")}, quick("wrapped")) // Wireshark 4.0 takes the id for a number of up to four octets
	wrapped.connect()
	wrapped.publish("s/wrapped/y", "through the forwarder", mqttsn.ExactlyOnce)
	await[client.Published](wrapped, "the forwarder carries both ways")
	wrapped.link.Close()
	tap.probe.Write(mqttsn.Publish{QoS: 1, TopicID: 7, MsgID: 1, Data: []byte("who am I?")}.Append(nil))
	tap.probe.SetReadDeadline(time.Now().Add(patience))
	wantOctets(t, "a stranger is told to connect", tap.probe, mqttsn.Disconnect{}.Append(nil))
}

// deviceLife uses all of MQTT-SN 1.2.
func deviceLife(t *testing.T, s *site, d *device) {
	t.Helper()
	d.do("search", func(c *client.Client, now time.Time) error {
		c.SearchGateway(now, 1, 0)
		return nil
	})
	await[client.GatewayFound](d, "the gateway answers")
	d.connect()
	d.updateWill()
	filters := []client.Topic{client.Named("s/+/x"), client.Short("ab"), client.Predefined(2)}
	for _, filter := range filters {
		d.do("subscribe", func(c *client.Client, now time.Time) error {
			_, err := c.Subscribe(now, filter, mqttsn.ExactlyOnce)
			return err
		})
		if r := await[client.Subscribed](d, "SUBSCRIBE is answered"); r.Code != mqttsn.Accepted {
			t.Errorf("a subscription to %+v is accepted, not answered with %s", filter, r.Code)
		}
	}
	d.publishEveryWay()
	for q := range 3 {
		publish(t, s.mqtt, "-t", "s/other/x", "-m", "down", "-q", fmt.Sprint(q))
		await[client.Message](d, "a message comes down")
	}
	d.do("sleep", func(c *client.Client, now time.Time) error { return c.Sleep(now, time.Minute) })
	await[client.FellAsleep](d, "the gateway acknowledges the sleep")
	publish(t, s.mqtt, "-t", "s/later/x", "-m", "for the sleeper", "-q", "1")
	d.do("wake", func(c *client.Client, now time.Time) error { return c.Wake(now) })
	if n := d.commandsUntilAsleep(); n != 1 {
		t.Errorf("one message comes when the device wakes, not %d", n)
	}
	d.connect()
	for _, filter := range filters {
		d.do("unsubscribe", func(c *client.Client, now time.Time) error {
			_, err := c.Unsubscribe(now, filter)
			return err
		})
		await[client.Unsubscribed](d, "UNSUBSCRIBE is answered")
	}
	d.do("leave", func(c *client.Client, now time.Time) error { return c.Disconnect(now) })
	await[client.Ended](d, "the gateway lets the device go")
}

// updateWill changes topic and message of the will, and deletes and restores it.
func (d *device) updateWill() {
	d.t.Helper()
	for _, topic := range []string{"wills/other", "", "wills/again"} {
		d.do("new will topic", func(c *client.Client, now time.Time) error {
			_, err := c.UpdateWillTopic(now, topic, mqttsn.AtMostOnce, false)
			return err
		})
		await[client.WillUpdated](d, "WILLTOPICUPD is answered")
	}
	d.do("new will message", func(c *client.Client, now time.Time) error {
		_, err := c.UpdateWillMessage(now, []byte("really gone"))
		return err
	})
	await[client.WillUpdated](d, "WILLMSGUPD is answered")
}

// publishEveryWay publishes with every kind of topic at every quality of service, short and long.
func (d *device) publishEveryWay() {
	d.t.Helper()
	d.do("register", func(c *client.Client, now time.Time) error {
		_, err := c.Register(now, "s/mine/y")
		return err
	})
	await[client.Registered](d, "REGISTER is answered")
	for _, topic := range []client.Topic{client.Named("s/mine/y"), client.Short("cd"), client.Predefined(1)} {
		for q := mqttsn.QoSMinusOne; q <= mqttsn.ExactlyOnce; q++ {
			if q == mqttsn.QoSMinusOne && topic.Type == mqttsn.Normal {
				continue
			}
			d.do("publish", func(c *client.Client, now time.Time) error {
				_, err := c.Publish(now, topic, q, q == mqttsn.AtLeastOnce, bytes.Repeat([]byte("data"), 1+60*int(q+1)))
				return err
			})
			if r := await[client.Published](d, "the publish is done"); r.Code != mqttsn.Accepted {
				d.t.Errorf("a publish to %+v at QoS %d is taken, not answered with %s", topic, q, r.Code)
			}
		}
	}
}

// brokerTraffic is one version of MQTT: each quality of service both ways, retained, will, a persistent session, unsubscribing.
func brokerTraffic(t *testing.T, port int, version string) {
	t.Helper()
	v5 := version == "mqttv5"
	with := func(args []string, onlyV5 ...string) []string {
		if args = append(args, "-V", version); v5 {
			args = append(args, onlyV5...)
		}
		return args
	}
	sub := subscribe(t, port, with([]string{"-t", "m/#", "-U", "m/no", "-q", "2", "-i", "s-" + version, "-c"},
		"-x", "60", "-D", "connect", "user-property", "k", "v", "-D", "subscribe", "user-property", "k", "v", "-D", "unsubscribe", "user-property", "k", "v")...)
	mortal := subscribe(t, port, with([]string{"-t", "m/none", "--will-topic", "m/will", "--will-payload", "gone " + version, "--will-qos", "1", "--will-retain"},
		"-D", "will", "user-property", "k", "v", "-D", "will", "content-type", "text/plain")...)
	for q := range 3 {
		publish(t, port, with([]string{"-t", fmt.Sprintf("m/q%d", q), "-m", fmt.Sprint("hello ", q), "-q", fmt.Sprint(q), "-r"},
			"-D", "publish", "user-property", "k", "v", "-D", "publish", "content-type", "text/plain", "-D", "publish", "response-topic", "m/answer",
			"-D", "publish", "correlation-data", "42", "-D", "publish", "message-expiry-interval", "60", "-D", "publish", "payload-format-indicator", "1")...)
		sub.waitFor("the message arrives", fmt.Sprintf("m/q%d hello %d", q, q))
	}
	publish(t, port, with([]string{"-t", "m/empty", "-n", "-q", "2"})...)
	publish(t, port, with([]string{"-t", "m/long", "-f", writeFile(t, "long", strings.Repeat("long ", 20_000)), "-q", "2"})...)
	sub.waitFor("a long message arrives", "m/long")
	mortal.cmd.Process.Signal(syscall.SIGKILL)
	sub.waitFor("the will arrives", "m/will gone "+version)
	sub.stop()
	publish(t, port, with([]string{"-t", "m/kept", "-m", "for later", "-q", "2"})...)
	again := subscribe(t, port, with([]string{"-t", "m/#", "-q", "2", "-i", "s-" + version, "-c"}, "-x", "60")...)
	again.waitFor("the session has kept a message", "m/kept for later")
	again.stop()
}

// pingAndTakeover pings, and loses its connection to a second client with its id, which MQTT 5 says in a DISCONNECT of the server.
func pingAndTakeover(t *testing.T, port int, level byte) {
	t.Helper()
	connect := []byte{0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', level, 0x02, 0, 60}
	if level == 3 {
		connect = []byte{0x10, 0, 0, 6, 'M', 'Q', 'I', 's', 'd', 'p', level, 0x02, 0, 60}
	}
	if level == 5 {
		connect = append(connect, 0)
	}
	connect = append(connect, 0, 4, 't', 'w', 'i', 'n')
	connect[1] = byte(len(connect) - 2)
	first, second := dialMQTT(t, port), dialMQTT(t, port)
	first.Write(append(connect, 0xC0, 0))
	wantOctets(t, "PINGREQ is answered", first, []byte{0xD0, 0})
	second.Write(append(connect, 0xC0, 0))
	wantOctets(t, "the second connection is served", second, []byte{0xD0, 0})
	rest, err := io.ReadAll(first)
	if err != nil {
		t.Errorf("the first connection is closed: %v", err)
	}
	if told := len(rest) > 2 && rest[0] == 0xE0 && rest[2] == 0x8E; told != (level == 5) || level < 5 && len(rest) > 0 {
		t.Errorf("MQTT 5 says «session taken over», earlier versions just close: got % x", rest)
	}
	second.Write([]byte{0xE0, 0})
}

func dialMQTT(t *testing.T, port int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c
}

// wantOctets reads until what came ends with the octets.
func wantOctets(t *testing.T, sentence string, r io.Reader, want []byte) {
	t.Helper()
	var got []byte
	for b := make([]byte, 2048); !bytes.HasSuffix(got, want); {
		n, err := r.Read(b)
		if got = append(got, b[:n]...); err != nil {
			t.Fatalf("%s: got % x and then %v", sentence, got, err)
		}
	}
}
