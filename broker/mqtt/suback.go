package mqtt

// Suback is the SUBACK packet (MQTT 5 §3.9).
type Suback struct {
	ID    uint16
	Codes []ReasonCode // one per filter of the SUBSCRIBE, in its order: granted QoS or why not
	Props *Properties
}

// ParseSuback reads a SUBACK packet. The failure code of MQTT 3.1.1 is UnspecifiedError (0x80), as in MQTT 5.
func ParseSuback(first byte, b []byte, v Version) (Suback, error) {
	c := body(first, b, v)
	p := Suback{ID: c.identifier(ProtocolError)}
	if v == V5 {
		p.Props = c.properties(TypeSuback)
	}
	p.Codes = c.codes()
	for _, code := range p.Codes {
		if code > GrantedQoS2 && !code.Failed() || v != V5 && code > UnspecifiedError {
			// "The Server … MUST use one of the Subscribe Reason Codes" [MQTT-3.9.3-2]
			c.fail(ProtocolError, "reason code does not belong here")
		}
	}
	return p, c.error()
}

// codes reads the rest of the packet as reason codes, of which there is at least one.
func (c *cursor) codes() []ReasonCode {
	if c.err != nil {
		return nil
	}
	if len(c.b) == 0 {
		c.short("reason codes")
		return nil
	}
	codes := make([]ReasonCode, len(c.b))
	for i, o := range c.b {
		codes[i] = ReasonCode(o)
	}
	c.b = nil
	return codes
}

// Append appends the packet. In MQTT 3 every refusal is 0x80 [MQTT-3.9.3-2 of 3.1.1].
func (p *Suback) Append(b []byte, v Version) []byte {
	n := 2 + len(p.Codes)
	if v == V5 {
		n += propertiesSize(p.Props, TypeSuback)
	}
	b = appendUint16(appendHeader(b, byte(TypeSuback)<<4, n), p.ID)
	if v == V5 {
		b = AppendProperties(b, p.Props, TypeSuback)
	}
	for _, code := range p.Codes {
		if v != V5 && code.Failed() {
			code = UnspecifiedError
		}
		b = append(b, byte(code))
	}
	return b
}
