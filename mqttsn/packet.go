package mqttsn

import (
	"errors"
	"fmt"
)

// A Packet is one decoded message. Those that [Decode] returns are the structs of this package, by value.
type Packet interface {
	Type() Type
	// Append appends the encoded message to b. A message that would exceed MaxSize is not appended at all, so
	// the result then is b as it was; Publish and Register tell their size beforehand.
	Append(b []byte) []byte
	// String describes the packet in one line for logs: wire text escaped, payloads counted and not shown.
	String() string
}

// What can be wrong with a message. Decode wraps them with the message's type; compare with errors.Is.
var (
	ErrIncomplete   = errors.New("the input ends inside the length field")
	ErrLength       = errors.New("the length field does not match the message")
	ErrTruncated    = errors.New("the message ends inside its fixed fields")
	ErrTrailing     = errors.New("octets follow the last field")
	ErrReserved     = errors.New("the message type is reserved")
	ErrTopicIDType  = errors.New("topic id type 3 is reserved")
	ErrEncapsulated = errors.New("a forwarder's envelope stands where a plain message must be")
)

// Decode reads b, which must be exactly one message. Byte slices of the packet alias b, strings are copies.
// The forwarder's envelope is not a packet and gives [ErrEncapsulated].
func Decode(b []byte) (Packet, error) {
	t, body, err := split(b)
	if err != nil {
		return nil, err
	}
	p, err := parse(t, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	return p, nil
}

func parse(t Type, body []byte) (Packet, error) {
	switch t {
	case TypePublish:
		return boxed(parsePublish(body))
	case TypePuback:
		return boxed(parsePuback(body))
	case TypePubcomp:
		return boxed(parsePubcomp(body))
	case TypePubrec:
		return boxed(parsePubrec(body))
	case TypePubrel:
		return boxed(parsePubrel(body))
	case TypePingreq:
		return Pingreq{ClientID: string(body)}, nil
	case TypePingresp:
		return Pingresp{}, exactly(body, 0)
	case TypeRegister:
		return boxed(parseRegister(body))
	case TypeRegack:
		return boxed(parseRegack(body))
	case TypeSubscribe:
		return boxed(parseSubscribe(body))
	case TypeSuback:
		return boxed(parseSuback(body))
	case TypeUnsubscribe:
		return boxed(parseUnsubscribe(body))
	case TypeUnsuback:
		return boxed(parseUnsuback(body))
	case TypeConnect:
		return boxed(parseConnect(body))
	case TypeAuth:
		return boxed(parseAuth(body))
	case TypeConnack:
		return boxed(parseConnack(body))
	case TypeDisconnect:
		return boxed(parseDisconnect(body))
	case TypeWillTopicReq:
		return WillTopicReq{}, exactly(body, 0)
	case TypeWillTopic:
		return WillTopic(parseWillTopic(body)), nil
	case TypeWillMsgReq:
		return WillMsgReq{}, exactly(body, 0)
	case TypeWillMsg:
		return WillMsg{Data: rest(body)}, nil
	case TypeWillTopicUpd:
		return WillTopicUpd(parseWillTopic(body)), nil
	case TypeWillTopicResp:
		return boxed(parseWillTopicResp(body))
	case TypeWillMsgUpd:
		return WillMsgUpd{Data: rest(body)}, nil
	case TypeWillMsgResp:
		return boxed(parseWillMsgResp(body))
	case TypeAdvertise:
		return boxed(parseAdvertise(body))
	case TypeSearchGw:
		return boxed(parseSearchGw(body))
	case TypeGwInfo:
		return boxed(parseGwInfo(body))
	case TypeEncapsulated:
		return nil, ErrEncapsulated
	}
	return nil, ErrReserved
}

// boxed turns a parser's two results into a Packet.
func boxed[P Packet](p P, err error) (Packet, error) { return p, err }
