package xbee

// An API frame is 0x7E, the length of its data in two octets, the data, and a checksum that makes the sum of data and checksum 0xFF. With AP=2 four octets are
// escaped wherever they stand after the 0x7E, in length and checksum too; with AP=1 none is, and a 0x7E in the data means nothing.
const (
	startOctet  = 0x7E
	escapeOctet = 0x7D
	escapeFlip  = 0x20
	xon         = 0x11
	xoff        = 0x13
	frameMost   = 300 // octets of data: 255 of a message and the longest header
)

// AppendFrame appends the API frame of data.
func AppendFrame(dst, data []byte, escaped bool) []byte {
	dst = append(dst, startOctet)
	sum := byte(0xFF)
	for _, c := range data {
		sum -= c
	}
	dst = put(dst, byte(len(data)>>8), escaped)
	dst = put(dst, byte(len(data)), escaped)
	for _, c := range data {
		dst = put(dst, c, escaped)
	}
	return put(dst, sum, escaped)
}

func put(dst []byte, c byte, escaped bool) []byte {
	if escaped && (c == startOctet || c == escapeOctet || c == xon || c == xoff) {
		return append(dst, escapeOctet, c^escapeFlip)
	}
	return append(dst, c)
}
