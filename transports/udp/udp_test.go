package udp

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"midge/transports"
	"midge/transports/linktest"
)

func TestMain(m *testing.M) { linktest.Main(m) }

// open gives Conformance both ends on an address of this host.
func open(address string) func(*testing.T) (transports.Link, func() transports.Link) {
	return func(t *testing.T) (transports.Link, func() transports.Link) {
		gw := listenOn(t, Config{Address: address})
		return gw, func() transports.Link { return dial(t, gw) }
	}
}

func listenOn(t testing.TB, c Config) *Link {
	t.Helper()
	l, err := Listen(c)
	if err != nil {
		t.Fatalf("Listen(%+v): %v", c, err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// dial opens a device's end to a gateway on this host.
func dial(t testing.TB, gw *Link) *Link {
	t.Helper()
	to := gw.LocalAddr()
	if to.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), to.Port())
	}
	d, err := Dial(to.String())
	if err != nil {
		t.Fatalf("Dial(%s): %v", to, err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestConforms(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0", "0.0.0.0:0"} {
		t.Run("batched "+address, func(t *testing.T) { linktest.Conformance(t, open(address)) })
	}
	newDatagrams = newOneByOne
	defer func() { newDatagrams = newBatched }()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0", "0.0.0.0:0"} {
		t.Run("one by one "+address, func(t *testing.T) { linktest.Conformance(t, open(address)) })
	}
}

// readOne waits for one frame with the given room.
func readOne(t *testing.T, l *Link) transports.Frame {
	t.Helper()
	timer := time.AfterFunc(10*time.Second, func() { l.Close() })
	defer timer.Stop()
	frames := []transports.Frame{{Data: make([]byte, 0, 2048)}}
	if _, err := l.ReadFrames(frames); err != nil {
		t.Fatalf("a frame arrives within 10 s: %v; %+v", err, l.Stats())
	}
	return frames[0]
}

func TestAddressInUse(t *testing.T) {
	loopbackOnly(t)
	first := listenOn(t, Config{Address: "127.0.0.1:0", Groups: []string{"224.0.0.75:18831"}})
	address := first.LocalAddr().String()
	_, err := Listen(Config{Address: address})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second link on %s is refused with EADDRINUSE, not %v", address, err)
	}
	if want := "UDP address " + address + " is in use by another program"; err == nil || err.Error() != want {
		t.Errorf("the error is one sentence that names the address: got %q, want %q", err, want)
	}
}

func TestListenRefusesWithASentence(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Address: "1883"}, `UDP address "1883" is not of the form host:port, e.g. "127.0.0.1:1883" or ":1883"`},
		{Config{Address: "127.0.0.1:0", MTU: 70000}, "MTU of UDP link 127.0.0.1:0 is 70000, must be 0 to 65507"},
		{Config{Address: ":0", Groups: []string{"10.0.0.1"}}, `UDP group "10.0.0.1" is not a multicast address such as "224.0.0.75" or "[ff02::75]:1885"`},
		{Config{Address: ":0", Groups: []string{"224.0.0.75:0"}}, `UDP group "224.0.0.75:0": the port must be 1 to 65535`},
		{Config{Address: "0.0.0.0:0", Groups: []string{"ff02::75"}}, `of another IP version than the link's address 0.0.0.0:`},
	} {
		l, err := Listen(c.config)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Listen(%+v) is refused with %q, got %v", c.config, c.want, err)
		}
	}
}

func TestNobodyListeningDoesNotEndTheLink(t *testing.T) {
	gw := listenOn(t, Config{Address: "127.0.0.1:0"})
	to := gw.LocalAddr()
	d := dial(t, gw)
	gw.Close()
	for i := range 4 {
		d.WriteFrames([]transports.Frame{{Data: linktest.Message(9, byte(i))}})
	}
	if got := d.Stats().Errors[transports.ReasonRefused]; got == 0 {
		t.Error("the peer's refusal is counted")
	}
	gw = listenOn(t, Config{Address: to.String()})
	d.WriteFrames([]transports.Frame{{Data: linktest.Message(10, 9)}})
	if f := readOne(t, gw); !bytes.Equal(f.Data, linktest.Message(10, 9)) {
		t.Errorf("a frame reaches the peer that came back: got %x", f.Data)
	}
	// And from the gateway to a device that has gone.
	addr := MakeAddr(d.LocalAddr())
	d.Close()
	gw.WriteFrames([]transports.Frame{{Addr: addr, Data: linktest.Message(9, 1)}})
	d2 := dial(t, gw)
	d2.WriteFrames([]transports.Frame{{Data: linktest.Message(11, 9)}})
	if f := readOne(t, gw); !bytes.Equal(f.Data, linktest.Message(11, 9)) {
		t.Errorf("the gateway goes on after a device has gone: got %x", f.Data)
	}
}

