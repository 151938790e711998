package mqtt

// Ack is PUBACK, PUBREC, PUBREL or PUBCOMP (MQTT 5 §3.4 to §3.7): four packets of one shape.
type Ack struct {
	Type   PacketType // TypePuback, TypePubrec, TypePubrel or TypePubcomp
	ID     uint16
	Reason ReasonCode // always Success in MQTT 3
	Props  *Properties
}

// ParseAck reads a PUBACK, PUBREC, PUBREL or PUBCOMP packet. It allocates nothing when there are no properties.
func ParseAck(first byte, b []byte, v Version) (Ack, error) {
	c := body(first, b, v)
	p := Ack{Type: c.pkt, ID: c.identifier(ProtocolError)}
	if v != V5 || len(c.b) == 0 {
		// "The Reason Code and Property Length can be omitted if the Reason Code is 0x00 (Success)" (§3.4.2.1)
		return p, c.done()
	}
	p.Reason = ReasonCode(c.octet("reason code"))
	if !ackReason(p.Type, p.Reason) {
		// "The Client or Server sending the PUBACK packet MUST use one of the PUBACK Reason Codes" [MQTT-3.4.2-1]
		c.fail(ProtocolError, "reason code does not belong here")
	}
	if len(c.b) > 0 {
		p.Props = c.properties(p.Type)
	}
	return p, c.done()
}

// ackReason reports whether the packet may carry the reason code.
func ackReason(t PacketType, r ReasonCode) bool {
	if t == TypePubrel || t == TypePubcomp {
		return r == Success || r == PacketIdentifierNotFound
	}
	switch r {
	case Success, NoMatchingSubscribers, UnspecifiedError, ImplementationSpecificError, NotAuthorized,
		TopicNameInvalid, PacketIdentifierInUse, QuotaExceeded, PayloadFormatInvalid:
		return true
	}
	return false
}

// Append appends the packet.
func (p *Ack) Append(b []byte, v Version) []byte {
	if v != V5 || p.Props == nil || p.Props.Present == 0 {
		return AppendAck(b, p.Type, p.ID, p.Reason, v)
	}
	b = appendHeader(b, ackFirst(p.Type), 3+propertiesSize(p.Props, p.Type))
	b = append(appendUint16(b, p.ID), byte(p.Reason))
	return AppendProperties(b, p.Props, p.Type)
}

// AppendAck appends a PUBACK, PUBREC, PUBREL or PUBCOMP packet without properties, in its shortest form. MQTT 3
// has no reason code: there, a refusal looks like success.
func AppendAck(b []byte, t PacketType, id uint16, reason ReasonCode, v Version) []byte {
	if v != V5 || reason == Success {
		return append(b, ackFirst(t), 2, byte(id>>8), byte(id))
	}
	return append(b, ackFirst(t), 3, byte(id>>8), byte(id), byte(reason))
}

// ackFirst is the first octet. "Bits 3,2,1 and 0 of the Fixed Header in the PUBREL packet … MUST be set to 0,0,1 and 0" [MQTT-3.6.1-1]
func ackFirst(t PacketType) byte {
	if t == TypePubrel {
		return byte(t)<<4 | 0x02
	}
	return byte(t) << 4
}
