package gateway

import (
	"strings"
	"testing"
	"time"

	"midge/mqttsn"
	"midge/transports"
)

// TestRadioCarriesLessThanBefore: a message that the radio has refused for its length is given up when it would be repeated, and the next one is delivered.
func TestRadioCarriesLessThanBefore(t *testing.T) {
	r := newRig(t, Config{QoSMinusOne: true, Predefined: []Predefined{{Client: "*", ID: 1, Topic: "a/b"}}}, LinkConfig{RetryInterval: time.Second})
	carries := 84
	r.l.carries = func() int { return carries }
	r.from("dev", mqttsn.Connect{ClientID: "valve7", Duration: 60, ProtocolID: 1, CleanSession: true})
	r.from("dev", mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicIDType: mqttsn.Predefined, TopicID: 1})
	r.from("other", mqttsn.Connect{ClientID: "sensor", Duration: 60, ProtocolID: 1, CleanSession: true})
	long := strings.Repeat("x", 70)
	publish := func(id uint16, payload string) []string {
		return r.from("other", mqttsn.Publish{QoS: 1, TopicIDType: mqttsn.Predefined, TopicID: 1, MsgID: id, Data: []byte(payload)})
	}
	if got := strings.Join(publish(1, long), "\n"); !strings.Contains(got, "PUBLISH") {
		t.Fatalf("a message that the radio carries goes out: %s", got)
	}
	publish(2, "short")
	carries = 66
	r.now = r.now.Add(time.Second)
	r.l.Advance(r.now)
	r.l.Pull(r.now)
	var out []string
	for _, f := range r.l.frames() {
		if len(f.Data) > carries {
			t.Errorf("nothing longer than the radio carries now is sent: %d octets", len(f.Data))
		}
		out = append(out, string(f.Data))
	}
	if len(out) != 1 || !strings.Contains(out[0], "short") {
		t.Errorf("the next message is sent instead: %q", out)
	}
	if got := r.g.Counters().Links["lan"].Dropped[TooLong.String()]; got != 1 {
		t.Errorf("the message that was given up is counted: %d, want 1", got)
	}
}

// TestSignalReachesDevices: what a radio tells of a frame stands in the table of devices, and stays when a frame does not tell.
func TestSignalReachesDevices(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	frame := func(p mqttsn.Packet, rssi int8, lqi uint8) {
		r.l.Receive(r.now, &transports.Frame{Addr: transports.MakeAddr([]byte("dev")), Data: p.Append(nil), RSSI: rssi, LQI: lqi})
	}
	frame(mqttsn.Connect{ClientID: "valve7", Duration: 60, ProtocolID: 1, CleanSession: true}, -60, 200)
	frame(mqttsn.Pingreq{}, 0, 0)
	if d := r.g.Devices()[0]; d.RSSI != -60 || d.LQI != 200 {
		t.Errorf("the device was heard at -60 dBm with a quality of 200, not %d and %d", d.RSSI, d.LQI)
	}
}
