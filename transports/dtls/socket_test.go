package dtls

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"midge/transports"
	"midge/transports/linktest"
)

// TestRebornAtItsAddress: a device that loses power has no time to say that its session ends, and many have a port of their own that they come back from.
func TestRebornAtItsAddress(t *testing.T) {
	gw := listen(t, nil)
	at := net.UDPAddrFromAddrPort(gw.LocalAddr())
	c := DialConfig{Identity: "sensor-7", Key: key}
	port := 0
	for life := range byte(3) {
		socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			t.Fatal(err)
		}
		port = socket.LocalAddr().(*net.UDPAddr).Port
		conn, err := dtls.ClientWithOptions(socket, at, c.options("")...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err = conn.HandshakeContext(ctx)
		cancel()
		if err != nil {
			t.Fatalf("in life %d it shakes hands: %v", life, err)
		}
		conn.Write(linktest.Message(20, life))
		if f := read(t, gw); string(f.Data) != string(linktest.Message(20, life)) {
			t.Errorf("in life %d it is heard: got %x", life, f.Data)
		}
		socket.Close() // the power fails: nothing is said
		conn.Close()
	}
}

// TestMessagesBehindTheHandshake: a device that logs in sends CONNECT and AUTH as soon as its side of the handshake is complete. pion keeps one of what comes
// before its own side is.
func TestMessagesBehindTheHandshake(t *testing.T) {
	from := netip.MustParseAddrPort("127.0.0.1:1")
	of := func(kind byte, epoch byte, length int) []byte {
		b := append([]byte{kind, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 0, 0}, make([]byte, idSize)...)
		if kind != recordConnectionID {
			b = b[:len(b)-idSize]
		}
		return append(append(b, 0, byte(length)), make([]byte, length)...)
	}
	for _, test := range []struct {
		sentence  string
		datagrams [][]byte
		order     []int // in which they are read; those from open on when the handshake is complete
		open      int
	}{
		{"messages wait, the handshake goes on", [][]byte{of(recordApplicationData, 1, 30), of(recordApplicationData, 1, 31), of(recordHandshake, 1, 40)}, []int{2, 0, 1}, 1},
		{"with Connection ID as well", [][]byte{of(recordConnectionID, 1, 60), of(recordConnectionID, 1, 61), of(recordConnectionID, 1, 41)}, []int{2, 0, 1}, 1},
		{"a Finished of any cipher suite does not wait", [][]byte{of(recordConnectionID, 1, 41), of(recordConnectionID, 1, 49), of(recordConnectionID, 1, 80)}, []int{0, 1, 2}, 3},
	} {
		s := newSocket(nil, func() {}, func() {})
		f := &flow{socket: s}
		f.arrived.L = &f.mu
		for _, b := range test.datagrams {
			r, ok := parseRecord(b)
			if !ok {
				t.Fatalf("%x is a record", b)
			}
			f.put(r, b, from)
		}
		for i, want := range test.order {
			if i == test.open {
				f.SetReadDeadline(time.Unix(1, 0))
				if _, _, err := f.ReadFrom(make([]byte, 200)); err == nil || len(f.queue) > 0 {
					t.Errorf("%s: nothing more is read before the handshake is complete", test.sentence)
				}
				f.SetReadDeadline(time.Time{})
				s.established(f, "")
			}
			b := make([]byte, 200)
			if n, _, err := f.ReadFrom(b); err != nil || !bytes.Equal(b[:n], test.datagrams[want]) {
				t.Errorf("%s: datagram %d is read as number %d: got %x, %v", test.sentence, want, i, b[:n], err)
			}
		}
		if f.waiting != 0 {
			t.Errorf("%s: nothing waits any more: got %d octets", test.sentence, f.waiting)
		}
	}
}

