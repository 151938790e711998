package trace

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
	"time"

	"midge/transports"
)

const (
	magicNanoseconds = 0xA1B23C4D
	linkTypeRaw      = 101 // an IP packet, nothing before it
	snapLength       = 1 << 17

	ipHeader  = 20
	ip6Header = 40
	udpHeader = 8
	ttl       = 64
	udp       = 17

	// dataMax is the longest message that an IPv4 packet holds; of a longer one the rest is left out.
	dataMax = 65535 - ipHeader - udpHeader
	// recordMax is the longest that one packet is in the file.
	recordMax = 16 + ip6Header + udpHeader + dataMax
)

// The gateway's own places, and everyone's.
var (
	gatewayEnd  = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), 1883)
	gatewayEnd6 = netip.AddrPortFrom(netip.MustParseAddr("fd00::1"), 1883)
	everyone    = netip.AddrPortFrom(netip.AddrFrom4([4]byte{239, 0, 0, 1}), 1883)
)

// appendFileHeader begins a capture.
func appendFileHeader(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, magicNanoseconds)
	b = binary.LittleEndian.AppendUint16(b, 2) // version 2.4
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = binary.LittleEndian.AppendUint64(b, 0) // time zone, accuracy: always 0
	b = binary.LittleEndian.AppendUint32(b, snapLength)
	return binary.LittleEndian.AppendUint32(b, linkTypeRaw)
}

// appendFrame adds one frame of a link that formats addresses so.
func appendFrame(b []byte, now time.Time, f *transports.Frame, received bool, format func(transports.Addr) string) []byte {
	peer := place(f.Addr, format)
	gateway := gatewayEnd
	switch {
	case f.Broadcast && !received:
		peer = everyone
	case f.Broadcast && peer.Addr().Is4():
		gateway = everyone
	case peer.Addr().Is6():
		gateway = gatewayEnd6
	}
	if received {
		return appendPacket(b, now, peer, gateway, f.Data)
	}
	return appendPacket(b, now, gateway, peer, f.Data)
}

// place is the peer's place in a capture.
func place(a transports.Addr, format func(transports.Addr) string) netip.AddrPort {
	if ap, err := netip.ParseAddrPort(format(a)); err == nil {
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	h := fnv.New32a()
	h.Write(a.Bytes())
	s := h.Sum32()
	// 10.128.0.0/9, which the gateway's own place is not in.
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0x80 | byte(s>>16), byte(s >> 8), byte(s)}), 1<<15|uint16(s>>17))
}

// appendPacket adds one datagram. Both ends are of one version of IP.
func appendPacket(b []byte, now time.Time, from, to netip.AddrPort, data []byte) []byte {
	header := ipHeader
	if from.Addr().Is6() {
		header = ip6Header
	}
	original := header + udpHeader + len(data)
	data = data[:min(len(data), dataMax)]
	size := header + udpHeader + len(data)
	b = binary.LittleEndian.AppendUint32(b, uint32(now.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(now.Nanosecond()))
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint32(b, uint32(original))
	if header == ip6Header {
		return appendUDP6(appendIP6(b, from, to, len(data)), from, to, data)
	}
	return appendUDP(appendIP(b, from, to, size), from, to, data)
}

func appendIP(b []byte, from, to netip.AddrPort, size int) []byte {
	at := len(b)
	src, dst := from.Addr().As4(), to.Addr().As4()
	b = append(b, 0x45, 0) // version 4, 5 words; service
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = append(b, 0, 0, 0x40, 0, ttl, udp, 0, 0) // id; do not fragment; checksum follows
	b = append(b, src[:]...)
	b = append(b, dst[:]...)
	binary.BigEndian.PutUint16(b[at+10:], checksum(0, b[at:]))
	return b
}

func appendIP6(b []byte, from, to netip.AddrPort, data int) []byte {
	src, dst := from.Addr().As16(), to.Addr().As16()
	b = append(b, 0x60, 0, 0, 0) // version 6; class and flow
	b = binary.BigEndian.AppendUint16(b, uint16(udpHeader+data))
	b = append(b, udp, ttl)
	b = append(b, src[:]...)
	return append(b, dst[:]...)
}

func appendUDP(b []byte, from, to netip.AddrPort, data []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(udpHeader+len(data)))
	b = append(b, 0, 0) // no checksum, as IPv4 allows
	return append(b, data...)
}

// appendUDP6 is appendUDP with the checksum that IPv6 wants (RFC 8200 §8.1).
func appendUDP6(b []byte, from, to netip.AddrPort, data []byte) []byte {
	at := len(b)
	b = appendUDP(b, from, to, data)
	sum := uint32(udp) + uint32(len(b)-at)
	sum = add(sum, b[at-32:at]) // both addresses
	c := checksum(sum, b[at:])
	if c == 0 {
		c = 0xFFFF
	}
	binary.BigEndian.PutUint16(b[at+6:], c)
	return b
}

// checksum is that of RFC 791 §3.1 and RFC 768, of b and what was added before.
func checksum(sum uint32, b []byte) uint16 {
	sum = add(sum, b)
	for sum > 0xFFFF {
		sum = sum>>16 + sum&0xFFFF
	}
	return ^uint16(sum)
}

func add(sum uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) > 0 {
		sum += uint32(b[0]) << 8
	}
	return sum
}
