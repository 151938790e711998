package mqttsn

import "fmt"

// QoS is a quality of service level, −1 to 2 (§5.3.4).
type QoS int8

// The levels. QoSMinusOne is a publish without connection, registration or subscription, sent to a gateway known beforehand (§6.8).
const (
	QoSMinusOne QoS = -1
	AtMostOnce  QoS = 0
	AtLeastOnce QoS = 1
	ExactlyOnce QoS = 2
)

// TopicIDType says how a message names its topic (§5.3.4).
type TopicIDType uint8

// The kinds of topic reference. The fourth value of the two bits is reserved.
const (
	Normal     TopicIDType = 0 // an id given by REGACK or SUBACK; in SUBSCRIBE and UNSUBSCRIBE the name itself
	Predefined TopicIDType = 1 // an id agreed beforehand
	Short      TopicIDType = 2 // the two octets of the name stand in the id field
)

// String gives "normal", "predefined", "short" or "reserved".
func (t TopicIDType) String() string {
	return [4]string{"normal", "predefined", "short", "reserved"}[t&3]
}

// ReturnCode is the ReturnCode octet (§5.3.10).
type ReturnCode uint8

// The return codes of 1.2; all others are reserved. There is none for «not authorised».
const (
	Accepted       ReturnCode = 0x00
	Congestion     ReturnCode = 0x01 // the client is to wait T_WAIT, more than five minutes, and may then try again
	InvalidTopicID ReturnCode = 0x02 // the client is to register the name anew
	NotSupported   ReturnCode = 0x03
)

var codeNames = [...]string{"accepted", "congestion", "invalid-topic-id", "not-supported"}

// String gives one word, for example "congestion", or "code(0x80)" for a reserved value.
func (c ReturnCode) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code(0x%02x)", uint8(c))
}

// flags is the Flags octet (§5.3.4). Which bits mean something depends on the message.
type flags uint8

const (
	flagDup         flags = 0x80
	flagQoS         flags = 0x60
	flagRetain      flags = 0x10
	flagWill        flags = 0x08
	flagClean       flags = 0x04
	flagTopicIDType flags = 0x03
)

func (f flags) has(bit flags) bool { return f&bit != 0 }

// qos reads bits 6 and 5, where 0b11 is −1.
func (f flags) qos() QoS {
	if q := QoS(f >> 5 & 3); q != 3 {
		return q
	}
	return QoSMinusOne
}

// usedFlags are the bits that mean something in a message of each type that has flags (§5.3.4).
var usedFlags = [NumTypes]flags{
	TypeConnect:      flagWill | flagClean,
	TypeWillTopic:    flagQoS | flagRetain,
	TypeWillTopicUpd: flagQoS | flagRetain,
	TypePublish:      flagDup | flagQoS | flagRetain | flagTopicIDType,
	TypeSubscribe:    flagDup | flagQoS | flagTopicIDType,
	TypeSuback:       flagQoS,
	TypeUnsubscribe:  flagTopicIDType,
}

// StrayFlags reports whether b, a message that [Decode] accepts, sets flag bits that have no meaning in a message of its type. Decode ignores
// them; the specification says neither this nor that.
func StrayFlags(b []byte) bool {
	t, body, err := split(b)
	if err != nil || t >= NumTypes || usedFlags[t] == 0 || len(body) == 0 {
		return false
	}
	return flags(body[0])&^usedFlags[t] != 0
}

func (f flags) topicIDType() (TopicIDType, error) {
	if t := TopicIDType(f & 3); t <= Short {
		return t, nil
	}
	return 0, ErrTopicIDType
}

func flagsOf(qos QoS, t TopicIDType) flags { return flags(uint8(qos)&3)<<5 | flags(t&3) }

func (f flags) with(bit flags, on bool) flags {
	if on {
		return f | bit
	}
	return f
}
