package serial

// A packet of Paho's LoRaLink, as an XBee frames its own in API mode 2: 0x7E, the length of all that follows it, high octet first, what is carried, and a checksum, 0xFF less the sum of
// what is carried. Behind the 0x7E each 0x7E, 0x7D, XON and XOFF is a 0x7D and itself xor 0x20, in the length and the checksum too, so a bare 0x7E always begins a packet.
const (
	loraStart       = 0x7E
	loraEscape      = 0x7D
	loraXON         = 0x11
	loraXOFF        = 0x13
	loraFlip        = 0x20
	loraLength      = 2   // octets of the length
	loraPayloadMost = 255 // of a packet: the modem's buffer
)

// appendLoRaLink appends a packet; header is what stands before the payload.
func appendLoRaLink(dst, header, payload []byte) []byte {
	n := len(header) + len(payload) + 1
	dst = loraPut(append(dst, loraStart), byte(n>>8), byte(n))
	dst = loraPut(dst, header...)
	dst = loraPut(dst, payload...)
	return loraPut(dst, loraChecksum(header, payload))
}

func loraPut(dst []byte, octets ...byte) []byte {
	for _, c := range octets {
		switch c {
		case loraStart, loraEscape, loraXON, loraXOFF:
			dst = append(dst, loraEscape, c^loraFlip)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func loraChecksum(parts ...[]byte) byte {
	var sum byte
	for _, part := range parts {
		for _, c := range part {
			sum += c
		}
	}
	return 0xFF - sum
}

// loraState is where in a packet a decoder is.
type loraState uint8

const (
	loraIdle loraState = iota // what comes belongs to no packet
	loraBody
	loraSkip // the packet cannot be one; what comes is the rest of it
)

// loraDecoder finds packets in a stream and checks them. It needs no silence: the next 0x7E always ends what was before it.
type loraDecoder struct {
	header  int    // octets before the payload: loraHeard or loraSent
	in      []byte // fed and not yet looked at
	at      int
	state   loraState
	escaped bool   // the last octet was a 0x7D
	packet  []byte // since the 0x7E, without escapes
	sum     Lost
}

func (d *loraDecoder) feed(octets []byte) {
	d.in = append(d.in[:0], d.in[d.at:]...)
	d.at = 0
	d.in = append(d.in, octets...)
}

// next returns the header and the payload of the next good packet, nil when there is none.
func (d *loraDecoder) next() []byte {
	for d.at < len(d.in) {
		c := d.in[d.at]
		d.at++
		if p := d.step(c); p != nil {
			return p
		}
	}
	return nil
}

// step takes one octet and returns the packet that it ends, if that is good.
func (d *loraDecoder) step(c byte) []byte {
	switch {
	case c == loraStart:
		if d.state == loraBody && len(d.packet) > 0 {
			d.sum.Malformed++
		}
		d.state, d.escaped, d.packet = loraBody, false, d.packet[:0]
	case d.state == loraIdle:
		d.sum.GarbageBytes++
	case d.state == loraSkip:
	case c == loraEscape && !d.escaped:
		d.escaped = true
	default:
		if d.escaped {
			c, d.escaped = c^loraFlip, false
		}
		d.packet = append(d.packet, c)
		return d.look()
	}
	return nil
}

// loraCut is how many octets from the front of what a port has brought stand together: those before a packet, or a packet that has come to an end, good or not. 0 = it has not yet.
func loraCut(octets []byte) int {
	d := loraDecoder{state: loraBody, header: loraHeard}
	for i, c := range octets {
		switch {
		case c == loraStart && i > 0:
			return i
		case octets[0] != loraStart:
			continue
		}
		if d.step(c); d.state != loraBody {
			return i + 1
		}
	}
	if len(octets) > 0 && octets[0] == loraStart {
		return 0
	}
	return len(octets)
}

// look judges what there is of a packet, and returns it when it is whole and good.
func (d *loraDecoder) look() []byte {
	if len(d.packet) < loraLength {
		return nil
	}
	n := int(d.packet[0])<<8 | int(d.packet[1])
	switch {
	case n < d.header+1:
		d.sum.Malformed++
		d.state = loraSkip
	case n > d.header+loraPayloadMost+1:
		d.sum.Oversize++
		d.state = loraSkip
	case len(d.packet) == loraLength+n:
		d.state = loraIdle
		body := d.packet[loraLength : loraLength+n-1]
		if loraChecksum(body) == d.packet[loraLength+n-1] {
			return body
		}
		d.sum.CRC++
	}
	return nil
}