// TestHelloDoesNotEndASession: anybody can send a ClientHello in the name of another address.
func TestHelloDoesNotEndASession(t *testing.T) {
	gw := listen(t, nil)
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	// Without a Connection ID the address is all that its session is known by.
	o := []dtls.ClientOption{dtls.WithPSK(func([]byte) ([]byte, error) { return key, nil }), dtls.WithPSKIdentityHint([]byte("sensor-7")),
		dtls.WithCipherSuites(pskSuites...), dtls.WithLoggerFactory(silent{})}
	conn, err := dtls.ClientWithOptions(socket, net.UDPAddrFromAddrPort(gw.LocalAddr()), o...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	conn.Write(linktest.Message(20, 1))
	first := read(t, gw)
	hello := append([]byte{recordHandshake, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, clientHello, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 48, 0xFE, 0xFD}, bytes.Repeat([]byte{7}, 46)...)
	for i := range byte(3) {
		hello[30] = i // another random each
		socket.WriteTo(hello, net.UDPAddrFromAddrPort(gw.LocalAddr()))
	}
	conn.Write(linktest.Message(20, 2))
	if f := read(t, gw); f.Addr != first.Addr || !bytes.Equal(f.Data, linktest.Message(20, 2)) {
		t.Errorf("the session goes on beside handshakes that come to nothing: got %x", f.Data)
	}
	gw.WriteFrames([]transports.Frame{{Addr: first.Addr, Data: linktest.Message(20, 3)}})
	b := make([]byte, 100)
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := conn.Read(b); err != nil || !bytes.Equal(b[:n], linktest.Message(20, 3)) {
		t.Errorf("and the other way: got %x, %v", b[:n], err)
	}
}

// TestWhoLeavesWhenAnAddressIsTakenOver: a handshake is complete at an address that has a session.
func TestWhoLeavesWhenAnAddressIsTakenOver(t *testing.T) {
	from := netip.MustParseAddrPort("127.0.0.1:1")
	for _, test := range []struct {
		sentence    string
		numbered    bool
		before, now string
		leaves      bool
	}{
		{"a session that is known by its address only is over", false, "a", "b", true},
		{"one with a Connection ID may be elsewhere by now", true, "a", "b", false},
		{"the same device has begun anew", true, "a", "a", true},
		{"of two that have proven nothing it is not known", true, "", "", false},
	} {
		s := newSocket(nil, func() {}, func() {})
		hello := func(random byte) {
			b := append([]byte{recordHandshake, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, clientHello}, bytes.Repeat([]byte{random}, 59)...)
			s.route(b, from, func(*flow) bool { return true })
		}
		hello(1)
		old := s.peers[from]
		old.numbered = test.numbered
		s.established(old, test.before)
		hello(2)
		if s.peers[from] != old || s.rising[from] == nil {
			t.Fatalf("%s: a handshake under way leaves the session its address", test.sentence)
		}
		young := s.rising[from]
		s.established(young, test.now)
		if s.peers[from] != young || s.rising[from] != nil || old.closed != test.leaves || (s.ids[old.id] == nil) != test.leaves {
			t.Errorf("%s: old one over %v, want %v", test.sentence, old.closed, test.leaves)
		}
	}
}

// TestRecordsOfALostSession: after a restart devices go on with sessions that the gateway does not have.
func TestRecordsOfALostSession(t *testing.T) {
	strays := 0
	s := newSocket(nil, func() { strays++ }, func() {})
	begun := false
	for _, kind := range []byte{recordConnectionID, recordApplicationData, 21} {
		s.route(append([]byte{kind, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 9}, make([]byte, 40)...), netip.MustParseAddrPort("127.0.0.1:1"), func(*flow) bool { begun = true; return true })
	}
	if strays != 3 || begun {
		t.Errorf("each is counted, and none begins anything: %d counted, begun %v", strays, begun)
	}
}

// TestHellosKeepNobodyOut: anybody can send a ClientHello in the name of any address, and never answer the cookie.
func TestHellosKeepNobodyOut(t *testing.T) {
	gw := listen(t, nil)
	hello := firstHello(t)
	for range 2 * handshakesMax {
		c, err := net.Dial("udp", gw.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(hello); err != nil {
			t.Fatal(err)
		}
	}
	d := dial(t, gw.LocalAddr().String(), nil)
	send(t, d, gw, transports.Addr{}, "a device comes in beside handshakes that nobody goes on with")
}

// firstHello is what a device sends first.
func firstHello(t *testing.T) []byte {
	t.Helper()
	to, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	tryDial(t, to.LocalAddr().String(), 100*time.Millisecond, nil)
	b := make([]byte, 2000)
	n, _, err := to.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// TestWhoGivesWay: handshakes that went on after the cookie stay, whatever comes.
func TestWhoGivesWay(t *testing.T) {
	s := newSocket(nil, func() {}, func() {})
	hello := func(from string, random byte, cookie ...byte) {
		b := append([]byte{recordHandshake, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, clientHello}, make([]byte, 13)...)
		b = append(append(b, bytes.Repeat([]byte{random}, 32)...), 0, byte(len(cookie))) // no session id
		s.route(append(b, cookie...), netip.MustParseAddrPort(from), func(*flow) bool { return true })
	}
	const first, second, third = "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"
	hello(first, 1)
	hello(first, 1, 7)
	hello(second, 2)
	hello(third, 3, 7) // made up: it was never sent one
	hello(second, 2)   // once more, without
	for _, from := range []string{second, third} {
		if !s.dropStranger() || s.peers[netip.MustParseAddrPort(from)] != nil {
			t.Errorf("%s has not answered a cookie and gives way, the one that waits longest first", from)
		}
	}
	if s.dropStranger() || s.peers[netip.MustParseAddrPort(first)] == nil {
		t.Errorf("%s has answered its cookie and stays", first)
	}
	for i := range 3 * handshakesMax {
		hello("127.0.0.1:4", byte(i), 7)
		hello("127.0.0.1:4", byte(i), 7)
	}
	if len(s.strangers) > 2*handshakesMax {
		t.Errorf("those that have gone on, or are over, are forgotten: %d are remembered", len(s.strangers))
	}
}
