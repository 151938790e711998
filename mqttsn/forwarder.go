package mqttsn

import "fmt"

// NodeIDMax is the longest WirelessNodeId in octets that an envelope holds.
const NodeIDMax = shortMax - envelopeFixed

// envelopeFixed is the size of Length, MsgType and Ctrl.
const envelopeFixed = 3

// Encapsulated is the envelope that a forwarder puts before the message of a client that reaches the gateway only
// through it (§5.5). Its Length does not count the message inside.
type Encapsulated struct {
	Radius uint8  // broadcast radius, 0 to 3, gateway to forwarder only
	NodeID []byte // names the client to the forwarder: opaque, may be empty, is sent back as it came
}

// ParseEncapsulated takes the envelope off b and returns it and the one whole message inside. Both alias b. An envelope in
// an envelope gives [ErrEncapsulated].
func ParseEncapsulated(b []byte) (e Encapsulated, inner []byte, err error) {
	if len(b) < envelopeFixed {
		return e, nil, fmt.Errorf("ENCAPSULATED: %w", ErrTruncated)
	}
	if Type(b[1]) != TypeEncapsulated {
		return e, nil, fmt.Errorf("%s where ENCAPSULATED is wanted", Type(b[1]))
	}
	outer := int(b[0])
	if outer < envelopeFixed || outer >= len(b) {
		return e, nil, fmt.Errorf("ENCAPSULATED: %w", ErrLength)
	}
	e = Encapsulated{Radius: b[2] & 3, NodeID: rest(b[envelopeFixed:outer])}
	inner = rest(b[outer:])
	t, err := PeekType(inner)
	if err != nil {
		return e, nil, fmt.Errorf("message in ENCAPSULATED: %w", err)
	}
	if t == TypeEncapsulated {
		return e, nil, fmt.Errorf("message in ENCAPSULATED: %w", ErrEncapsulated)
	}
	return e, inner, nil
}

// Append appends the envelope and then inner, one encoded message. A NodeID longer than NodeIDMax appends nothing.
func (e Encapsulated) Append(b, inner []byte) []byte {
	if len(e.NodeID) > NodeIDMax {
		return b
	}
	b = append(b, byte(envelopeFixed+len(e.NodeID)), byte(TypeEncapsulated), e.Radius&3)
	return append(append(b, e.NodeID...), inner...)
}

func (e Encapsulated) String() string {
	return fmt.Sprintf("ENCAPSULATED radius=%d node=%x", e.Radius, e.NodeID)
}
