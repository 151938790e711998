package serial

// What a raw stream must know of messages to find them: MQTT-SN 1.2 §5.2 (header), §5.3 (types), §5.4 (fixed fields), §5.5 (encapsulation),
// and the one extension that the gateway takes.

const typeEncapsulated = 0xFE

// leastBody is the least number of octets after MsgType by message type; −1 is a type that does not exist.
var leastBody = func() (least [256]int8) {
	for t := range least {
		least[t] = -1
	}
	for t, n := range map[int]int8{
		0x00: 3, // ADVERTISE: GwId, Duration
		0x01: 1, // SEARCHGW: Radius
		0x02: 1, // GWINFO: GwId
		0x03: 2, // AUTH, bisquitt's extension: Reason, length of Method
		0x04: 4, // CONNECT: Flags, ProtocolId, Duration; an empty ClientId is for the gateway to judge
		0x05: 1, // CONNACK: ReturnCode
		0x06: 0, // WILLTOPICREQ
		0x07: 0, // WILLTOPIC: nothing at all deletes
		0x08: 0, // WILLMSGREQ
		0x09: 0, // WILLMSG
		0x0A: 4, // REGISTER: TopicId, MsgId
		0x0B: 5, // REGACK: TopicId, MsgId, ReturnCode
		0x0C: 5, // PUBLISH: Flags, TopicId, MsgId
		0x0D: 5, // PUBACK: TopicId, MsgId, ReturnCode
		0x0E: 2, // PUBCOMP: MsgId
		0x0F: 2, // PUBREC: MsgId
		0x10: 2, // PUBREL: MsgId
		0x12: 3, // SUBSCRIBE: Flags, MsgId
		0x13: 6, // SUBACK: Flags, TopicId, MsgId, ReturnCode
		0x14: 3, // UNSUBSCRIBE: Flags, MsgId
		0x15: 2, // UNSUBACK: MsgId
		0x16: 0, // PINGREQ
		0x17: 0, // PINGRESP
		0x18: 0, // DISCONNECT
		0x1A: 0, // WILLTOPICUPD: nothing at all deletes
		0x1B: 1, // WILLTOPICRESP: ReturnCode
		0x1C: 0, // WILLMSGUPD
		0x1D: 1, // WILLMSGRESP: ReturnCode
		0xFE: 1, // encapsulated: Ctrl
	} {
		least[t] = n
	}
	return least
}()

// verdict is what the octets at hand say about the message that they begin.
type verdict int

const (
	whole     verdict = iota // the message is there
	partial                  // so far it may be one
	noMessage                // it cannot be one
)

// delimit finds the end of the message at the start of b: its length when the verdict is whole. An encapsulated message is one with the
// message in it, although its own Length covers its header only (§5.5).
func delimit(b []byte, mtu int) (int, verdict) {
	n, v := delimitOne(b, mtu)
	if v == noMessage || n == 0 || b[typeAt(b)] != typeEncapsulated {
		return n, v
	}
	if len(b) <= n {
		return 0, partial
	}
	inner, v := delimitOne(b[n:], mtu-n)
	if inner > 0 && b[n+typeAt(b[n:])] == typeEncapsulated {
		return 0, noMessage // not forbidden, but no one has a use for it
	}
	return n + inner, v
}

// delimitOne does it for one Length. It returns a length as soon as that is known and the type seen, also when the
// verdict is partial.
func delimitOne(b []byte, mtu int) (int, verdict) {
	if len(b) == 0 {
		return 0, partial
	}
	n, at := int(b[0]), typeAt(b)
	if n == 0 {
		return 0, noMessage
	}
	if len(b) <= at {
		return 0, partial
	}
	if at == 3 {
		n = int(b[1])<<8 | int(b[2])
	}
	least := leastBody[b[at]]
	if least < 0 || n < at+1+int(least) || n > mtu {
		return 0, noMessage
	}
	if len(b) < n {
		return n, partial
	}
	return n, whole
}

// typeAt is where MsgType stands: Length takes one octet, or three of which the first is 0x01 (§5.2.1).
func typeAt(b []byte) int {
	if b[0] == 1 {
		return 3
	}
	return 1
}
