package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"midge/transports"
)

// listInterfaces is net.Interfaces; tests leave out what is not the loopback.
var listInterfaces = net.Interfaces

// rescanEvery bounds how often a broadcast looks for new interfaces.
const rescanEvery = 10 * time.Second

// groups are the multicast groups of a gateway: where it hears and sends broadcasts.
type groups struct {
	main  *net.UDPConn
	local netip.AddrPort // of main
	to    []netip.AddrPort
	inbox inbox

	mu         sync.Mutex
	closed     bool
	sockets    map[membership]*groupSocket // for those of to that main does not hear; ifindex 0 is all interfaces
	ending     []*groupSocket              // closed, their readers perhaps not yet ended
	interfaces []net.Interface             // on which all is joined
	source4    map[int]net.IP              // by interface: the IPv4 address to broadcast from
	joined     map[membership]bool         // true: joined; only those are sent to
	own        map[netip.AddrPort]struct{} // sources of our own broadcasts
	scanned    time.Time
}

// everyone, as a group, is all that hear an interface's broadcasts. It is sent to and not joined: a socket on the wildcard address hears broadcasts to its port anyway,
// and one on a certain address is not to hear what comes to others.
var everyone = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// membership is one socket's part in one group on one interface.
type membership struct {
	group   netip.AddrPort
	ifindex int
}

// joinGroups makes main hear the groups named, each as "host" or "host:port".
func joinGroups(main *net.UDPConn, names []string, n *transports.Counters) (*groups, error) {
	ap := main.LocalAddr().(*net.UDPAddr).AddrPort()
	g := &groups{
		main: main, local: netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()),
		joined: map[membership]bool{}, sockets: map[membership]*groupSocket{},
	}
	g.inbox.counters = n
	g.inbox.wake = func() { main.SetReadDeadline(time.Unix(1, 0)) }
	onlyJoined(main)
	shareWithGroups(main)
	for _, name := range names {
		group, err := parseGroup(name, g.local)
		if err != nil {
			return nil, err
		}
		g.to = append(g.to, group)
	}
	if err := g.scan(time.Now()); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// parseGroup reads a group; without a port it has that of the link.
func parseGroup(name string, local netip.AddrPort) (netip.AddrPort, error) {
	host, port := name, local.Port()
	if h, p, err := net.SplitHostPort(name); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return netip.AddrPort{}, fmt.Errorf("UDP group %q: the port must be 1 to 65535", name)
		}
		host, port = h, uint16(n)
	}
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsMulticast() && ip != everyone {
		return netip.AddrPort{}, fmt.Errorf("UDP group %q is not a multicast address such as \"224.0.0.75\" or \"[ff02::75]:1885\", nor 255.255.255.255", name)
	}
	ip = ip.Unmap().WithZone("")
	if l := local.Addr(); ip.Is6() && l.Is4() || ip.Is4() && l.Is6() && !l.IsUnspecified() {
		return netip.AddrPort{}, fmt.Errorf("UDP group %q is of another IP version than the link's address %s", name, local)
	}
	return netip.AddrPortFrom(ip, port), nil
}

