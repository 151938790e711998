package trace

import (
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	magicNanoseconds = 0xA1B23C4D
	linkTypeRaw      = 101 // an IP packet, nothing before it
	snapLength       = 1 << 16

	ipHeader  = 20
	udpHeader = 8
	ttl       = 64
	udp       = 17

	// dataMax is the longest message that an IPv4 packet holds; of a longer one the rest is left out.
	dataMax = 65535 - ipHeader - udpHeader
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

// appendPacket adds one datagram.
func appendPacket(b []byte, now time.Time, from, to netip.AddrPort, data []byte) []byte {
	original := ipHeader + udpHeader + len(data)
	data = data[:min(len(data), dataMax)]
	size := ipHeader + udpHeader + len(data)
	b = binary.LittleEndian.AppendUint32(b, uint32(now.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(now.Nanosecond()))
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint32(b, uint32(original))

	at := len(b)
	src, dst := from.Addr().As4(), to.Addr().As4()
	b = append(b, 0x45, 0) // version 4, 5 words; service
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = append(b, 0, 0, 0x40, 0, ttl, udp, 0, 0) // id; do not fragment; checksum follows
	b = append(b, src[:]...)
	b = append(b, dst[:]...)
	binary.BigEndian.PutUint16(b[at+10:], checksum(b[at:]))

	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(udpHeader+len(data)))
	b = append(b, 0, 0) // no checksum, as IPv4 allows
	return append(b, data...)
}

// checksum is that of an IPv4 header (RFC 791 §3.1).
func checksum(header []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	for sum > 0xFFFF {
		sum = sum>>16 + sum&0xFFFF
	}
	return ^uint16(sum)
}
