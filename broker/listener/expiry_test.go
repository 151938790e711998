package listener

import (
	"bytes"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

func withExpiry(seconds uint32) *mqtt.Properties {
	p := &mqtt.Properties{SessionExpiry: seconds}
	p.Mark(mqtt.PropSessionExpiry)
	return p
}

// TestSessionExpiryIsTold has a client ask for a longer session than is given: "The Server uses this property to inform the Client that it is using a value other
// than that sent" (MQTT 5 §3.2.2.3.2).
func TestSessionExpiryIsTold(t *testing.T) {
	in(t, Policy{}, broker.Limits{SessionExpiry: time.Minute}, func(h *house) {
		for _, row := range []struct {
			asked uint32
			told  bool
		}{{3600, true}, {broker.Never, true}, {60, false}, {0, false}} {
			c := h.dial(mqtt.V5)
			p := mqtt.Connect{Version: mqtt.V5, ClientID: "c", Props: withExpiry(row.asked)}
			c.send(p.Append(nil))
			ack := c.next()
			if told := bytes.Contains(ack, []byte{0x11, 0, 0, 0, 60}); told != row.told {
				t.Errorf("a client that asks for %d s is told 60: %v, want %v: % x", row.asked, told, row.told, ack)
			}
		}
	})
}

// TestResentAfterItsExpiry has a delivery that was begun sent again when its message has expired: what is left of its time is 1 s, and not 136 years.
func TestResentAfterItsExpiry(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		c := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", Props: withExpiry(3600)})
		c.subscribe("t", 1)
		pub := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "pub", CleanStart: true})
		props := &mqtt.Properties{MessageExpiry: 5}
		props.Mark(mqtt.PropMessageExpiry)
		p := mqtt.Publish{Topic: []byte("t"), Payload: []byte("x"), QoS: 1, ID: 1, Props: props}
		pub.send(p.Append(nil, mqtt.V5))
		c.want("the message comes with what is left of its time", 0x32, 12, 0, 1, 't', 0, 1, 5, 2, 0, 0, 0, 5, 'x')
		c.nc.Close()
		time.Sleep(time.Minute)
		c = h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", Props: withExpiry(3600)})
		c.want("it comes again", 0x3A, 12, 0, 1, 't', 0, 1, 5, 2, 0, 0, 0, 1, 'x')
	})
}
