package mqttsn

import "fmt"

// Publish carries one application message (§5.4.12).
type Publish struct {
	Dup         bool
	Retain      bool
	QoS         QoS
	TopicIDType TopicIDType
	TopicID     uint16 // for Short: the two octets of the name, see ShortName
	MsgID       uint16 // 0 at QoS 0 and −1 by the rule; what arrived is kept
	Data        []byte
}

// publishFixed is the size of Flags, TopicId and MsgId.
const publishFixed = 5

// DecodePublish is Decode for the message that is most of the traffic, without the allocation of an interface value. Data aliases b.
func DecodePublish(b []byte) (Publish, error) {
	t, body, err := split(b)
	if err != nil {
		return Publish{}, err
	}
	if t != TypePublish {
		return Publish{}, fmt.Errorf("%s where %s is wanted", t, TypePublish)
	}
	p, err := parsePublish(body)
	if err != nil {
		return Publish{}, fmt.Errorf("%s: %w", t, err)
	}
	return p, nil
}

func parsePublish(body []byte) (Publish, error) {
	if err := atLeast(body, publishFixed); err != nil {
		return Publish{}, err
	}
	f := flags(body[0])
	t, err := f.topicIDType()
	if err != nil {
		return Publish{}, err
	}
	return Publish{Dup: f.has(flagDup), Retain: f.has(flagRetain), QoS: f.qos(), TopicIDType: t,
		TopicID: get16(body[1:]), MsgID: get16(body[3:]), Data: rest(body[publishFixed:])}, nil
}

// Type returns TypePublish.
func (Publish) Type() Type { return TypePublish }

// Size is the encoded size in octets.
func (p Publish) Size() int { return sizeOf(publishFixed + len(p.Data)) }

// Append appends the message. It allocates only when b has too little room.
func (p Publish) Append(b []byte) []byte {
	b, ok := appendHeader(b, TypePublish, publishFixed+len(p.Data))
	if !ok {
		return b
	}
	f := flagsOf(p.QoS, p.TopicIDType).with(flagDup, p.Dup).with(flagRetain, p.Retain)
	b = put16(put16(append(b, byte(f)), p.TopicID), p.MsgID)
	return append(b, p.Data...)
}

func (p Publish) String() string { return fmt.Sprintf("%s %d bytes", p.head(), len(p.Data)) }

// head is the description without the payload.
func (p Publish) head() string {
	return fmt.Sprintf("PUBLISH%s qos=%d%s topic=%s msgid=%d",
		word(" dup", p.Dup), p.QoS, word(" retain", p.Retain), topic(p.TopicIDType, p.TopicID), p.MsgID)
}
