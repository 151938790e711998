package listener

import (
	"testing"

	"midge/broker"
	"midge/broker/mqtt"
)

// TestSharedSubscription has two members of one group, of different versions: each message reaches one, and what the one that leaves has not answered
// for reaches the other.
func TestSharedSubscription(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		one := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "one", CleanStart: true})
		two := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "two", CleanStart: true})
		pub := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "pub", CleanStart: true})
		one.subscribe("$share/g/t/#", 1)
		two.subscribe("$share/g/t/#", 1)
		for i, payload := range []string{"a", "b", "c", "d"} {
			pub.publish("t/x", payload, 1, uint16(i+1))
			pub.want("each message is acknowledged when a member has it, so that the next finds both with nothing to do", 0x40, 2, 0, byte(i+1))
		}
		one.want("the first has the first message", 0x32, 8, 0, 3, 't', '/', 'x', 0, 1, 'a')
		one.want("and the third", 0x32, 8, 0, 3, 't', '/', 'x', 0, 2, 'c')
		two.want("the second has the second", 0x32, 9, 0, 3, 't', '/', 'x', 0, 1, 0, 'b')
		two.want("and the fourth", 0x32, 9, 0, 3, 't', '/', 'x', 0, 2, 0, 'd')
		two.send(mqtt.AppendAck(nil, mqtt.TypePuback, 1, 0, mqtt.V5))
		two.nc.Close()
		one.want("what the second has not acknowledged when it is lost comes to the first", 0x32, 8, 0, 3, 't', '/', 'x', 0, 3, 'd')
		one.want("and nothing else does")
	})
}

// TestSharedSubscriptionFaults has SUBSCRIBE and UNSUBSCRIBE with what is no shared subscription [MQTT-4.8.2-1], [MQTT-4.8.2-2], [MQTT-3.8.3-4].
func TestSharedSubscriptionFaults(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		for _, row := range []struct {
			filter  string
			noLocal bool
			reason  mqtt.ReasonCode
		}{
			{"$share", false, mqtt.ProtocolError},
			{"$share/g", false, mqtt.ProtocolError},
			{"$share/g/", false, mqtt.ProtocolError},
			{"$share//t", false, mqtt.ProtocolError},
			{"$share/+/t", false, mqtt.ProtocolError},
			{"$share/#/t", false, mqtt.MalformedPacket},
			{"$share/g/t#", false, mqtt.MalformedPacket},
			{"$share/g/t", true, mqtt.ProtocolError},
		} {
			sub := mqtt.Subscribe{ID: 1, Subscriptions: []mqtt.Subscription{{Filter: row.filter, NoLocal: row.noLocal}}}
			c := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", CleanStart: true})
			c.send(sub.Append(nil, mqtt.V5))
			c.want("SUBSCRIBE "+row.filter+" ends the connection with its reason", 0xE0, 1, byte(row.reason))
			if row.noLocal {
				continue
			}
			unsub := mqtt.Unsubscribe{ID: 1, Filters: []string{row.filter}}
			c = h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", CleanStart: true})
			c.send(unsub.Append(nil, mqtt.V5))
			c.want("UNSUBSCRIBE "+row.filter+" ends the connection with its reason", 0xE0, 1, byte(row.reason))
		}
	})
}
