package mqtt

// Unsubscribe is the UNSUBSCRIBE packet (MQTT 5 §3.10).
type Unsubscribe struct {
	ID      uint16
	Filters []string // at least one
	Props   *Properties
}

// ParseUnsubscribe reads an UNSUBSCRIBE packet.
func ParseUnsubscribe(first byte, b []byte, v Version) (Unsubscribe, error) {
	c := body(first, b, v)
	p := Unsubscribe{ID: c.identifier(MalformedPacket)}
	if v == V5 {
		p.Props = c.properties(TypeUnsubscribe)
	}
	if c.err == nil && len(c.b) == 0 {
		// "The Payload of an UNSUBSCRIBE packet MUST contain at least one Topic Filter" [MQTT-3.10.3-2]
		c.fail(MalformedPacket, "no topic filter")
	}
	p.Filters = make([]string, 0, c.countFilters(0))
	for len(c.b) > 0 {
		p.Filters = append(p.Filters, c.filter())
	}
	return p, c.error()
}

// Append appends the packet.
func (p *Unsubscribe) Append(b []byte, v Version) []byte {
	n := 2
	if v == V5 {
		n += propertiesSize(p.Props, TypeUnsubscribe)
	}
	for _, f := range p.Filters {
		n += textSize(f)
	}
	b = appendUint16(appendHeader(b, byte(TypeUnsubscribe)<<4|0x02, n), p.ID)
	if v == V5 {
		b = AppendProperties(b, p.Props, TypeUnsubscribe)
	}
	for _, f := range p.Filters {
		b = appendText(b, f)
	}
	return b
}
