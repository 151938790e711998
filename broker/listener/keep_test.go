package listener

import (
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// TestSessionsAreKeptNoLonger: an operator may bound how long sessions wait for clients that never come back. MQTT 5 clients are told.
func TestSessionsAreKeptNoLonger(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		h.server.cfg.KeepMax = 24 * time.Hour
		expiry := func(seconds uint32) *mqtt.Properties {
			p := &mqtt.Properties{SessionExpiry: seconds}
			p.Mark(mqtt.PropSessionExpiry)
			return p
		}
		old := mqtt.Connect{ClientID: "old"}
		v5 := mqtt.Connect{ClientID: "v5", Props: expiry(broker.Never)}
		brief := mqtt.Connect{ClientID: "brief", Props: expiry(60)}
		later := mqtt.Connect{ClientID: "later", Props: expiry(60)}
		h.dial(mqtt.V311).connect(old).send([]byte{0xE0, 0})
		c := h.dial(mqtt.V5)
		v5.Version = mqtt.V5
		c.send(v5.Append(nil))
		if got := keepTold(t, c.next()); got != 24*60*60 {
			t.Errorf("an MQTT 5 client that asks for more is told a day, not %d s", got)
		}
		c.send([]byte{0xE0, 0})
		c = h.dial(mqtt.V5)
		brief.Version = mqtt.V5
		c.send(brief.Append(nil))
		if got := keepTold(t, c.next()); got != -1 {
			t.Errorf("one that asks for less is told nothing, not %d s", got)
		}
		d := mqtt.Disconnect{Props: expiry(1_000_000)}
		h.dial(mqtt.V5).connect(later).send(d.Append(nil, mqtt.V5))

		time.Sleep(23 * time.Hour)
		if n := h.broker.Counters().Sessions; n != 4 { // brief is connected
			t.Errorf("after 23 hours all 4 sessions are there, not %d", n)
		}
		time.Sleep(2 * time.Hour)
		if n := h.broker.Counters().Sessions; n != 1 {
			t.Errorf("after 25 hours only the client that is connected has one, not %d", n)
		}
	})
}

// keepTold is the session expiry interval in a CONNACK; −1 when it has none.
func keepTold(t *testing.T, packet []byte) int {
	t.Helper()
	h, err := mqtt.ParseHeader(packet)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := mqtt.ParseConnack(h.First, packet[h.Size:], mqtt.V5)
	if err != nil {
		t.Fatal(err)
	}
	if !ack.Props.Has(mqtt.PropSessionExpiry) {
		return -1
	}
	return int(ack.Props.SessionExpiry)
}
