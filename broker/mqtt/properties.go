package mqtt

import (
	"bytes"
	"strings"
)

// ParseProperties reads a property block, its length first, as it stands in a packet of the given type (0: in a will), and returns
// what follows it. The result owns its memory; it is nil when the block is empty. Errors are *Error.
func ParseProperties(b []byte, t PacketType) (p *Properties, rest []byte, err error) {
	c := cursor{b: b, pkt: t, v: V5}
	p = c.properties(t)
	return p, c.b, c.error()
}

// properties reads the property length and the properties of a packet of type t, or of a will. It returns nil for an empty block.
func (c *cursor) properties(t PacketType) *Properties {
	n := int(c.varint("property length"))
	if n > len(c.b) {
		c.short("properties")
	}
	if n == 0 || c.err != nil {
		return nil
	}
	// The decoder has a cursor of its own, by value: a pointer to c would move every packet's cursor to the heap.
	d := propertyDecoder{cursor: *c, p: new(Properties), block: c.b[:n], in: t}
	d.b = d.block
	for len(d.b) > 0 {
		d.next()
	}
	if d.err != nil {
		c.err, c.b = d.err, nil
		return nil
	}
	c.b = c.b[n:]
	return d.p
}

// A propertyDecoder reads one block. All strings of a block are parts of one copy of it: they are kept and forgotten together.
type propertyDecoder struct {
	cursor // confined to the block
	p      *Properties
	block  []byte
	copied string // the block as a string, made when the first text property is met
	in     PacketType
}

// next reads one property. All its faults end the block.
func (d *propertyDecoder) next() {
	n := d.varint("property identifier")
	if d.err != nil {
		return
	}
	// "A Control Packet which contains an Identifier which is not valid for its packet type … is a Malformed Packet" (§2.2.2.2)
	if n > uint32(lastProperty) || !PropertyID(n).known() {
		d.fail(MalformedPacket, "unknown property")
		return
	}
	id := PropertyID(n)
	repeated := d.p.Has(id)
	d.value(id)
	switch {
	case d.err != nil:
	case !id.AllowedIn(d.in):
		d.propertyFault(id, "does not belong here")
	case repeated && id != PropUserProperty && !(id == PropSubscriptionID && d.in == TypePublish):
		d.propertyFault(id, "is given twice")
	}
	d.p.Mark(id)
}

// propertyFault records a fault in a property that could be read. See doc.go for where this differs from the letter.
func (d *propertyDecoder) propertyFault(id PropertyID, text string) {
	reason := ProtocolError
	if d.in == TypeSubscribe || d.in == TypeUnsubscribe {
		reason = MalformedPacket
	}
	d.fail(reason, id.String()+" "+text)
}

// value reads the value of a property into its field.
func (d *propertyDecoder) value(id PropertyID) {
	p, name := d.p, propertyTable[id].name
	zero := false
	switch propertyTable[id].kind {
	case kindFlag:
		x := d.octet(name)
		*p.flagField(id) = x
		// e.g. "It is a Protocol Error … to have a value other than 0 or 1" (§3.1.2.11.6)
		if x > 1 {
			d.propertyFault(id, "is neither 0 nor 1")
		}
	case kindTwo:
		x := d.uint16(name)
		*p.twoField(id), zero = x, x == 0
	case kindFour:
		x := d.uint32(name)
		*p.fourField(id), zero = x, x == 0
	case kindVarint:
		x := d.varint(name)
		p.SubscriptionIDs, zero = append(p.SubscriptionIDs, x), x == 0
	case kindText:
		x := d.string(name)
		*p.textField(id), zero = x, x == ""
	case kindBinary:
		*p.binaryField(id) = bytes.Clone(d.binary(name))
	case kindPair:
		d.userProperty()
	}
	// e.g. "It is a Protocol Error to include the Receive Maximum value … to have the value 0" (§3.1.2.11.3)
	if d.err == nil && zero && propertyTable[id].nonzero {
		d.propertyFault(id, "is 0 or empty")
	}
	// "The Response Topic MUST NOT contain wildcard characters" [MQTT-3.3.2-14]
	if d.err == nil && id == PropResponseTopic && strings.ContainsAny(p.ResponseTopic, "+#") {
		d.propertyFault(id, "holds a wildcard")
	}
}

// string reads a text as a part of the block's one copy.
func (d *propertyDecoder) string(what string) string {
	t := d.text(what)
	if len(t) == 0 {
		return ""
	}
	if d.copied == "" {
		d.copied = string(d.block)
	}
	end := len(d.block) - len(d.b)
	return d.copied[end-len(t) : end]
}

