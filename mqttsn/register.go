package mqttsn

import "fmt"

// Register ties a topic name to an id, or asks the gateway to (§5.4.10).
type Register struct {
	TopicID   uint16 // 0 from a client
	MsgID     uint16
	TopicName string
}

func parseRegister(body []byte) (Register, error) {
	if err := atLeast(body, 4); err != nil {
		return Register{}, err
	}
	return Register{TopicID: get16(body), MsgID: get16(body[2:]), TopicName: string(body[4:])}, nil
}

// Type returns TypeRegister.
func (Register) Type() Type { return TypeRegister }

// Size is the encoded size in octets.
func (p Register) Size() int { return sizeOf(4 + len(p.TopicName)) }

// Append appends the message.
func (p Register) Append(b []byte) []byte {
	b, ok := appendHeader(b, TypeRegister, 4+len(p.TopicName))
	if !ok {
		return b
	}
	return append(put16(put16(b, p.TopicID), p.MsgID), p.TopicName...)
}

func (p Register) String() string {
	return fmt.Sprintf("REGISTER topic=0x%04x msgid=%d name=%s", p.TopicID, p.MsgID, name(p.TopicName))
}

// Regack answers REGISTER (§5.4.11).
type Regack struct {
	TopicID uint16
	MsgID   uint16
	Code    ReturnCode
}

func parseRegack(body []byte) (Regack, error) {
	a, err := parsePuback(body)
	return Regack(a), err
}

// Type returns TypeRegack.
func (Regack) Type() Type { return TypeRegack }

// Append appends 7 octets.
func (p Regack) Append(b []byte) []byte { return appendTopicAck(b, TypeRegack, Puback(p)) }

func (p Regack) String() string { return "REGACK " + Puback(p).fields() }
