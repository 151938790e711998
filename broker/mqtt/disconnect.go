package mqtt

// Disconnect is the DISCONNECT packet (MQTT 5 §3.14). In MQTT 3 only a client sends it, and it says nothing.
type Disconnect struct {
	Reason ReasonCode
	Props  *Properties
}

// ParseDisconnect reads a DISCONNECT packet. Any reason code is taken: the connection ends either way, and what a
// reason other than 0 means (the will is published) does not depend on whether the code is known.
func ParseDisconnect(first byte, b []byte, v Version) (Disconnect, error) {
	c := body(first, b, v)
	var p Disconnect
	if v == V5 {
		p.Reason, p.Props = c.reasonAndProperties()
	}
	return p, c.done()
}

// reasonAndProperties reads a body that is a reason code and properties, each of which may be left out from the end: "If the
// Remaining Length is less than 1 the value of 0x00 is used"; "less than 2, a value of 0 is used" for the property length (§3.14.2).
func (c *cursor) reasonAndProperties() (r ReasonCode, p *Properties) {
	if len(c.b) > 0 {
		r = ReasonCode(c.octet("reason code"))
	}
	if len(c.b) > 0 {
		p = c.properties(c.pkt)
	}
	return r, p
}

// Append appends the packet.
func (p *Disconnect) Append(b []byte, v Version) []byte {
	if v != V5 {
		return append(b, byte(TypeDisconnect)<<4, 0)
	}
	return appendReasonAndProperties(b, TypeDisconnect, p.Reason, p.Props)
}

// appendReasonAndProperties appends a whole packet in its shortest form.
func appendReasonAndProperties(b []byte, t PacketType, r ReasonCode, p *Properties) []byte {
	first := byte(t) << 4
	switch {
	case p != nil && p.Present != 0:
		b = appendHeader(b, first, 1+propertiesSize(p, t))
		return AppendProperties(append(b, byte(r)), p, t)
	case r != Success:
		return append(b, first, 1, byte(r))
	}
	return append(b, first, 0)
}
