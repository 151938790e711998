package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"midge/broker"
	"midge/mqttsn"
	"midge/transports"
)

// logged is a rig whose log can be read.
func logged(t *testing.T, cfg Config, lc LinkConfig) (*rig, *bytes.Buffer) {
	log := new(bytes.Buffer)
	r := &rig{t: t, now: time.Unix(1_000_000_000, 0), b: broker.New(broker.Limits{})}
	r.g = newGateway(r.b, cfg, slog.New(slog.NewTextHandler(log, nil)), r.now)
	r.l = r.g.open("lan", lc, 1024, func(a transports.Addr) string { return string(a.Bytes()) }, r.now)
	return r, log
}

// TestTheLogSaysWhoIsRefused: the device hears a code at most, so the log has to tell the operator which device it was and what was wrong.
func TestTheLogSaysWhoIsRefused(t *testing.T) {
	connect := func(id string) mqttsn.Packet { return mqttsn.Connect{ClientID: id, ProtocolID: 1, Duration: 60} }
	lc := LinkConfig{AllowClients: []string{"valve-*", ""}, AllowAddresses: []string{"dev*"}, Rebind: RebindNever, Clients: 2}
	rows := []struct {
		what string
		from string
		send mqttsn.Packet
		want string // in the last line; "" = no line
	}{
		{"a client that may come in", "dev1", connect("valve-1"), "client connected"},
		{"a client id that is not served", "dev1", connect("pump-1"), `msg="client refused" link=lan client=pump-1 peer=dev1 reason="the link does not serve this client id"`},
		{"an address that is not served", "x", connect("valve-2"), `client=valve-2 peer=x reason="the link does not serve this address"`},
		{"no client id", "dev1", connect(""), `client="" peer=dev1 reason="it gives no client id"`},
		{"a client id for Midge itself", "dev1", connect("$a"), `client=$a peer=dev1 reason="its client id begins with $"`},
		{"a client id too long", "dev1", connect("valve-" + strings.Repeat("x", 60)), `reason="its client id is longer than 64 octets"`},
		{"a client id that is no text", "dev1", connect("valve-\xff"), `client="valve-\xff" peer=dev1 reason="its client id is no UTF-8 text"`},
		{"another protocol", "dev1", mqttsn.Connect{ClientID: "valve-2", ProtocolID: 2}, `reason="it speaks protocol 2, and only 1 is known: MQTT-SN 1.2"`},
		{"a client that may not move", "dev2", connect("valve-1"), `client=valve-1 peer=dev2 reason="it is connected at dev1 and may not move from there"`},
		{"the last that has room", "dev3", connect("valve-3"), "client connected"},
		{"one too many", "dev4", connect("valve-4"), `client=valve-4 peer=dev4 reason="as many clients are connected on the link as it may have"`},
		{"a predefined id that is not known", "dev1", mqttsn.Publish{QoS: 1, TopicIDType: mqttsn.Predefined, TopicID: 7, MsgID: 1}, `msg="client uses a predefined topic id that is not known" link=lan client=valve-1 topic_id=7`},
		{"the same at QoS -1", "dev9", mqttsn.Publish{QoS: mqttsn.QoSMinusOne, TopicIDType: mqttsn.Predefined, TopicID: 7}, `peer=dev9 type=predefined topic_id=7`},
	}
	r, log := logged(t, Config{QoSMinusOne: true}, lc)
	for _, row := range rows {
		log.Reset()
		r.from(row.from, row.send)
		if !strings.Contains(log.String(), row.want) {
			t.Errorf("%s: the log says %q, and should say %q", row.what, log, row.want)
		}
	}
}

// TestNobodyFillsTheLog: a device can cause a complaint with every frame; each is written once a minute, and what was not written is told with the next.
func TestNobodyFillsTheLog(t *testing.T) {
	r, log := logged(t, Config{Limits: Limits{TopicIDs: 1}}, LinkConfig{})
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60})
	for i := range 1000 {
		r.from("dev", registerAs(fmt.Sprint("t", i)))
		r.from("dev", mqttsn.Connect{ClientID: fmt.Sprint("$", i), ProtocolID: 1})
	}
	if lines := strings.Count(log.String(), "level=WARN"); lines > 101 {
		t.Errorf("a hundred lines a minute are enough, got %d", lines)
	}
	if n := strings.Count(log.String(), "topic ids of client used up"); n != 1 {
		t.Errorf("a thing is said of a client once a minute, not %d times", n)
	}
	r.now = r.now.Add(time.Minute)
	log.Reset()
	r.from("dev", registerAs("more"))
	if !strings.Contains(log.String(), "not_logged=") {
		t.Errorf("a minute later the log tells how much it left out: %q", log)
	}
}

// TestMalformedIsTheDevicesOwn: what a known device sends and nobody understands stands in its own row too.
func TestMalformedIsTheDevicesOwn(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60})
	for _, data := range [][]byte{{2, 0xff}, {3, byte(mqttsn.TypeRegister), 1}, {3, byte(mqttsn.TypePublish), 1}} {
		r.l.Receive(r.now, &transports.Frame{Addr: transports.MakeAddr([]byte("dev")), Data: data})
	}
	if got := r.g.Devices()[0].Dropped["malformed"]; got != 3 {
		t.Errorf("a reserved type and two messages cut short are the device's: %d of 3 counted", got)
	}
}

// TestNoSignalWithoutARadio: a device that moves to a link that tells no signal leaves the old one's behind.
func TestNoSignalWithoutARadio(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	hello := mqttsn.Connect{ClientID: "valve7", Duration: 60, ProtocolID: 1}.Append(nil)
	r.l.Receive(r.now, &transports.Frame{Addr: transports.MakeAddr([]byte("dev")), Data: hello, RSSI: -60, LQI: 200})
	other := r.g.open("line", LinkConfig{}, 1024, func(transports.Addr) string { return "line" }, r.now)
	other.Receive(r.now, &transports.Frame{Data: hello})
	if d := r.g.Devices()[0]; d.Link != "line" || d.RSSI != 0 || d.LQI != 0 {
		t.Errorf("the line has no signal strength: link %s, %d dBm, quality %d", d.Link, d.RSSI, d.LQI)
	}
}

// TestWhatWaitsForWhoHasGone: the table of devices tells what waits for a device that has left or was lost, as for one that sleeps.
func TestWhatWaitsForWhoHasGone(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	publish := func() {
		r.from("other", mqttsn.Connect{ClientID: "other", ProtocolID: 1, Duration: 60, CleanSession: true})
		r.from("other", registerAs("cmd"))
		r.from("other", mqttsn.Publish{QoS: 1, TopicID: firstTopicID, MsgID: 2, Data: []byte("on")})
	}
	want := func(sentence string, n int) {
		t.Helper()
		if d := r.g.Devices()[1]; d.ID != "valve7" || d.Queued != n {
			t.Errorf("%s: %d, got %d (%s)", sentence, n, d.Queued, d.State)
		}
	}
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 10})
	r.from("dev", mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicName: "cmd"})
	r.from("dev", mqttsn.Disconnect{})
	publish()
	want("one waits for it after its DISCONNECT", 1)
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 10})
	r.now = r.now.Add(time.Minute)
	r.l.Advance(r.now)
	publish()
	want("two when it was lost, the one that it has not acknowledged included", 2)
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 10, CleanSession: true})
	r.from("dev", mqttsn.Disconnect{})
	want("none when its session has ended", 0)
}
