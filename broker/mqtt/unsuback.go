package mqtt

// Unsuback is the UNSUBACK packet (MQTT 5 §3.11).
type Unsuback struct {
	ID    uint16
	Codes []ReasonCode // one per filter of the UNSUBSCRIBE, in its order; MQTT 5 only
	Props *Properties
}

// ParseUnsuback reads an UNSUBACK packet.
func ParseUnsuback(first byte, b []byte, v Version) (Unsuback, error) {
	c := body(first, b, v)
	p := Unsuback{ID: c.identifier(ProtocolError)}
	if v != V5 {
		return p, c.done()
	}
	p.Props = c.properties(TypeUnsuback)
	p.Codes = c.codes()
	for _, code := range p.Codes {
		if code != Success && code != NoSubscriptionExisted && !code.Failed() {
			// "The Server sending an UNSUBACK packet MUST use one of the Unsubscribe Reason Code values" [MQTT-3.11.3-2]
			c.fail(ProtocolError, "reason code does not belong here")
		}
	}
	return p, c.error()
}

// Append appends the packet.
func (p *Unsuback) Append(b []byte, v Version) []byte {
	if v != V5 {
		return append(b, byte(TypeUnsuback)<<4, 2, byte(p.ID>>8), byte(p.ID))
	}
	b = appendHeader(b, byte(TypeUnsuback)<<4, 2+propertiesSize(p.Props, TypeUnsuback)+len(p.Codes))
	b = AppendProperties(appendUint16(b, p.ID), p.Props, TypeUnsuback)
	for _, code := range p.Codes {
		b = append(b, byte(code))
	}
	return b
}
