package mqtt

import "strconv"

// PacketType is the upper half of a packet's first octet (MQTT 5 §2.1.2).
type PacketType uint8

// The packet types. TypeAuth exists in MQTT 5 only.
const (
	TypeConnect     PacketType = 1
	TypeConnack     PacketType = 2
	TypePublish     PacketType = 3
	TypePuback      PacketType = 4
	TypePubrec      PacketType = 5
	TypePubrel      PacketType = 6
	TypePubcomp     PacketType = 7
	TypeSubscribe   PacketType = 8
	TypeSuback      PacketType = 9
	TypeUnsubscribe PacketType = 10
	TypeUnsuback    PacketType = 11
	TypePingreq     PacketType = 12
	TypePingresp    PacketType = 13
	TypeDisconnect  PacketType = 14
	TypeAuth        PacketType = 15
)

var packetNames = [16]string{
	"RESERVED", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
	"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}

// String is the specification's name in capitals, e.g. "PUBLISH".
func (t PacketType) String() string {
	if int(t) < len(packetNames) {
		return packetNames[t]
	}
	return "packet type " + strconv.Itoa(int(t))
}

// MaxRemainingLength is the largest body of a packet, in octets (MQTT 5 §2.1.4).
const MaxRemainingLength = 268_435_455

// Header is the fixed header of a packet.
type Header struct {
	First  byte // packet type and flags
	Size   int  // octets of the fixed header itself, 2 to 5
	Length int  // remaining length: octets of the body
}

// Type is the packet type in the upper half of the first octet.
func (h Header) Type() PacketType { return PacketType(h.First >> 4) }

// Total is the length of the whole packet in octets. A reader that has n octets lacks Total()-n.
func (h Header) Total() int { return h.Size + h.Length }

// ParseHeader reads the fixed header at the front of b, which may hold any part of a packet, one packet or many. It returns
// ErrIncomplete while the header itself is not whole; a header with more body than b holds is no error. Packet type 0 and a remaining length of
// more than four octets are an *Error.
//
// A remaining length in more octets than it needs is accepted: MQTT 3 does not forbid it, and here the version is unknown.
func ParseHeader(b []byte) (Header, error) {
	if len(b) == 0 {
		return Header{}, ErrIncomplete
	}
	if b[0]>>4 == 0 {
		return Header{}, errReservedType
	}
	if len(b) >= 2 && b[1] < 0x80 {
		return Header{First: b[0], Size: 2, Length: int(b[1])}, nil
	}
	length := 0
	for i := 1; i < len(b) && i <= 4; i++ {
		length |= int(b[i]&0x7F) << (7 * (i - 1))
		if b[i] < 0x80 {
			return Header{First: b[0], Size: i + 1, Length: length}, nil
		}
	}
	if len(b) > 4 {
		return Header{}, ErrRemainingLength
	}
	return Header{}, ErrIncomplete
}

// CheckFlags refuses a first octet whose reserved flag bits are not what the specification prescribes. The Parse functions call it;
// a listener calls it for the packets that it does not parse (SUBACK from a client, …).
//
// "Where a flag bit is marked as 'Reserved', it is reserved for future use and MUST be set to the value listed" [MQTT-2.1.3-1]
func CheckFlags(first byte, v Version) error {
	want := byte(0)
	switch t := PacketType(first >> 4); {
	case t == TypePublish:
		return nil // its flags all mean something; ParsePublish reads them
	case v == V31:
		return nil // 3.1 §2.1: bits that a packet does not use; PUBREL, SUBSCRIBE and UNSUBSCRIBE may carry DUP
	case t == TypePubrel, t == TypeSubscribe, t == TypeUnsubscribe:
		want = 0x02
	}
	if first&0x0F == want {
		return nil
	}
	return &Error{Reason: MalformedPacket, Silent: v != V5,
		Text: PacketType(first>>4).String() + ": reserved flags are set wrongly"}
}

// appendHeader appends the fixed header of a packet whose body has n octets.
func appendHeader(b []byte, first byte, n int) []byte {
	return appendVarint(append(b, first), uint32(n))
}

// headerSize is the length of the fixed header of a packet whose body has n octets.
func headerSize(n int) int { return 1 + varintSize(uint32(n)) }

// appendVarint appends a Variable Byte Integer (MQTT 5 §1.5.5).
func appendVarint(b []byte, n uint32) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func varintSize(n uint32) int {
	size := 1
	for n >= 0x80 {
		size++
		n >>= 7
	}
	return size
}
