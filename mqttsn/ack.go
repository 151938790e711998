package mqttsn

import "fmt"

// Puback answers PUBLISH at QoS 1, and refuses one at any QoS (§5.4.13).
type Puback struct {
	TopicID uint16
	MsgID   uint16
	Code    ReturnCode
}

func parsePuback(body []byte) (Puback, error) {
	if err := exactly(body, 5); err != nil {
		return Puback{}, err
	}
	return Puback{TopicID: get16(body), MsgID: get16(body[2:]), Code: ReturnCode(body[4])}, nil
}

// Type returns TypePuback.
func (Puback) Type() Type { return TypePuback }

// Append appends 7 octets.
func (p Puback) Append(b []byte) []byte { return appendTopicAck(b, TypePuback, p) }

func (p Puback) String() string { return "PUBACK " + p.fields() }

func (p Puback) fields() string {
	return fmt.Sprintf("topic=0x%04x msgid=%d %s", p.TopicID, p.MsgID, p.Code)
}

// appendTopicAck appends the common form of PUBACK and REGACK.
func appendTopicAck(b []byte, t Type, p Puback) []byte {
	b, _ = appendHeader(b, t, 5)
	return append(put16(put16(b, p.TopicID), p.MsgID), byte(p.Code))
}

// Pubrec is the first answer to PUBLISH at QoS 2 (§5.4.14).
type Pubrec struct{ MsgID uint16 }

// Pubrel answers PUBREC (§5.4.14).
type Pubrel struct{ MsgID uint16 }

// Pubcomp answers PUBREL (§5.4.14).
type Pubcomp struct{ MsgID uint16 }

func parsePubrec(body []byte) (Pubrec, error) {
	id, err := parseMsgID(body)
	return Pubrec{id}, err
}

func parsePubrel(body []byte) (Pubrel, error) {
	id, err := parseMsgID(body)
	return Pubrel{id}, err
}

func parsePubcomp(body []byte) (Pubcomp, error) {
	id, err := parseMsgID(body)
	return Pubcomp{id}, err
}

// Type returns TypePubrec.
func (Pubrec) Type() Type { return TypePubrec }

// Type returns TypePubrel.
func (Pubrel) Type() Type { return TypePubrel }

// Type returns TypePubcomp.
func (Pubcomp) Type() Type { return TypePubcomp }

// Append appends 4 octets.
func (p Pubrec) Append(b []byte) []byte { return appendMsgID(b, TypePubrec, p.MsgID) }

// Append appends 4 octets.
func (p Pubrel) Append(b []byte) []byte { return appendMsgID(b, TypePubrel, p.MsgID) }

// Append appends 4 octets.
func (p Pubcomp) Append(b []byte) []byte { return appendMsgID(b, TypePubcomp, p.MsgID) }

func (p Pubrec) String() string  { return fmt.Sprintf("PUBREC msgid=%d", p.MsgID) }
func (p Pubrel) String() string  { return fmt.Sprintf("PUBREL msgid=%d", p.MsgID) }
func (p Pubcomp) String() string { return fmt.Sprintf("PUBCOMP msgid=%d", p.MsgID) }

// parseMsgID reads a body that is a MsgId.
func parseMsgID(body []byte) (uint16, error) {
	if err := exactly(body, 2); err != nil {
		return 0, err
	}
	return get16(body), nil
}

// appendMsgID appends a message whose body is a MsgId.
func appendMsgID(b []byte, t Type, id uint16) []byte {
	b, _ = appendHeader(b, t, 2)
	return put16(b, id)
}
