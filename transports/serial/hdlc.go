package serial

import "time"

// The octets of RFC 1662 §4: a flag before and after each frame, one flag between two frames being enough; an escape that
// says that bit 5 of the next octet was flipped.
const (
	hdlcFlag   = 0x7E
	hdlcEscape = 0x7D
	hdlcFlip   = 0x20
)

// hdlc is flag, message, CRC-16 (low octet first), flag; flag and escape are escaped between the flags. There is no address and no
// control octet.
type hdlc struct{}

func (hdlc) Append(dst, message []byte) []byte {
	dst = append(dst, hdlcFlag)
	for _, c := range message {
		dst = hdlcPut(dst, c)
	}
	crc := ^crc16(crcInit, message)
	dst = hdlcPut(dst, byte(crc))
	dst = hdlcPut(dst, byte(crc>>8))
	return append(dst, hdlcFlag)
}

func hdlcPut(dst []byte, c byte) []byte {
	if c == hdlcFlag || c == hdlcEscape {
		return append(dst, hdlcEscape, c^hdlcFlip)
	}
	return append(dst, c)
}

func (hdlc) NewDecoder(mtu int, _ time.Duration) Decoder {
	return &hdlcDecoder{mtu: mtu, hunting: true}
}

// hdlcDecoder needs no silence: a flag always ends what was before it.
type hdlcDecoder struct {
	mtu     int
	in      []byte // fed and not yet looked at
	at      int
	frame   []byte // unescaped octets since the last flag
	hunting bool   // octets until the next flag belong to no frame
	escaped bool   // the last octet was an escape
	sum     Lost
}

const (
	crcOctets    = 2
	messageLeast = 2 // octets: Length and MsgType
)

func (d *hdlcDecoder) Feed(_ time.Time, octets []byte) {
	d.in = append(d.in[:0], d.in[d.at:]...)
	d.at = 0
	d.in = append(d.in, octets...)
}

func (d *hdlcDecoder) Next() []byte {
	for d.at < len(d.in) {
		c := d.in[d.at]
		d.at++
		if c == hdlcFlag {
			if m := d.end(); m != nil {
				return m
			}
			continue
		}
		d.put(c)
	}
	return nil
}

// put takes one octet that is not a flag.
func (d *hdlcDecoder) put(c byte) {
	switch {
	case d.hunting:
		d.sum.GarbageBytes++
	case c == hdlcEscape && !d.escaped:
		d.escaped = true
	case len(d.frame) == d.mtu+crcOctets:
		d.sum.Oversize++
		d.hunting = true
	default:
		if d.escaped {
			c ^= hdlcFlip
			d.escaped = false
		}
		d.frame = append(d.frame, c)
	}
}

// end is called at a flag. It returns the message that ends there, nil when there is none, and begins the next.
func (d *hdlcDecoder) end() []byte {
	frame, hunting, escaped := d.frame, d.hunting, d.escaped
	d.frame, d.hunting, d.escaped = d.frame[:0], false, false
	switch {
	case hunting:
	case escaped: // "the Control Escape followed immediately by a closing Flag Sequence" is an abort (RFC 1662 §4.3)
		d.sum.Malformed++
	case len(frame) == 0: // flags between frames
	case len(frame) < messageLeast+crcOctets:
		d.sum.Malformed++
	case crc16(crcInit, frame) != crcGood:
		d.sum.CRC++
	default:
		return frame[: len(frame)-crcOctets : len(frame)-crcOctets]
	}
	return nil
}

// Partial is always false: silence means nothing here.
func (d *hdlcDecoder) Partial() bool { return false }

func (d *hdlcDecoder) Lost() Lost { return d.sum }
