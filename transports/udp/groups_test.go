package udp

import (
	"bytes"
	"net"
	"net/netip"
	"strconv"
	"testing"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"midge/transports"
	"midge/transports/linktest"
)

// freePort is a port that was free a moment ago: a group needs one before its socket exists.
func freePort(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port)
}

// loopbackOnly keeps the test's multicast on this host.
func loopbackOnly(t *testing.T) {
	listInterfaces = func() (only []net.Interface, err error) {
		all, err := net.Interfaces()
		for _, ifi := range all {
			if ifi.Flags&net.FlagLoopback != 0 {
				only = append(only, ifi)
			}
		}
		return only, err
	}
	t.Cleanup(func() { listInterfaces = net.Interfaces })
}

// discoveryRow is a gateway and a device with one group, for one of the ways to hear it.
type discoveryRow struct{ name, gateway, group, device string }

func TestDiscoveryOnLoopback(t *testing.T) {
	loopbackOnly(t)
	p, q := freePort(t), freePort(t)
	for _, row := range []discoveryRow{
		{"IPv4, own port, loopback address", "127.0.0.1:" + p, "224.0.0.75:" + q, "127.0.0.1:0"},
		{"IPv4, same port, loopback address", "127.0.0.1:" + p, "224.0.0.75:" + p, "127.0.0.1:0"},
		{"IPv4, same port, another loopback address", "127.0.0.9:" + p, "224.0.0.75:" + p, "127.0.0.1:0"},
		{"IPv4, same port, wildcard", "0.0.0.0:" + p, "225.1.2.3:" + p, "127.0.0.1:0"},
		{"IPv4, own port, wildcard", "0.0.0.0:" + p, "225.1.2.3:" + q, "127.0.0.1:0"},
		{"IPv4, same port, dual stack", ":" + p, "224.0.0.75:" + p, "127.0.0.1:0"},
		{"IPv4, own port, dual stack", ":" + p, "224.0.0.75:" + q, "127.0.0.1:0"},
	} {
		t.Run(row.name, func(t *testing.T) { discover(t, row) })
	}
	newDatagrams = newOneByOne
	defer func() { newDatagrams = newBatched }()
	for _, row := range []discoveryRow{
		{"one by one, own port", "127.0.0.1:" + p, "224.0.0.75:" + q, "127.0.0.1:0"},
		{"one by one, wildcard", "0.0.0.0:" + p, "225.1.2.3:" + p, "127.0.0.1:0"},
	} {
		t.Run(row.name, func(t *testing.T) { discover(t, row) })
	}
}

// discover lets the device search by multicast and be answered both ways.
func discover(t *testing.T, row discoveryRow) { discoverBy(t, row, row.group) }

// discoverBy is discover for a device whose broadcasts go elsewhere than the gateway's.
func discoverBy(t *testing.T, row discoveryRow, search string) {
	gw := listenOn(t, Config{Address: row.gateway, Groups: []string{row.group}})
	defer gw.Close()
	dev := listenOn(t, Config{Address: row.device, Groups: []string{search}})
	defer dev.Close()

	defer func() {
		if t.Failed() {
			t.Logf("%s: gateway %+v, device %+v", row.name, gw.Stats(), dev.Stats())
		}
	}()

	searchgw := []byte{3, 1, 0}
	dev.WriteFrames([]transports.Frame{{Data: searchgw, Broadcast: true}})
	f := readOne(t, gw)
	if !bytes.Equal(f.Data, searchgw) || !f.Broadcast || AddrPort(f.Addr).Port() != dev.LocalAddr().Port() {
		t.Fatalf("%s: the gateway hears SEARCHGW as a broadcast from the device's port: %+v from %s", row.name, f, gw.FormatAddr(f.Addr))
	}
	device := f.Addr

	info := []byte{3, 2, 1}
	gw.WriteFrames([]transports.Frame{{Data: info, Broadcast: true}})
	f = readOne(t, dev)
	if !bytes.Equal(f.Data, info) || !f.Broadcast || AddrPort(f.Addr).Port() != gw.LocalAddr().Port() {
		t.Fatalf("%s: the device hears GWINFO as a broadcast from the gateway's port: %+v from %s", row.name, f, dev.FormatAddr(f.Addr))
	}

	dev.WriteFrames([]transports.Frame{{Addr: f.Addr, Data: linktest.Message(12, 1)}})
	for f = readOne(t, gw); f.Broadcast; f = readOne(t, gw) { // a host on both ends of a cable hears a search twice
	}
	if !bytes.Equal(f.Data, linktest.Message(12, 1)) || f.Broadcast || AddrPort(f.Addr).Port() != AddrPort(device).Port() {
		t.Fatalf("%s: a frame to the address of the GWINFO reaches the gateway, not as a broadcast: %+v from %s", row.name, f, gw.FormatAddr(f.Addr))
	}
	gw.WriteFrames([]transports.Frame{{Addr: device, Data: linktest.Message(13, 1)}})
	for f = readOne(t, dev); f.Broadcast; f = readOne(t, dev) {
	}
	if !bytes.Equal(f.Data, linktest.Message(13, 1)) {
		t.Fatalf("%s: the answer reaches the device, not as a broadcast: %+v", row.name, f)
	}
	for name, l := range map[string]*Link{"gateway": gw, "device": dev} {
		s := l.Stats()
		if s.FramesOut != 2 || s.Errors[transports.ReasonReceive]+s.Errors[transports.ReasonSend] != 0 {
			t.Errorf("%s: the %s counts two frames out and no error: %+v", row.name, name, s)
		}
	}
}