// scan joins every group on every interface that the link's address stands for and that is not joined yet. The error
// says that there is a group that no interface would join.
func (g *groups) scan(now time.Time) error {
	all, err := listInterfaces()
	if err != nil {
		return fmt.Errorf("list network interfaces: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.scanned = now
	g.interfaces, g.source4, g.own = g.interfaces[:0], map[int]net.IP{}, map[netip.AddrPort]struct{}{}
	present := map[int]bool{}
	for _, ifi := range all {
		if ifi.Flags&(net.FlagMulticast|net.FlagLoopback) == 0 || !g.covers(&ifi) {
			continue
		}
		g.interfaces = append(g.interfaces, ifi)
		present[ifi.Index] = true
	}
	for m := range g.joined { // a number may come back as another interface
		if !present[m.ifindex] {
			delete(g.joined, m)
			g.forget(m)
		}
	}
	for _, group := range g.to {
		if err := g.joinEverywhere(group); err != nil {
			return err
		}
	}
	return nil
}

// covers reports whether the link's address stands for the interface, and notes the interface's addresses as our own.
func (g *groups) covers(ifi *net.Interface) bool {
	addrs, _ := ifi.Addrs()
	local := g.local.Addr().WithZone("")
	covered := local.IsUnspecified()
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr()
		g.own[netip.AddrPortFrom(ip, g.local.Port())] = struct{}{}
		if ip.Is4() && g.source4[ifi.Index] == nil {
			g.source4[ifi.Index] = ip.AsSlice()
		}
		// All of 127.0.0.0/8 is on the loopback interface, not only the address that it shows.
		if ip == local || ifi.Flags&net.FlagLoopback != 0 && prefix.Contains(local) {
			covered = true
			g.own[g.local] = struct{}{}
		}
	}
	if covered && local.Is4() && !local.IsUnspecified() {
		g.source4[ifi.Index] = local.AsSlice()
	}
	return covered
}

func (g *groups) joinEverywhere(group netip.AddrPort) error {
	var last error
	some := false
	for i := range g.interfaces {
		m := membership{group, g.interfaces[i].Index}
		if !g.joined[m] {
			if err := g.join(m, &g.interfaces[i]); err != nil {
				last = err
				continue
			}
			g.joined[m] = true
		}
		some = true
	}
	if some {
		return nil
	}
	if last == nil {
		last = errors.New("there is no interface for it")
	}
	return fmt.Errorf("join UDP group %s: %w", group, last)
}

func (g *groups) join(m membership, ifi *net.Interface) error {
	if m.group.Addr() == everyone {
		if ifi.Flags&(net.FlagBroadcast|net.FlagLoopback) == 0 {
			return errNoBroadcast
		}
		return nil
	}
	conn, err := g.hearing(m)
	if err != nil {
		return err
	}
	to := &net.UDPAddr{IP: m.group.Addr().AsSlice()}
	if m.group.Addr().Is4() {
		err = ipv4.NewPacketConn(conn).JoinGroup(ifi, to)
	} else {
		err = ipv6.NewPacketConn(conn).JoinGroup(ifi, to)
	}
	if err != nil {
		g.forget(m)
	}
	return err
}

// hearing is the socket that hears a group on an interface: main, or one that is opened now.
func (g *groups) hearing(m membership) (*net.UDPConn, error) {
	if m.group.Port() == g.local.Port() && g.local.Addr().IsUnspecified() {
		return g.main, nil
	}
	if !needsZone(m.group.Addr()) {
		m.ifindex = 0
	}
	if s := g.sockets[m]; s != nil {
		return s.conn, nil
	}
	s, err := openGroup(m, g.isOwn, &g.inbox)
	if err != nil {
		return nil, err
	}
	g.sockets[m] = s
	return s.conn, nil
}

// forget gives up the socket of a group on one interface, if there is one of its own.
func (g *groups) forget(m membership) {
	if s := g.sockets[m]; s != nil {
		delete(g.sockets, m)
		s.conn.Close() // its reader ends by itself and is waited for by close
		g.ending = append(g.ending, s)
	}
}

// send sends data once to each group on each interface, from main. It reports whether any of them went out.
func (g *groups) send(now time.Time, data []byte) bool {
	g.mu.Lock()
	stale := now.Sub(g.scanned) >= rescanEvery
	g.mu.Unlock()
	if stale {
		g.scan(now) // what cannot be joined now is tried again at the next broadcast
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	some := false
	for m := range g.joined {
		some = g.sendOne(m, data) == nil || some
	}
	return some
}

func (g *groups) sendOne(m membership, data []byte) error {
	to := &net.UDPAddr{IP: m.group.Addr().AsSlice(), Port: int(m.group.Port())}
	if m.group.Addr().Is4() {
		// The source must be said: left to itself the kernel takes the address of another interface for
		// multicast out of the loopback, and devices would answer there.
		src := g.source4[m.ifindex]
		if src == nil {
			return errNoSource
		}
		_, err := ipv4.NewPacketConn(g.main).WriteTo(data, &ipv4.ControlMessage{IfIndex: m.ifindex, Src: src}, to)
		return err
	}
	_, err := ipv6.NewPacketConn(g.main).WriteTo(data, &ipv6.ControlMessage{IfIndex: m.ifindex}, to)
	return err
}

var errNoBroadcast = errors.New("the interface has no broadcasts")

var errNoSource = errors.New("the interface has no IPv4 address")

// reach says how many hops multicast goes. A dual-stack socket has a number for each version.
func (g *groups) reach(hops int) error {
	var v4, v6 bool
	for _, group := range g.to {
		v4, v6 = v4 || group.Addr().Is4(), v6 || group.Addr().Is6()
	}
	var err error
	if v4 {
		err = ipv4.NewPacketConn(g.main).SetMulticastTTL(hops)
	}
	if v6 {
		err = errors.Join(err, ipv6.NewPacketConn(g.main).SetMulticastHopLimit(hops))
	}
	if err != nil {
		return fmt.Errorf("set multicast to go %d hops: %w", hops, err)
	}
	return nil
}

// isOwn reports whether a broadcast from a is our own, heard again.
func (g *groups) isOwn(a transports.Addr) bool {
	ip, port, _, ok := splitAddr(&a)
	if !ok || port != g.local.Port() {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, own := g.own[netip.AddrPortFrom(ip, port)]
	return own
}

// close ends the readers of the groups and waits for them.
func (g *groups) close() {
	g.mu.Lock()
	g.closed = true
	for m := range g.sockets {
		g.forget(m)
	}
	ending := g.ending
	g.ending = nil
	g.mu.Unlock() // the readers may be about to ask isOwn
	for _, s := range ending {
		<-s.done
	}
}
