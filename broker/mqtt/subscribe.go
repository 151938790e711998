package mqtt

// Subscribe is the SUBSCRIBE packet (MQTT 5 §3.8). A Subscription Identifier stands in Props.
type Subscribe struct {
	ID            uint16
	Subscriptions []Subscription // at least one
	Props         *Properties
}

// Subscription is one topic filter of a SUBSCRIBE packet with its options (MQTT 5 §3.8.3.1). In MQTT 3 only QoS is sent.
type Subscription struct {
	Filter            string // non-empty UTF-8; its syntax is broker/topic's affair
	QoS               QoS    // the most that the client wants
	NoLocal           bool   // do not send me what I publish
	RetainAsPublished bool   // keep the RETAIN flag when forwarding
	RetainHandling    uint8  // retained messages at subscribe: 0 send, 1 send if the subscription is new, 2 do not send
}

// ParseSubscribe reads a SUBSCRIBE packet.
func ParseSubscribe(first byte, b []byte, v Version) (Subscribe, error) {
	c := body(first, b, v)
	p := Subscribe{ID: c.identifier(MalformedPacket)}
	if v == V5 {
		p.Props = c.properties(TypeSubscribe)
	}
	if c.err == nil && len(c.b) == 0 {
		// "The Payload MUST contain at least one Topic Filter and Subscription Options pair" [MQTT-3.8.3-2]
		c.fail(MalformedPacket, "no topic filter")
	}
	p.Subscriptions = make([]Subscription, 0, c.countFilters(1))
	for len(c.b) > 0 {
		filter := c.filter()
		s := c.options()
		s.Filter = filter
		p.Subscriptions = append(p.Subscriptions, s)
	}
	return p, c.error()
}

// filter reads a topic filter.
//
// "All Topic Names and Topic Filters MUST be at least one character long" [MQTT-4.7.3-1]
func (c *cursor) filter() string {
	f := c.text("topic filter")
	if c.err == nil && len(f) == 0 {
		c.fail(MalformedPacket, "topic filter is empty")
	}
	return string(f)
}

// countFilters counts the topic filters in the rest of the packet, each followed by extra octets, so that the slice for them is made
// once. It counts no further than the packet makes sense.
func (c *cursor) countFilters(extra int) int {
	n := 0
	for b := c.b; len(b) >= 2; n++ {
		size := 2 + (int(b[0])<<8 | int(b[1])) + extra
		if size > len(b) {
			break
		}
		b = b[size:]
	}
	return n
}

// options reads the subscription options.
func (c *cursor) options() (s Subscription) {
	o := c.octet("subscription options")
	s = Subscription{QoS: QoS(o & 3), NoLocal: o&0x04 != 0, RetainAsPublished: o&0x08 != 0, RetainHandling: o >> 4 & 3}
	switch {
	case s.QoS == 3:
		// "It is a Protocol Error if the Maximum QoS field has the value 3" (§3.8.3.1); for the code see doc.go. "Malformed" in [MQTT-3-8.3-4 of 3.1.1]
		c.fail(MalformedPacket, "QoS is 3")
	case c.v != V5 && o > 2, o&0xC0 != 0:
		// "The Server MUST treat a SUBSCRIBE packet as malformed if any of Reserved bits in the Payload are non-zero" [MQTT-3.8.3-5]
		c.fail(MalformedPacket, "reserved subscription options are set")
	case s.RetainHandling == 3:
		// "It is a Protocol Error to send a Retain Handling value of 3" (§3.8.3.1); for the code see doc.go.
		c.fail(MalformedPacket, "retain handling is 3")
	}
	return s
}

// Append appends the packet.
func (p *Subscribe) Append(b []byte, v Version) []byte {
	n := 2
	if v == V5 {
		n += propertiesSize(p.Props, TypeSubscribe)
	}
	for i := range p.Subscriptions {
		n += textSize(p.Subscriptions[i].Filter) + 1
	}
	b = appendUint16(appendHeader(b, byte(TypeSubscribe)<<4|0x02, n), p.ID)
	if v == V5 {
		b = AppendProperties(b, p.Props, TypeSubscribe)
	}
	for i := range p.Subscriptions {
		s := &p.Subscriptions[i]
		b = append(appendText(b, s.Filter), s.options(v))
	}
	return b
}

func (s *Subscription) options(v Version) byte {
	o := byte(s.QoS)
	if v != V5 {
		return o
	}
	if s.NoLocal {
		o |= 0x04
	}
	if s.RetainAsPublished {
		o |= 0x08
	}
	return o | s.RetainHandling<<4
}
