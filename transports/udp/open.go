package udp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"midge/transports"
)

// bufferWanted is the room in octets asked of the kernel for datagrams that wait. A thousand devices that wake at once
// are a thousand datagrams, each charged with 0.7 to 2 KB; the usual 208 KB hold a few hundred.
const bufferWanted = 4 << 20

// Config says where a gateway listens.
type Config struct {
	Address string   // "host:port"; ":1883" is IPv4 and IPv6, port 0 any free one
	Groups  []string // multicast groups to hear and to broadcast to: "224.0.0.75", "[ff02::75]:1885"; without port that of Address. "255.255.255.255" is broadcast to
	Hops    int      // how many hops multicast goes (TTL, hop limit), 1 to 255; 0 is 1: it stays in the network
	MTU     int      // longest message in octets; 0 is 65,507
}

// Listen opens the gateway's side. An address in use is an error that errors.Is(err, syscall.EADDRINUSE) knows.
func Listen(c Config) (*Link, error) {
	if c.MTU < 0 || c.MTU > mtuMax {
		return nil, fmt.Errorf("MTU of UDP link %s is %d, must be 0 to %d", c.Address, c.MTU, mtuMax)
	}
	conn, err := listen(c.Address)
	if err != nil {
		return nil, err
	}
	l := newLink(conn, c.MTU, false)
	local := l.LocalAddr()
	wildcard := local.Addr().IsUnspecified()
	if wildcard {
		wantDestination(conn)
	}
	cfg := ioConfig{mtu: l.mtu, destination: wildcard, alone: len(c.Groups) == 0}
	if len(c.Groups) > 0 {
		if l.groups, err = joinGroups(conn, c.Groups, l.counters); err != nil {
			conn.Close()
			return nil, err
		}
		if err := l.groups.reach(cmp.Or(c.Hops, 1)); err != nil {
			l.conn = conn
			l.Close()
			return nil, fmt.Errorf("UDP link %s: %w", c.Address, err)
		}
		cfg.own = l.groups.isOwn
	}
	if l.io, l.conn, err = newDatagrams(conn, cfg, l.counters); err != nil {
		l.conn = conn
		l.Close()
		return nil, fmt.Errorf("listen on UDP %s: %w", c.Address, err)
	}
	return l, nil
}

// Dial opens the device's side: a socket with one peer, whose Addr is the zero Addr. The peer need not be there yet.
func Dial(address string) (*Link, error) {
	peer, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("UDP address %q: %w", address, err)
	}
	conn, err := net.DialUDP("udp", nil, peer)
	if err != nil {
		return nil, fmt.Errorf("open a UDP socket to %s: %w", address, err)
	}
	l := newLink(conn, 0, true)
	if l.io, l.conn, err = newDatagrams(conn, ioConfig{mtu: l.mtu, connected: true}, l.counters); err != nil {
		conn.Close()
		return nil, fmt.Errorf("open a UDP socket to %s: %w", address, err)
	}
	return l, nil
}

func newLink(conn *net.UDPConn, mtu int, connected bool) *Link {
	if mtu == 0 {
		mtu = mtuMax
	}
	askForBuffers(conn, bufferWanted)
	return &Link{conn: conn, mtu: mtu, connected: connected, counters: newCounters()}
}

// listen binds the address in the family that its way of writing asks for.
func listen(address string) (*net.UDPConn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("UDP address %q is not of the form host:port, e.g. \"127.0.0.1:1883\" or \":1883\"", address)
	}
	network := "udp"
	if ip, err := netip.ParseAddr(host); err == nil {
		network = "udp6"
		if ip.Is4() {
			network = "udp4"
		}
	}
	pc, err := new(net.ListenConfig).ListenPacket(context.Background(), network, address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &inUse{address, err}
	}
	if err != nil {
		return nil, fmt.Errorf("listen on UDP %s: %w", address, err)
	}
	return pc.(*net.UDPConn), nil
}

// inUse says in one sentence what net says in three clauses.
type inUse struct {
	address string
	err     error
}

func (e *inUse) Error() string { return "UDP address " + e.address + " is in use by another program" }

func (e *inUse) Unwrap() error { return e.err }

// ioConfig is what reading and writing need to know of a socket.
type ioConfig struct {
	mtu         int
	connected   bool                       // no addresses on datagrams
	destination bool                       // the socket tells where a datagram was sent to, so that multicast can be told from unicast
	broadcast   bool                       // all that arrives came by multicast
	alone       bool                       // nothing but the link uses the socket
	own         func(transports.Addr) bool // not nil: tells the link's own broadcasts
}

// newDatagrams is the system's best way; tests set it to run the other one.
var newDatagrams = func(conn *net.UDPConn, c ioConfig, n *transports.Counters) (datagrams, socket, error) {
	return newBatched(conn, c, n)
}
