package mqtt

// Publish is the PUBLISH packet as it was received (MQTT 5 §3.3).
type Publish struct {
	Dup    bool
	QoS    QoS
	Retain bool
	ID     uint16 // 0 at QoS 0
	// Topic and Payload are parts of the body that was parsed: they change when the read buffer is used again.
	// Topic is empty only in MQTT 5 and only beside a topic alias.
	Topic   []byte
	Payload []byte
	Props   *Properties // owns its memory; nil when there are none
}

// ParsePublish reads a PUBLISH packet. Without properties it allocates nothing. The topic is non-empty UTF-8;
// whether it holds wildcards is for the caller to check, as is a Subscription Identifier sent by a client.
func ParsePublish(first byte, b []byte, v Version) (Publish, error) {
	p := Publish{Dup: first&0x08 != 0, QoS: QoS(first >> 1 & 3), Retain: first&1 != 0}
	if p.quick(b, v) {
		return p, nil
	}
	c := cursor{b: b, pkt: TypePublish, v: v}
	switch {
	case p.QoS == 3:
		// "A PUBLISH Packet MUST NOT have both QoS bits set to 1" [MQTT-3.3.1-4]
		c.fail(MalformedPacket, "QoS is 3")
	case p.Dup && p.QoS == AtMostOnce:
		// "The DUP flag MUST be set to 0 for all QoS 0 messages" [MQTT-3.3.1-2]
		c.fail(MalformedPacket, "DUP at QoS 0")
	}
	p.Topic = c.text("topic name")
	if p.QoS != AtMostOnce {
		p.ID = c.identifier(ProtocolError)
	}
	if v == V5 {
		p.Props = c.properties(TypePublish)
	}
	// "All Topic Names and Topic Filters MUST be at least one character long" [MQTT-4.7.3-1]
	if len(p.Topic) == 0 && !p.Props.Has(PropTopicAlias) {
		c.fail(MalformedPacket, "topic name is empty")
	}
	if c.err != nil {
		return Publish{}, c.err
	}
	p.Payload = c.b
	return p, nil
}

// quick reads the usual packet, without DUP and without properties, and reports whether it was one and faultless. It
// accepts nothing that the long way round does not, and halves the time of the most frequent packet.
func (p *Publish) quick(b []byte, v Version) bool {
	if len(b) < 3 || p.Dup || p.QoS == 3 {
		return false
	}
	end := 2 + (int(b[0])<<8 | int(b[1]))
	rest := end
	if p.QoS != AtMostOnce {
		rest += 2
	}
	if v == V5 {
		rest++
	}
	if end == 2 || rest > len(b) || v == V5 && b[rest-1] != 0 || !ValidText(b[2:end]) {
		return false
	}
	if p.QoS != AtMostOnce {
		p.ID = uint16(b[end])<<8 | uint16(b[end+1])
		if p.ID == 0 {
			return false
		}
	}
	p.Topic, p.Payload = b[2:end:end], b[rest:]
	return true
}

// Append appends the packet as it is, hop-by-hop properties included. A server that forwards a message uses Delivery.
func (p *Publish) Append(b []byte, v Version) []byte {
	n := publishFixed(p.Topic, p.Payload, p.QoS)
	if v == V5 {
		n += propertiesSize(p.Props, TypePublish)
	}
	b = appendPublishHead(b, n, p.Topic, p.QoS, p.Retain, p.Dup, p.ID)
	if v == V5 {
		b = AppendProperties(b, p.Props, TypePublish)
	}
	return append(b, p.Payload...)
}