func (d *propertyDecoder) userProperty() {
	if d.p.User == nil {
		// Exact, so that a packet full of five-octet pairs allocates no more than it must.
		d.p.User = make([]UserProperty, 0, 1+d.countUserProperties())
	}
	name := d.string("user-property name")
	value := d.string("user-property value")
	d.p.User = append(d.p.User, UserProperty{Name: name, Value: value})
}

// countUserProperties counts the user properties behind the one whose identifier was just read, as far as the block makes sense.
func (d *propertyDecoder) countUserProperties() int {
	c := cursor{b: d.b, v: V5}
	c.skip(kindPair)
	n := 0
	for len(c.b) > 0 {
		id := c.varint("")
		if id > uint32(lastProperty) {
			break
		}
		if PropertyID(id) == PropUserProperty {
			n++
		}
		c.skip(propertyTable[id].kind)
	}
	return n
}

// skip passes over a value without looking at it.
func (c *cursor) skip(k kind) {
	switch k {
	case kindFlag:
		c.octet("")
	case kindTwo:
		c.uint16("")
	case kindFour:
		c.uint32("")
	case kindVarint:
		c.varint("")
	case kindText, kindBinary:
		c.binary("")
	case kindPair:
		c.binary("")
		c.binary("")
	default:
		c.b = nil
	}
}

// AppendProperties appends the property block of a packet of the given type (0: of a will), its length first. Properties
// that do not belong into such a packet are left out.
func AppendProperties(b []byte, p *Properties, t PacketType) []byte {
	if p == nil || p.Present == 0 {
		return append(b, 0)
	}
	mask := allowedMask[t]
	return p.appendBlock(appendVarint(b, uint32(p.blockSize(mask))), mask)
}

// propertiesSize is the number of octets that AppendProperties appends.
func propertiesSize(p *Properties, t PacketType) int {
	if p == nil || p.Present == 0 {
		return 1
	}
	n := p.blockSize(allowedMask[t])
	return varintSize(uint32(n)) + n
}

// blockSize is the size of the present properties within mask, without the length in front.
func (p *Properties) blockSize(mask uint64) int {
	n := 0
	for _, id := range wireOrder {
		if p.Present&mask&(1<<id) == 0 {
			continue
		}
		switch propertyTable[id].kind {
		case kindFlag:
			n += 2
		case kindTwo:
			n += 3
		case kindFour:
			n += 5
		case kindVarint:
			for _, x := range p.SubscriptionIDs {
				n += 1 + varintSize(x)
			}
		case kindText:
			n += 1 + textSize(*p.textField(id))
		case kindBinary:
			n += 1 + textSize(*p.binaryField(id))
		case kindPair:
			for i := range p.User {
				n += 1 + textSize(p.User[i].Name) + textSize(p.User[i].Value)
			}
		}
	}
	return n
}

// appendBlock appends the present properties within mask, without the length in front.
func (p *Properties) appendBlock(b []byte, mask uint64) []byte {
	for _, id := range wireOrder {
		if p.Present&mask&(1<<id) == 0 {
			continue
		}
		switch propertyTable[id].kind {
		case kindFlag:
			b = append(b, byte(id), *p.flagField(id))
		case kindTwo:
			b = appendUint16(append(b, byte(id)), *p.twoField(id))
		case kindFour:
			b = appendUint32(append(b, byte(id)), *p.fourField(id))
		case kindVarint:
			b = appendSubscriptionIDs(b, p.SubscriptionIDs)
		case kindText:
			b = appendText(append(b, byte(id)), *p.textField(id))
		case kindBinary:
			b = appendText(append(b, byte(id)), *p.binaryField(id))
		case kindPair:
			for i := range p.User {
				b = appendText(append(b, byte(id)), p.User[i].Name)
				b = appendText(b, p.User[i].Value)
			}
		}
	}
	return b
}

func appendSubscriptionIDs(b []byte, ids []uint32) []byte {
	for _, x := range ids {
		b = appendVarint(append(b, byte(PropSubscriptionID)), x)
	}
	return b
}

func appendUint16(b []byte, x uint16) []byte { return append(b, byte(x>>8), byte(x)) }

func appendUint32(b []byte, x uint32) []byte {
	return append(b, byte(x>>24), byte(x>>16), byte(x>>8), byte(x))
}
