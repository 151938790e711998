package listener

import (
	"testing"

	"midge/broker"
	"midge/broker/mqtt"
)

func TestTraffic(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		c := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", CleanStart: true})
		c.subscribe("t", 1)
		before := h.server.Traffic()
		if before.Sockets != 1 || before.Connects != 1 || before.PacketsIn != 2 || before.PacketsOut != 2 {
			t.Errorf("one connection, CONNECT and SUBSCRIBE and their answers are counted: %+v", before)
		}
		c.publish("t", "12", 1, 7) // 30 .. 00 01 't' 00 07 00 '1' '2'
		c.want("PUBACK", 0x40, 2, 0, 7)
		c.want("the message", 0x32, 8, 0, 1, 't', 0, 1, 0, '1', '2')
		c.send(mqtt.AppendPingreq(nil)[:1])
		c.next()
		after := h.server.Traffic()
		if in, out := after.PacketsIn-before.PacketsIn, after.PacketsOut-before.PacketsOut; in != 1 || out != 2 {
			t.Errorf("whole packets are counted: %d in, want 1; %d out, want 2", in, out)
		}
		if in, out := after.BytesIn-before.BytesIn, after.BytesOut-before.BytesOut; in != 10 || out != 14 {
			t.Errorf("the octets of whole packets are counted: %d in, want 10; %d out, want 14", in, out)
		}
		c.send([]byte{0})
		c.want("PINGRESP", 0xD0, 0)
		c.send([]byte{0xF0, 1, 0xFF, 0, 0})
		c.next()
		last := h.server.Traffic()
		if in, out := last.PacketsIn-after.PacketsIn, last.PacketsOut-after.PacketsOut; in != 1 || out != 2 {
			t.Errorf("PINGREQ, PINGRESP and DISCONNECT are counted, what is no packet is not: %d in, want 1; %d out, want 2", in, out)
		}
	})
}