// A Delivery is a message on its way to one receiver. The message (Topic, Payload, Props) is shared by all receivers and is not
// changed; the rest belongs to this one.
type Delivery struct {
	Topic   string
	Payload []byte
	Props   *Properties // of the message; Topic Alias and Subscription Identifiers in it are left out
	QoS     QoS
	Retain  bool
	Dup     bool
	ID      uint16 // non-zero when QoS > 0

	// SubIDs are the identifiers of the receiver's matching subscriptions [MQTT-3.3.4-3].
	SubIDs []uint32
	// Alias, when not 0, is sent as topic alias; with an empty Topic it stands for the topic.
	Alias uint16
	// Expiry, when not 0, replaces the message expiry interval of Props: "The PUBLISH packet sent to a Client by the Server
	// MUST contain a Message Expiry Interval set to the received value minus the time that the Application Message has been
	// waiting in the Server" [MQTT-3.3.2-6]. In seconds.
	Expiry uint32
}

// endToEnd are the properties of a message that a server forwards.
var endToEnd = allowedMask[TypePublish] &^ (1<<PropTopicAlias | 1<<PropSubscriptionID)

// Append appends the PUBLISH packet. It allocates nothing but room in b. The packet must not be larger than MaxRemainingLength,
// see Size.
func (d *Delivery) Append(b []byte, v Version) []byte {
	n := publishFixed(d.Topic, d.Payload, d.QoS)
	if v != V5 {
		b = appendPublishHead(b, n, d.Topic, d.QoS, d.Retain, d.Dup, d.ID)
		return append(b, d.Payload...)
	}
	props := d.propertiesSize()
	n += varintSize(uint32(props)) + props
	b = appendPublishHead(b, n, d.Topic, d.QoS, d.Retain, d.Dup, d.ID)
	b = appendVarint(b, uint32(props))
	if props > 0 {
		b = d.appendProperties(b)
	}
	return append(b, d.Payload...)
}

// Size is the number of octets of the whole packet, to compare with the receiver's Maximum Packet Size.
func (d *Delivery) Size(v Version) int {
	n := publishFixed(d.Topic, d.Payload, d.QoS)
	if v == V5 {
		props := d.propertiesSize()
		n += varintSize(uint32(props)) + props
	}
	return headerSize(n) + n
}

// propertiesSize is the size of the property block without the length in front.
func (d *Delivery) propertiesSize() int {
	n := 0
	if d.Props != nil {
		n = d.Props.blockSize(d.mask())
	}
	if d.Expiry != 0 {
		n += 5
	}
	for _, id := range d.SubIDs {
		n += 1 + varintSize(id)
	}
	if d.Alias != 0 {
		n += 3
	}
	return n
}

func (d *Delivery) appendProperties(b []byte) []byte {
	if d.Expiry != 0 {
		b = appendUint32(append(b, byte(PropMessageExpiry)), d.Expiry)
	}
	if d.Props != nil {
		b = d.Props.appendBlock(b, d.mask())
	}
	b = appendSubscriptionIDs(b, d.SubIDs)
	if d.Alias != 0 {
		b = appendUint16(append(b, byte(PropTopicAlias)), d.Alias)
	}
	return b
}

// mask is the set of properties of the message that go out as they are.
func (d *Delivery) mask() uint64 {
	if d.Expiry != 0 {
		return endToEnd &^ (1 << PropMessageExpiry)
	}
	return endToEnd
}

// publishFixed is the size of a PUBLISH body without properties.
func publishFixed[T ~string | ~[]byte](topic T, payload []byte, q QoS) int {
	n := textSize(topic) + len(payload)
	if q != AtMostOnce {
		n += 2
	}
	return n
}

// appendPublishHead appends everything in front of the properties; n is the remaining length.
func appendPublishHead[T ~string | ~[]byte](b []byte, n int, topic T, q QoS, retain, dup bool, id uint16) []byte {
	first := byte(TypePublish)<<4 | byte(q)<<1
	if retain {
		first |= 1
	}
	if dup && q != AtMostOnce {
		first |= 0x08
	}
	b = appendText(appendHeader(b, first, n), topic)
	if q != AtMostOnce {
		b = appendUint16(b, id)
	}
	return b
}