func TestDroppedFramesLeaveNoHole(t *testing.T) {
	for name, datagrams := range map[string]func(*net.UDPConn, ioConfig, *transports.Counters) (datagrams, socket, error){"batched": newBatched, "one by one": newOneByOne} {
		t.Run(name, func(t *testing.T) {
			newDatagrams = datagrams
			defer func() { newDatagrams = newBatched }()
			gw := listenOn(t, Config{Address: "127.0.0.1:0", MTU: 100})
			raw, err := net.Dial("udp", gw.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			for _, n := range []int{101, 20, 0, 21, 90, 22} { // too long for the link, good, empty, good, too long for the buffer, good
				raw.Write(linktest.Message(max(n, 2), 5)[:n])
			}
			frames := make([]transports.Frame, 8)
			for i := range frames {
				frames[i].Data = make([]byte, 0, 64)
			}
			for _, want := range []int{20, 21, 22} {
				if n, err := gw.ReadFrames(frames[:1]); n != 1 || err != nil || !bytes.Equal(frames[0].Data, linktest.Message(want, 5)) {
					t.Fatalf("the good frame of %d octets comes whole: %d, %v, %x", want, n, err, frames[0].Data)
				}
			}
			s := gw.Stats()
			if s.Errors[transports.ReasonOversize] != 2 || s.Errors[transports.ReasonEmpty] != 1 || s.FramesIn != 3 {
				t.Errorf("two frames are counted as too long, one as empty, three as received: %+v", s)
			}
			seen := map[*byte]bool{}
			for _, f := range frames {
				seen[&f.Data[:1][0]] = true
			}
			if len(seen) != len(frames) {
				t.Errorf("no buffer is lost or shared: %d of %d are distinct", len(seen), len(frames))
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	lo, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Skip("no interface with index 1 here")
	}
	for _, c := range []struct {
		text string
		size int
		want string
	}{
		{"192.0.2.7:1883", 6, "192.0.2.7:1883"},
		{"[::ffff:192.0.2.7]:1883", 6, "192.0.2.7:1883"},
		{"[2001:db8::7]:10000", 18, "[2001:db8::7]:10000"},
		{"[fe80::1%" + lo.Name + "]:1883", 22, "[fe80::1%" + lo.Name + "]:1883"},
		{"[fe80::1%4294967]:1883", 22, "[fe80::1%4294967]:1883"},
	} {
		a := MakeAddr(netip.MustParseAddrPort(c.text))
		if got := len(a.Bytes()); got != c.size {
			t.Errorf("%s takes %d octets, not %d", c.text, c.size, got)
		}
		if got := (&Link{}).FormatAddr(a); got != c.want {
			t.Errorf("%s is rendered as %q, got %q", c.text, c.want, got)
		}
	}
	foreign := transports.MakeAddr([]byte{1, 2, 3})
	if got := (&Link{}).FormatAddr(foreign); got != "not a UDP address" {
		t.Errorf("an address of another link is rendered as such, got %q", got)
	}
	gw := listenOn(t, Config{Address: "127.0.0.1:0"})
	gw.WriteFrames([]transports.Frame{{Addr: foreign, Data: linktest.Message(9, 1)}, {Addr: MakeAddr(netip.MustParseAddrPort("[::1]:9")), Data: linktest.Message(9, 1)}})
	if got := gw.Stats().Errors[transports.ReasonAddress]; got != 2 {
		t.Errorf("frames to addresses that the link does not have are counted: got %d, want 2", got)
	}
}

func TestBurstIsNotDropped(t *testing.T) {
	gw := listenOn(t, Config{Address: "127.0.0.1:0"})
	d := dial(t, gw)
	const burst = 1000 // devices that wake at once
	frames := make([]transports.Frame, burst)
	for i := range frames {
		frames[i].Data = linktest.Message(60, byte(i))
	}
	d.WriteFrames(frames)
	if s := d.Stats(); s.FramesOut != burst {
		t.Fatalf("all %d frames are sent: %+v", burst, s)
	}
	if got := gw.Stats().Errors[transports.ReasonKernel]; got != 0 {
		t.Errorf("the kernel's buffer holds a burst of %d frames: %d were dropped", burst, got)
	}
}
