package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"

	"midge/transports"
)

// Layout of an Addr of this link; the length tells the three kinds apart.
const (
	addr4     = 4 + 2      // IPv4, port
	addr6     = 16 + 2     // IPv6, port
	addr6Zone = 16 + 2 + 4 // IPv6, port, interface index; all integers big-endian
)

// makeAddr packs an address. ifindex counts only for link-local IPv6.
func makeAddr(ip netip.Addr, port uint16, ifindex uint32) transports.Addr {
	var b [addr6Zone]byte
	if ip = ip.Unmap(); ip.Is4() {
		a := ip.As4()
		copy(b[:], a[:])
		binary.BigEndian.PutUint16(b[4:], port)
		return transports.MakeAddr(b[:addr4])
	}
	a := ip.As16()
	copy(b[:], a[:])
	binary.BigEndian.PutUint16(b[16:], port)
	if ifindex == 0 || !needsZone(ip) {
		return transports.MakeAddr(b[:addr6])
	}
	binary.BigEndian.PutUint32(b[18:], ifindex)
	return transports.MakeAddr(b[:])
}

// splitAddr is the inverse of makeAddr; the IP comes without zone. ok is false for an Addr that is not of this link.
func splitAddr(a *transports.Addr) (ip netip.Addr, port uint16, ifindex uint32, ok bool) {
	b := a.Bytes()
	switch len(b) {
	case addr4:
		return netip.AddrFrom4([4]byte(b[:4])), binary.BigEndian.Uint16(b[4:]), 0, true
	case addr6:
		return netip.AddrFrom16([16]byte(b[:16])), binary.BigEndian.Uint16(b[16:]), 0, true
	case addr6Zone:
		return netip.AddrFrom16([16]byte(b[:16])), binary.BigEndian.Uint16(b[16:]), binary.BigEndian.Uint32(b[18:]), true
	}
	return netip.Addr{}, 0, 0, false
}

// MakeAddr is the Addr of a peer, for those who know it by other means than having heard it.
func MakeAddr(ap netip.AddrPort) transports.Addr {
	return makeAddr(ap.Addr(), ap.Port(), zoneIndex(ap.Addr().Zone()))
}

// AddrPort is the inverse of MakeAddr; it is not valid for an Addr of another kind of link.
func AddrPort(a transports.Addr) netip.AddrPort {
	ip, port, ifindex, ok := splitAddr(&a)
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ip.WithZone(zoneName(ifindex)), port)
}

// Host is transports.Hoster's: the IP address. A NAT or a reboot changes the port.
func (l *Link) Host(a transports.Addr) string {
	if ap := AddrPort(a); ap.IsValid() {
		return ap.Addr().String()
	}
	return ""
}

// needsZone reports whether an address means nothing without its interface.
func needsZone(ip netip.Addr) bool {
	return ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsInterfaceLocalMulticast()
}

// zoneIndex is the interface index of a zone, which may be a name or a number; 0 for none or an unknown one.
func zoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if ifi, err := net.InterfaceByName(zone); err == nil {
		return uint32(ifi.Index)
	}
	n, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(n)
}

// zoneName is the zone for an interface index: its name, or the number when the interface is gone.
func zoneName(ifindex uint32) string {
	if ifindex == 0 {
		return ""
	}
	if ifi, err := net.InterfaceByIndex(int(ifindex)); err == nil {
		return ifi.Name
	}
	return strconv.FormatUint(uint64(ifindex), 10)
}
