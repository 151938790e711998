package mqtt

// A cursor reads the fields of one packet body in turn. After the first fault it reads only zeros, so a Parse
// function reads all its fields and asks for the error once.
type cursor struct {
	b   []byte     // what is left
	pkt PacketType // for the text of faults
	v   Version
	err *Error // the first fault
}

// fail records the first fault and makes every later read return zero.
func (c *cursor) fail(reason ReasonCode, text string) {
	if c.err == nil {
		c.err = &Error{Reason: reason, Silent: c.v != V5, Text: c.pkt.String() + ": " + text}
	}
	c.b = nil
}

// error is the first fault as an error, nil if there was none.
func (c *cursor) error() error {
	if c.err == nil {
		return nil
	}
	return c.err
}

// short records that the packet ends before the named field does.
func (c *cursor) short(what string) { c.fail(MalformedPacket, "packet ends within the "+what) }

// done records a fault if octets are left, and returns the first fault.
func (c *cursor) done() error {
	if len(c.b) > 0 {
		c.fail(MalformedPacket, "octets follow the last field")
	}
	return c.error()
}

func (c *cursor) octet(what string) byte {
	if len(c.b) < 1 {
		c.short(what)
		return 0
	}
	x := c.b[0]
	c.b = c.b[1:]
	return x
}

func (c *cursor) uint16(what string) uint16 {
	if len(c.b) < 2 {
		c.short(what)
		return 0
	}
	x := uint16(c.b[0])<<8 | uint16(c.b[1])
	c.b = c.b[2:]
	return x
}

func (c *cursor) uint32(what string) uint32 {
	if len(c.b) < 4 {
		c.short(what)
		return 0
	}
	x := uint32(c.b[0])<<24 | uint32(c.b[1])<<16 | uint32(c.b[2])<<8 | uint32(c.b[3])
	c.b = c.b[4:]
	return x
}

// varint reads a Variable Byte Integer of at most four octets.
//
// "The encoded value MUST use the minimum number of bytes necessary to represent the value" [MQTT-1.5.5-1]
func (c *cursor) varint(what string) uint32 {
	var x uint32
	for i := 0; i < len(c.b) && i < 4; i++ {
		o := c.b[i]
		x |= uint32(o&0x7F) << (7 * i)
		if o >= 0x80 {
			continue
		}
		if o == 0 && i > 0 {
			c.fail(MalformedPacket, what+" is not in its shortest form")
			return 0
		}
		c.b = c.b[i+1:]
		return x
	}
	if len(c.b) >= 4 {
		c.fail(MalformedPacket, what+" is longer than four octets")
		return 0
	}
	c.short(what)
	return 0
}

// binary reads two octets of length and that many octets. The result is a part of the packet.
func (c *cursor) binary(what string) []byte {
	n := int(c.uint16(what))
	if len(c.b) < n {
		c.short(what)
		return nil
	}
	x := c.b[:n:n]
	c.b = c.b[n:]
	return x
}

// text reads a UTF-8 Encoded String. The result is a part of the packet.
func (c *cursor) text(what string) []byte {
	x := c.binary(what)
	if !ValidText(x) {
		c.fail(MalformedPacket, what+" is not valid UTF-8 text")
		return nil
	}
	return x
}

// identifier reads a packet identifier and refuses 0 with the given reason.
//
// "Each time a Client sends a new SUBSCRIBE, UNSUBSCRIBE or PUBLISH (where QoS > 0) MQTT Control Packet it MUST assign
// it a non-zero Packet Identifier" [MQTT-2.2.1-3]
func (c *cursor) identifier(zero ReasonCode) uint16 {
	id := c.uint16("packet identifier")
	if id == 0 {
		c.fail(zero, "packet identifier is 0")
	}
	return id
}

// body starts a cursor on a packet and checks the flags of its first octet.
func body(first byte, b []byte, v Version) cursor {
	c := cursor{b: b, pkt: PacketType(first >> 4), v: v}
	if err := CheckFlags(first, v); err != nil {
		c.err, c.b = err.(*Error), nil
	}
	return c
}
