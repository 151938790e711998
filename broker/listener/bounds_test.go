package listener

import (
	"io"
	"net"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

func TestBounds(t *testing.T) {
	now := time.Now()
	at := func(s string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	type step struct {
		after time.Duration
		peer  net.Addr // who comes, or goes
		goes  bool
		why   refusal // refusalCount: none
	}
	const in = refusalCount
	a, a2, b, c := at("192.0.2.1:1"), at("[::ffff:192.0.2.1]:2"), at("192.0.2.2:1"), at("192.0.2.3:1")
	six, six2, six3 := at("[2001:db8::1]:1"), at("[2001:db8::2]:1"), at("[2001:db8:0:1::2]:1")
	for name, row := range map[string]struct {
		policy Policy
		steps  []step
	}{
		"none":               {Policy{}, []step{{0, a, false, in}, {0, a, false, in}, {0, b, false, in}}},
		"of the listener":    {Policy{Connections: 2}, []step{{0, a, false, in}, {0, b, false, in}, {0, c, false, refusedListenerFull}, {0, b, true, in}, {0, c, false, in}}},
		"of an address":      {Policy{ConnectionsPerAddress: 1}, []step{{0, a, false, in}, {0, a2, false, refusedAddressFull}, {0, b, false, in}, {0, a, true, in}, {0, a2, false, in}}},
		"of an IPv6 network": {Policy{ConnectionsPerAddress: 1}, []step{{0, six, false, in}, {0, six2, false, refusedAddressFull}, {0, six3, false, in}}},
		"a Unix socket has no address": {Policy{Connections: 2, ConnectionsPerAddress: 1, ConnectRatePerAddress: 1},
			[]step{{0, &net.UnixAddr{}, false, in}, {0, &net.UnixAddr{}, false, in}, {0, &net.UnixAddr{}, false, refusedListenerFull}}},
		"in a second": {Policy{ConnectRate: 2}, []step{{0, a, false, in}, {999 * time.Millisecond, b, false, in}, {0, c, false, refusedRate}, {time.Millisecond, c, false, in}}},
		"of an address in a second": {Policy{ConnectRatePerAddress: 1},
			[]step{{0, a, false, in}, {0, a, true, in}, {0, a2, false, refusedAddressRate}, {0, b, false, in}, {time.Second, a, false, in}, {0, a, false, refusedAddressRate}}},
	} {
		l, clock := &bounds{}, now
		for i, s := range row.steps {
			clock = clock.Add(s.after)
			if s.goes {
				l.leave(s.peer)
				continue
			}
			if why, ok := l.enter(clock, &row.policy, s.peer); ok != (s.why == in) || !ok && why != s.why {
				t.Errorf("bounds %s, step %d: got %v %s", name, i, ok, refusalNames[why])
			}
		}
	}
}

func TestGuestsAreForgotten(t *testing.T) {
	b, now, p := &bounds{}, time.Now(), &Policy{ConnectionsPerAddress: 1}
	stays := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}
	b.enter(now, p, stays)
	for i := range 10_000 {
		now = now.Add(time.Millisecond)
		peer := &net.TCPAddr{IP: net.IPv4(10, 0, byte(i>>8), byte(i))}
		b.enter(now, p, peer)
		b.leave(peer)
	}
	if n := len(b.guests); n > 2100 {
		t.Errorf("addresses that are gone are forgotten after a second or two: %d of 10,000 in 10 s are kept", n)
	}
	if _, ok := b.enter(now, p, stays); ok {
		t.Error("one that is there is not forgotten")
	}
}

func TestBoundedListener(t *testing.T) {
	addr := serve(t, Policy{ConnectionsPerAddress: 2})
	connect := func(id string) *tcpClient {
		return dialTCP(t, addr).connect(mqtt.Connect{Version: mqtt.V311, ClientID: id, CleanStart: true})
	}
	connect("0")
	second := connect("1")
	if _, err := dialTCP(t, addr).Read(make([]byte, 1)); err == nil {
		t.Error("a connection that is one too many is closed")
	}
	second.Write(mqtt.AppendPingreq(nil))
	second.want("the other stays", 0xD0, 0)
}

// TestNoTopicAliases is a policy with none, and one with the default.
func TestNoTopicAliases(t *testing.T) {
	for max, want := range map[int]uint16{-1: 0, 0: 10, 65535: 65535} {
		in(t, Policy{TopicAliasMaximum: max}, broker.Limits{}, func(h *house) {
			c := h.dial(mqtt.V5)
			c.send(connectPacket(mqtt.V5, "c"))
			p := c.next()
			ack, err := mqtt.ParseConnack(p[0], p[2:], mqtt.V5)
			if err != nil && err != io.EOF || ack.Props.TopicAliasMaximum != want {
				t.Errorf("a policy of %d is announced as %d: got %+v, %v", max, want, ack.Props, err)
			}
		})
	}
}
