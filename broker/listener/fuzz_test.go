package listener

import (
	"strings"
	"testing"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/broker/topic"
)

// FuzzConnection sends a client's octets, cut into reads of a given size. Whatever they are, the client is sent only whole packets and only
// messages that it has subscribed to, another client gets only its own, and the server goes on serving.
func FuzzConnection(f *testing.F) {
	for _, v := range []mqtt.Version{mqtt.V31, mqtt.V311, mqtt.V5} {
		packets := legal(v)
		for size := range uint8(3) {
			f.Add(uint8(v), size*60, join(packets...))
		}
		for i, p := range packets { // each alone, twice, and cut off
			f.Add(uint8(v), uint8(100), join(packets[0], p, p))
			f.Add(uint8(v), uint8(0), join(join(packets[:i]...), p[:len(p)/2]))
		}
		f.Add(uint8(v), uint8(100), join(packets...)[len(packets[0]):])
	}
	f.Fuzz(func(t *testing.T, version, size uint8, octets []byte) {
		v := mqtt.Version(version)
		if v < mqtt.V31 || v > mqtt.V5 || len(octets) > 4096 {
			return
		}
		in(t, Policy{MaximumPacketSize: 2048}, broker.Limits{Subscriptions: 10}, func(h *house) {
			other := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "not the fuzzed one", CleanStart: true})
			other.subscribe("other", 0)
			c := h.dial(v)
			for b := octets; len(b) > 0; b = b[min(int(size)+1, len(b)):] {
				c.send(b[:min(int(size)+1, len(b))])
			}
			other.publish("elsewhere", "x", 0, 0)
			other.publish("other", "x", 0, 0)
			serves(t, other)
			asked := filters(octets)
			for p := c.next(); p != nil; p = c.next() {
				wantRight(t, p, asked)
			}
			c.nc.Close()
		})
	})
}

// legal are packets of every type that a client sends.
func legal(v mqtt.Version) (packets [][]byte) {
	connect := mqtt.Connect{Version: v, ClientID: "c", CleanStart: true, KeepAlive: 60, Will: &mqtt.Will{Topic: "other", Payload: []byte("will")}}
	subscribe := mqtt.Subscribe{ID: 1, Subscriptions: []mqtt.Subscription{{Filter: "a/#", QoS: 2}, {Filter: "+/b", QoS: 1}}}
	unsubscribe := mqtt.Unsubscribe{ID: 2, Filters: []string{"a/#"}}
	disconnect := mqtt.Disconnect{}
	packets = append(packets, connect.Append(nil), subscribe.Append(nil, v))
	for qos := range mqtt.QoS(3) {
		packets = append(packets, publishPacket(v, "a/b", "x", qos, uint16(qos)))
	}
	retained := mqtt.Publish{Topic: []byte("a/r"), Payload: []byte("x"), Retain: true}
	packets = append(packets, retained.Append(nil, v), publishPacket(v, "other", "x", 1, 9))
	for _, t := range []mqtt.PacketType{mqtt.TypePuback, mqtt.TypePubrec, mqtt.TypePubrel, mqtt.TypePubcomp} {
		packets = append(packets, mqtt.AppendAck(nil, t, 2, 0, v))
	}
	return append(packets, mqtt.AppendPingreq(nil), unsubscribe.Append(nil, v), disconnect.Append(nil, v))
}

func join(packets ...[]byte) []byte {
	var all []byte
	for _, p := range packets {
		all = append(all, p...)
	}
	return all
}

// filters are all topic filters that the octets may be taken to ask for: every SUBSCRIBE in any version, wherever it stands.
func filters(octets []byte) (all []string) {
	for at := range octets {
		h, err := mqtt.ParseHeader(octets[at:])
		if err != nil || h.Type() != mqtt.TypeSubscribe || len(octets[at:]) < h.Total() {
			continue
		}
		for v := mqtt.V31; v <= mqtt.V5; v++ {
			p, err := mqtt.ParseSubscribe(h.First, octets[at+h.Size:at+h.Total()], v)
			for _, s := range p.Subscriptions {
				if err == nil {
					all = append(all, s.Filter)
				}
			}
		}
	}
	return all
}

// serves checks that the client is served: it pings, and in between come messages of its own topic alone.
func serves(t *testing.T, c *client) {
	t.Helper()
	c.send(mqtt.AppendPingreq(nil))
	for {
		switch p := c.next(); {
		case p == nil:
			t.Fatal("the server goes on serving others: PINGREQ was not answered")
		case p[0] == 0xD0:
			return
		case p[0]&0xF0 != 0x30 || !strings.HasPrefix(string(p[2:]), "\x00\x05other"):
			t.Errorf("a client gets what it asked for and nothing else: % x", p)
		}
	}
}

// wantRight checks a packet that the server has sent.
func wantRight(t *testing.T, b []byte, asked []string) {
	t.Helper()
	h, err := mqtt.ParseHeader(b)
	if err != nil {
		t.Fatalf("the server sends only packets: % x: %v", b, err)
	}
	if h.Type() != mqtt.TypePublish {
		return
	}
	for v := mqtt.V31; v <= mqtt.V5; v++ {
		p, err := mqtt.ParsePublish(h.First, b[h.Size:], v)
		for _, filter := range asked {
			if err == nil && topic.Match(filter, string(p.Topic)) {
				return
			}
		}
	}
	t.Errorf("a delivery answers a subscription: % x to one of %q", b, asked)
}
