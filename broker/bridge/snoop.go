package bridge

import (
	"errors"
	"fmt"
)

// Packet types of MQTT 3.1.1 §2.2.1 that the bridge looks at.
const (
	typeConnack    = 2
	typePublish    = 3
	typePuback     = 4
	typePubrec     = 5
	typePubrel     = 6
	typePubcomp    = 7
	typeSuback     = 9
	typeDisconnect = 14
)

var errMalformed = errors.New("upstream sent a malformed packet")

// seen is one packet that has passed by.
type seen struct {
	kind  byte    // packet type
	size  int     // octets after the fixed header
	front [2]byte // the first of them: a packet identifier, or CONNACK's flags and return code
}

func (s seen) id() uint16 { return uint16(s.front[0])<<8 | uint16(s.front[1]) }

// snoop follows a stream of packets octet by octet, whatever pieces it comes in. The zero snoop stands before the first packet.
type snoop struct {
	packet seen
	stage  stage
	shift  uint // of the next octet of the remaining length
	have   int  // octets of the body that have passed
}

type stage uint8

const (
	atHeader stage = iota
	atLength
	atBody
)

// feed looks at the next octets and calls found at the end of each packet, before it returns. It refuses what Paho
// would trip over: a packet that claims more than inboundPacketMax octets, QoS 3, an acknowledgement without an identifier.
func (s *snoop) feed(p []byte, found func(seen) error) error {
	for len(p) > 0 {
		switch s.stage {
		case atHeader:
			s.packet = seen{kind: p[0] >> 4}
			s.stage, s.shift, s.have = atLength, 0, 0
			if s.packet.kind == typePublish && p[0]&0x06 == 0x06 {
				return fmt.Errorf("%w: PUBLISH with QoS 3", errMalformed)
			}
			p = p[1:]
			continue
		case atLength:
			more, err := s.length(p[0])
			if err != nil {
				return err
			}
			p = p[1:]
			if more {
				continue
			}
			s.stage = atBody
		case atBody:
			p = p[s.body(p):]
		}
		if s.have == s.packet.size {
			s.stage = atHeader
			if err := found(s.packet); err != nil {
				return err
			}
		}
	}
	return nil
}

// length takes one octet of the remaining length (MQTT 3.1.1 §2.2.3).
func (s *snoop) length(b byte) (more bool, err error) {
	s.packet.size |= int(b&0x7F) << s.shift
	s.shift += 7
	if b&0x80 != 0 {
		if s.shift == 28 {
			return false, fmt.Errorf("%w: remaining length of more than four octets", errMalformed)
		}
		return true, nil
	}
	switch {
	case s.packet.size > inboundPacketMax:
		return false, fmt.Errorf("upstream sent a packet of %d octets; the bridge takes at most %d", s.packet.size, inboundPacketMax)
	case s.packet.size < 2 && needsID(s.packet.kind):
		return false, fmt.Errorf("%w: type %d without a packet identifier", errMalformed, s.packet.kind)
	}
	return false, nil
}

// body takes what belongs to this packet and returns how much that was.
func (s *snoop) body(p []byte) int {
	n := min(len(p), s.packet.size-s.have)
	if s.have < len(s.packet.front) {
		copy(s.packet.front[s.have:], p[:n])
	}
	s.have += n
	return n
}

func needsID(kind byte) bool {
	switch kind {
	case typeConnack, typePublish, typePuback, typePubrec, typePubrel, typePubcomp, typeSuback:
		return true
	}
	return false
}