// TestDiscoveryByBroadcast: devices without multicast are found, and find, by broadcasts; what a gateway broadcasts it does not take for a device's.
func TestDiscoveryByBroadcast(t *testing.T) {
	loopbackOnly(t)
	for _, host := range []string{"0.0.0.0:", ":"} {
		t.Run(host, func(t *testing.T) {
			p, q := freePort(t), freePort(t)
			discoverBy(t, discoveryRow{"broadcast", host + p, "255.255.255.255:" + q, "0.0.0.0:" + q}, "255.255.255.255:"+p)
		})
	}
	gw := listenOn(t, Config{Address: "127.0.0.1:0", Groups: []string{"255.255.255.255"}})
	gw.WriteFrames([]transports.Frame{{Data: []byte{3, 2, 1}, Broadcast: true}})
	if s := gw.Stats(); s.FramesOut != 1 || s.FramesIn != 0 {
		t.Errorf("a gateway on a certain address broadcasts and does not hear itself: %+v", s)
	}
}

// TestMulticastHops reads back what the kernel was told, of a socket of each kind.
func TestMulticastHops(t *testing.T) {
	loopbackOnly(t)
	p := freePort(t)
	for _, row := range []struct {
		address, group string
		hops, want     int
	}{
		{"0.0.0.0:" + p, "225.1.2.3", 0, 1}, {"0.0.0.0:" + p, "225.1.2.3", 7, 7}, {":" + p, "225.1.2.3", 7, 7}, {":" + p, "[ff05::75]", 9, 9}, {"[::]:" + p, "[ff05::75]", 0, 1},
	} {
		gw := listenOn(t, Config{Address: row.address, Groups: []string{row.group}, Hops: row.hops})
		got, err := ipv4.NewPacketConn(gw.groups.main).MulticastTTL()
		if row.group[0] == '[' {
			got, err = ipv6.NewPacketConn(gw.groups.main).MulticastHopLimit()
		}
		if err != nil || got != row.want {
			t.Errorf("%+v: multicast goes %d hops: %v", row, got, err)
		}
		gw.Close()
	}
}

func TestBroadcastWithoutGroupIsCounted(t *testing.T) {
	gw := listenOn(t, Config{Address: "127.0.0.1:0"})
	gw.WriteFrames([]transports.Frame{{Data: []byte{3, 2, 1}, Broadcast: true}})
	if got := gw.Stats().Errors[transports.ReasonNoGroup]; got != 1 {
		t.Errorf("a broadcast that goes nowhere is counted: got %d, want 1", got)
	}
}

func TestOwnBroadcastIsNotHeard(t *testing.T) {
	loopbackOnly(t)
	gw := listenOn(t, Config{Address: "127.0.0.1:0", Groups: []string{"224.0.0.75:" + freePort(t)}})
	d := dial(t, gw)
	gw.WriteFrames([]transports.Frame{{Data: []byte{3, 2, 1}, Broadcast: true}})
	d.WriteFrames([]transports.Frame{{Data: linktest.Message(9, 1)}})
	if f := readOne(t, gw); f.Broadcast || !bytes.Equal(f.Data, linktest.Message(9, 1)) {
		t.Errorf("what the gateway reads is the device's frame, not its own broadcast: %+v", f)
	}
}

func TestLinkLocalZoneSurvives(t *testing.T) {
	for _, ifi := range interfaces(t) {
		addrs, _ := ifi.Addrs()
		for _, a := range addrs {
			prefix, err := netip.ParsePrefix(a.String())
			if err != nil || !prefix.Addr().IsLinkLocalUnicast() || !prefix.Addr().Is6() || ifi.Flags&net.FlagUp == 0 {
				continue
			}
			gw := listenOn(t, Config{Address: ":0"})
			to := netip.AddrPortFrom(prefix.Addr().WithZone(ifi.Name), gw.LocalAddr().Port())
			d, err := Dial(to.String())
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			d.WriteFrames([]transports.Frame{{Data: linktest.Message(9, 1)}})
			f := readOne(t, gw)
			if got, want := gw.FormatAddr(f.Addr), d.LocalAddr().String(); got != want {
				t.Errorf("the device's address keeps its zone: got %s, want %s", got, want)
			}
			gw.WriteFrames([]transports.Frame{{Addr: f.Addr, Data: linktest.Message(10, 1)}})
			if f := readOne(t, d); !bytes.Equal(f.Data, linktest.Message(10, 1)) {
				t.Errorf("and can be answered: got %x", f.Data)
			}
			return
		}
	}
	t.Skip("no interface with a link-local IPv6 address here")
}

func interfaces(t *testing.T) []net.Interface {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
