package serial

import "time"

// A packet of RadioHead's RH_Serial: DLE STX, the four headers and the message with each DLE doubled, DLE ETX, and the FCS, high octet first and never
// escaped. The FCS is the CRC of hdlc, not inverted, over the headers, the message and the DLE ETX, without what doubles a DLE.
const (
	rhDLE     = 0x10
	rhSTX     = 0x02
	rhETX     = 0x03
	rhHeaders = 4 // octets: TO, FROM, ID, FLAGS
	rhMTU     = 60
)

// appendRadioHead appends a packet; body is the headers and the message.
func appendRadioHead(dst, body []byte) []byte {
	dst = append(dst, rhDLE, rhSTX)
	for _, c := range body {
		if c == rhDLE {
			dst = append(dst, rhDLE)
		}
		dst = append(dst, c)
	}
	fcs := radioHeadFCS(body)
	return append(dst, rhDLE, rhETX, byte(fcs>>8), byte(fcs))
}

func radioHeadFCS(body []byte) uint16 {
	return crc16(crc16(crcInit, body), []byte{rhDLE, rhETX})
}

// rhState is where in a packet a decoder is.
type rhState uint8

const (
	rhIdle  rhState = iota
	rhStart         // after DLE, outside
	rhBody
	rhEscape // after DLE, inside
	rhFCS1
	rhFCS2
)

// rhDecoder finds packets in a stream and checks them. DLE STX begins a packet wherever it stands, but an FCS may look like one: a packet that was torn before it
// is only over with silence.
type rhDecoder struct {
	gap   time.Duration
	last  time.Time // when the last octet had arrived
	in    []byte    // fed and not yet looked at
	at    int
	state rhState
	body  []byte
	fcs   uint16 // its first octet
	sum   Lost
}

func (d *rhDecoder) feed(now time.Time, octets []byte) {
	if len(octets) == 0 {
		if d.state != rhIdle && now.Sub(d.last) >= d.gap {
			d.torn()
			d.state = rhIdle
		}
		return
	}
	d.last = now
	d.in = append(d.in[:0], d.in[d.at:]...)
	d.at = 0
	d.in = append(d.in, octets...)
}

// next returns the headers and the message of the next good packet, nil when there is none.
func (d *rhDecoder) next() []byte {
	for d.at < len(d.in) {
		c := d.in[d.at]
		d.at++
		if d.step(c) {
			return d.body
		}
	}
	return nil
}

// step takes one octet; true when it ends a good packet.
func (d *rhDecoder) step(c byte) bool {
	switch d.state {
	case rhIdle:
		if c == rhDLE {
			d.state = rhStart
		} else {
			d.sum.GarbageBytes++
		}
	case rhStart:
		d.begin(c)
	case rhBody:
		if c == rhDLE {
			d.state = rhEscape
		} else {
			d.put(c)
		}
	case rhEscape:
		switch c {
		case rhDLE:
			d.state = rhBody
			d.put(c)
		case rhETX:
			d.state = rhFCS1
		default:
			d.torn()
			d.begin(c)
		}
	case rhFCS1:
		d.fcs, d.state = uint16(c)<<8, rhFCS2
	case rhFCS2:
		d.state = rhIdle
		return d.end(d.fcs | uint16(c))
	}
	return false
}

// begin takes the octet after a DLE that escapes nothing.
func (d *rhDecoder) begin(c byte) {
	if c == rhSTX {
		d.state, d.body = rhBody, d.body[:0]
		return
	}
	d.sum.GarbageBytes += 2
	d.state = rhIdle
}

func (d *rhDecoder) put(c byte) {
	if len(d.body) == rhHeaders+rhMTU {
		d.sum.Oversize++
		d.state = rhIdle
		return
	}
	d.body = append(d.body, c)
}

// torn gives up the packet that has begun.
func (d *rhDecoder) torn() {
	if d.state != rhStart {
		d.sum.Malformed++
	}
}

func (d *rhDecoder) end(fcs uint16) bool {
	switch {
	case fcs != radioHeadFCS(d.body):
		d.sum.CRC++
	case len(d.body) < rhHeaders:
		d.sum.Malformed++
	default:
		return true
	}
	return false
}
