package serial

// The octets of RFC 1055: END before and after each packet, and ESC before what stands for an END or an ESC in it.
const (
	slipEnd      = 0xC0
	slipEscape   = 0xDB
	slipEscEnd   = 0xDC
	slipEscEsc   = 0xDD
	slipMostBody = 255 // octets of a packet with its CRC: the bridges have a buffer of that length
)

// appendSlip appends one packet with its CRC-16/XMODEM, low octet first.
func appendSlip(dst, body []byte) []byte {
	dst = append(dst, slipEnd)
	for _, c := range body {
		dst = slipPut(dst, c)
	}
	crc := xmodem(body)
	dst = slipPut(dst, byte(crc))
	dst = slipPut(dst, byte(crc>>8))
	return append(dst, slipEnd)
}

func slipPut(dst []byte, c byte) []byte {
	switch c {
	case slipEnd:
		return append(dst, slipEscape, slipEscEnd)
	case slipEscape:
		return append(dst, slipEscape, slipEscEsc)
	}
	return append(dst, c)
}

// slipDecoder finds packets in a stream and checks them. It needs no silence: an END always ends what was before it.
type slipDecoder struct {
	in      []byte // fed and not yet looked at
	at      int
	packet  []byte // octets since the last END
	hunting bool   // octets until the next END belong to no packet
	escaped bool   // the last octet was an ESC
	sum     Lost
}

func (d *slipDecoder) feed(octets []byte) {
	d.in = append(d.in[:0], d.in[d.at:]...)
	d.at = 0
	d.in = append(d.in, octets...)
}

// next returns the next good packet without its CRC, nil when there is none.
func (d *slipDecoder) next() []byte {
	for d.at < len(d.in) {
		c := d.in[d.at]
		d.at++
		if c == slipEnd {
			if p := d.end(); p != nil {
				return p
			}
			continue
		}
		d.put(c)
	}
	return nil
}

func (d *slipDecoder) put(c byte) {
	switch {
	case d.hunting:
		d.sum.GarbageBytes++
		return
	case d.escaped && c == slipEscEnd:
		c = slipEnd
	case d.escaped && c == slipEscEsc:
		c = slipEscape
	case d.escaped: // RFC 1055 leaves open what it is; a checksum follows, so it cannot be a packet
		d.sum.Malformed++
		d.hunting = true
		return
	case c == slipEscape:
		d.escaped = true
		return
	}
	d.escaped = false
	if len(d.packet) == slipMostBody {
		d.sum.Oversize++
		d.hunting = true
		return
	}
	d.packet = append(d.packet, c)
}

// end is called at an END. It returns the packet that ends there and begins the next.
func (d *slipDecoder) end() []byte {
	packet, hunting, escaped := d.packet, d.hunting, d.escaped
	d.packet, d.hunting, d.escaped = d.packet[:0], false, false
	n := len(packet) - crcOctets
	switch {
	case hunting, len(packet) == 0: // two ENDs in a row stand between packets
	case escaped || n < 1:
		d.sum.Malformed++
	case xmodem(packet[:n]) != uint16(packet[n])|uint16(packet[n+1])<<8:
		d.sum.CRC++
	default:
		return packet[:n:n]
	}
	return nil
}
