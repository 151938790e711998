package mqttsn

import "fmt"

// MaxSize is the longest message in octets that the Length field can tell (§5.2.1).
const MaxSize = 0xFFFF

// shortMax is the longest message whose Length field takes one octet.
const shortMax = 0xFF

// longForm in the first octet says that the length stands in the next two (§5.2.1).
const longForm = 0x01

// Type is the MsgType octet (§5.2.2).
type Type uint8

// The message types of §5.2.2. Mind the order of PUBCOMP, PUBREC and PUBREL: it is not MQTT's.
const (
	TypeAdvertise     Type = 0x00
	TypeSearchGw      Type = 0x01
	TypeGwInfo        Type = 0x02
	TypeAuth          Type = 0x03 // reserved in 1.2; see Auth
	TypeConnect       Type = 0x04
	TypeConnack       Type = 0x05
	TypeWillTopicReq  Type = 0x06
	TypeWillTopic     Type = 0x07
	TypeWillMsgReq    Type = 0x08
	TypeWillMsg       Type = 0x09
	TypeRegister      Type = 0x0A
	TypeRegack        Type = 0x0B
	TypePublish       Type = 0x0C
	TypePuback        Type = 0x0D
	TypePubcomp       Type = 0x0E
	TypePubrec        Type = 0x0F
	TypePubrel        Type = 0x10
	TypeSubscribe     Type = 0x12
	TypeSuback        Type = 0x13
	TypeUnsubscribe   Type = 0x14
	TypeUnsuback      Type = 0x15
	TypePingreq       Type = 0x16
	TypePingresp      Type = 0x17
	TypeDisconnect    Type = 0x18
	TypeWillTopicUpd  Type = 0x1A
	TypeWillTopicResp Type = 0x1B
	TypeWillMsgUpd    Type = 0x1C
	TypeWillMsgResp   Type = 0x1D
	TypeEncapsulated  Type = 0xFE
)

// NumTypes bounds the types that [Decode] returns: all are below it, so an array of this size counts by type.
const NumTypes = 0x1E

var typeNames = [NumTypes]string{
	TypeAdvertise: "ADVERTISE", TypeSearchGw: "SEARCHGW", TypeGwInfo: "GWINFO",
	TypeAuth: "AUTH", TypeConnect: "CONNECT", TypeConnack: "CONNACK",
	TypeWillTopicReq: "WILLTOPICREQ", TypeWillTopic: "WILLTOPIC", TypeWillMsgReq: "WILLMSGREQ", TypeWillMsg: "WILLMSG",
	TypeRegister: "REGISTER", TypeRegack: "REGACK",
	TypePublish: "PUBLISH", TypePuback: "PUBACK", TypePubcomp: "PUBCOMP", TypePubrec: "PUBREC", TypePubrel: "PUBREL",
	TypeSubscribe: "SUBSCRIBE", TypeSuback: "SUBACK", TypeUnsubscribe: "UNSUBSCRIBE", TypeUnsuback: "UNSUBACK",
	TypePingreq: "PINGREQ", TypePingresp: "PINGRESP", TypeDisconnect: "DISCONNECT",
	TypeWillTopicUpd: "WILLTOPICUPD", TypeWillTopicResp: "WILLTOPICRESP",
	TypeWillMsgUpd: "WILLMSGUPD", TypeWillMsgResp: "WILLMSGRESP",
}

// String gives the name of the specification, or "reserved(0x11)" for a type without one.
func (t Type) String() string {
	if t == TypeEncapsulated {
		return "ENCAPSULATED"
	}
	if t < NumTypes && typeNames[t] != "" {
		return typeNames[t]
	}
	return fmt.Sprintf("reserved(0x%02x)", uint8(t))
}

// Length reads the Length field at the front of b: total is the size in octets of the whole message, of which
// header are Length and MsgType (2 or 4). b may hold less than the message, or more. The errors are [ErrIncomplete] when b is too
// short to tell, and [ErrLength] when no message can have that length.
func Length(b []byte) (total, header int, err error) {
	if len(b) == 0 {
		return 0, 0, ErrIncomplete
	}
	if b[0] != longForm {
		if b[0] < 2 {
			return 0, 0, ErrLength
		}
		return int(b[0]), 2, nil
	}
	if len(b) < 3 {
		return 0, 0, ErrIncomplete
	}
	total = int(b[1])<<8 | int(b[2])
	if total < 4 {
		return 0, 0, ErrLength
	}
	return total, 4, nil
}

// PeekType returns the type of the message b, checking no more than the Length field, which must equal len(b);
// the envelope of a forwarder is the exception, because its Length leaves out what it wraps.
func PeekType(b []byte) (Type, error) {
	t, _, err := split(b)
	if err == ErrLength && len(b) > 2 && b[0] > 2 && Type(b[1]) == TypeEncapsulated {
		return TypeEncapsulated, nil
	}
	return t, err
}

// split checks that b is one whole message and returns its type and body.
func split(b []byte) (Type, []byte, error) {
	total, header, err := Length(b)
	if err != nil {
		return 0, nil, err
	}
	if total != len(b) {
		return 0, nil, ErrLength
	}
	return Type(b[header-1]), b[header:], nil
}

// appendHeader appends Length and MsgType of a message with that many octets of body. It appends nothing and
// reports false when the message would exceed MaxSize.
func appendHeader(b []byte, t Type, body int) ([]byte, bool) {
	n := sizeOf(body)
	switch {
	case n <= shortMax:
		return append(b, byte(n), byte(t)), true
	case n <= MaxSize:
		return append(b, longForm, byte(n>>8), byte(n), byte(t)), true
	}
	return b, false
}

// sizeOf is the size of a message with that many octets of body.
func sizeOf(body int) int {
	if body+2 <= shortMax {
		return body + 2
	}
	return body + 4
}

func put16(b []byte, v uint16) []byte { return append(b, byte(v>>8), byte(v)) }

func get16(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }

// rest is b without spare capacity, so that an append by the caller cannot reach the input; nil when empty.
func rest(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b[:len(b):len(b)]
}

// exactly checks the size of a body that has only fixed fields.
func exactly(body []byte, n int) error {
	if len(body) > n {
		return ErrTrailing
	}
	return atLeast(body, n)
}

// atLeast checks the size of the fixed fields of a body.
func atLeast(body []byte, n int) error {
	if len(body) < n {
		return ErrTruncated
	}
	return nil
}
