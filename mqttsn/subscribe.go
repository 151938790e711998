package mqttsn

import "fmt"

// Subscribe asks for the messages of a topic (§5.4.15). Type 0 with two octets is a name of two characters and not an id.
type Subscribe struct {
	Dup         bool
	QoS         QoS
	TopicIDType TopicIDType
	MsgID       uint16
	TopicID     uint16 // Predefined and Short
	TopicName   string // Normal: name or filter
}

func parseSubscribe(body []byte) (Subscribe, error) {
	u, err := parseUnsubscribe(body)
	if err != nil {
		return Subscribe{}, err
	}
	f := flags(body[0])
	return Subscribe{Dup: f.has(flagDup), QoS: f.qos(), TopicIDType: u.TopicIDType, MsgID: u.MsgID,
		TopicID: u.TopicID, TopicName: u.TopicName}, nil
}

// Type returns TypeSubscribe.
func (Subscribe) Type() Type { return TypeSubscribe }

// Append appends the message.
func (p Subscribe) Append(b []byte) []byte {
	f := flagsOf(p.QoS, p.TopicIDType).with(flagDup, p.Dup)
	return appendFilter(b, TypeSubscribe, f, p.unsubscribe())
}

func (p Subscribe) String() string {
	return fmt.Sprintf("SUBSCRIBE%s qos=%d %s", word(" dup", p.Dup), p.QoS, p.unsubscribe().fields())
}

// unsubscribe is the part that both messages share.
func (p Subscribe) unsubscribe() Unsubscribe {
	return Unsubscribe{TopicIDType: p.TopicIDType, MsgID: p.MsgID, TopicID: p.TopicID, TopicName: p.TopicName}
}

// Suback answers SUBSCRIBE (§5.4.16).
type Suback struct {
	QoS     QoS    // granted
	TopicID uint16 // id of the name; 0 for a filter with wildcards or a short name
	MsgID   uint16
	Code    ReturnCode
}

func parseSuback(body []byte) (Suback, error) {
	if err := exactly(body, 6); err != nil {
		return Suback{}, err
	}
	return Suback{QoS: flags(body[0]).qos(), TopicID: get16(body[1:]), MsgID: get16(body[3:]), Code: ReturnCode(body[5])}, nil
}

// Type returns TypeSuback.
func (Suback) Type() Type { return TypeSuback }

// Append appends 8 octets.
func (p Suback) Append(b []byte) []byte {
	b, _ = appendHeader(b, TypeSuback, 6)
	b = append(b, byte(flagsOf(p.QoS, 0)))
	return append(put16(put16(b, p.TopicID), p.MsgID), byte(p.Code))
}

func (p Suback) String() string {
	return fmt.Sprintf("SUBACK qos=%d topic=0x%04x msgid=%d %s", p.QoS, p.TopicID, p.MsgID, p.Code)
}

// Unsubscribe takes a subscription back (§5.4.17).
type Unsubscribe struct {
	TopicIDType TopicIDType
	MsgID       uint16
	TopicID     uint16 // Predefined and Short
	TopicName   string // Normal: name or filter
}

func parseUnsubscribe(body []byte) (Unsubscribe, error) {
	if err := atLeast(body, 3); err != nil {
		return Unsubscribe{}, err
	}
	t, err := flags(body[0]).topicIDType()
	if err != nil {
		return Unsubscribe{}, err
	}
	p := Unsubscribe{TopicIDType: t, MsgID: get16(body[1:])}
	if t == Normal {
		p.TopicName = string(body[3:])
		return p, nil
	}
	if err := exactly(body, 5); err != nil {
		return Unsubscribe{}, err
	}
	p.TopicID = get16(body[3:])
	return p, nil
}

// Type returns TypeUnsubscribe.
func (Unsubscribe) Type() Type { return TypeUnsubscribe }

// Append appends the message.
func (p Unsubscribe) Append(b []byte) []byte {
	return appendFilter(b, TypeUnsubscribe, flagsOf(0, p.TopicIDType), p)
}

func (p Unsubscribe) String() string { return "UNSUBSCRIBE " + p.fields() }

func (p Unsubscribe) fields() string {
	if p.TopicIDType == Normal {
		return fmt.Sprintf("msgid=%d name=%s", p.MsgID, name(p.TopicName))
	}
	return fmt.Sprintf("msgid=%d topic=%s", p.MsgID, topic(p.TopicIDType, p.TopicID))
}

// appendFilter appends the common form of SUBSCRIBE and UNSUBSCRIBE.
func appendFilter(b []byte, t Type, f flags, p Unsubscribe) []byte {
	if p.TopicIDType != Normal {
		b, _ = appendHeader(b, t, 5)
		return put16(put16(append(b, byte(f)), p.MsgID), p.TopicID)
	}
	b, ok := appendHeader(b, t, 3+len(p.TopicName))
	if !ok {
		return b
	}
	return append(put16(append(b, byte(f)), p.MsgID), p.TopicName...)
}

// Unsuback answers UNSUBSCRIBE; it has no return code (§5.4.18).
type Unsuback struct{ MsgID uint16 }

func parseUnsuback(body []byte) (Unsuback, error) {
	id, err := parseMsgID(body)
	return Unsuback{id}, err
}

// Type returns TypeUnsuback.
func (Unsuback) Type() Type { return TypeUnsuback }

// Append appends 4 octets.
func (p Unsuback) Append(b []byte) []byte { return appendMsgID(b, TypeUnsuback, p.MsgID) }

func (p Unsuback) String() string { return fmt.Sprintf("UNSUBACK msgid=%d", p.MsgID) }
