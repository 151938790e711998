package main

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// First octets of the MQTT 3.1.1 packets that the generator meets, without the flags of PUBLISH.
const (
	headConnect   = 0x10
	headConnack   = 0x20
	headPublish   = 0x30
	headPuback    = 0x40
	headPubrec    = 0x50
	headPubrel    = 0x62
	headPubcomp   = 0x70
	headSubscribe = 0x82
	headSuback    = 0x90
)

// payloadSize is the length of every payload in octets: publisher number 4, sequence number 4, filling.
const payloadSize = 64

// putPayload writes publisher and sequence number into the first 8 octets of b.
func putPayload(b []byte, publisher, seq uint32) {
	binary.BigEndian.PutUint32(b, publisher)
	binary.BigEndian.PutUint32(b[4:], seq)
}

// getPayload reads what putPayload wrote; ok is false for a payload of another length.
func getPayload(b []byte) (publisher, seq uint32, ok bool) {
	if len(b) != payloadSize {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), true
}

// appendLength appends a remaining length (MQTT 3.1.1 §2.2.3).
func appendLength(b []byte, n int) []byte {
	for n > 127 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// cleanSession is the flag of CONNECT that a client without a session to keep sets.
const cleanSession = 0x02

// appendConnect appends CONNECT: MQTT 3.1.1, cleanSession or 0, no keep-alive, no will, anonymous.
func appendConnect(b []byte, clientID string, flags byte) []byte {
	b = appendLength(append(b, headConnect), 10+2+len(clientID))
	b = appendString(b, "MQTT")
	b = append(b, 4, flags, 0, 0)
	return appendString(b, clientID)
}

// appendSubscribe appends SUBSCRIBE with one filter.
func appendSubscribe(b []byte, id uint16, filter string, qos byte) []byte {
	b = appendLength(append(b, headSubscribe), 2+2+len(filter)+1)
	b = binary.BigEndian.AppendUint16(b, id)
	return append(appendString(b, filter), qos)
}

// appendPublish appends PUBLISH with a payload of payloadSize; id is left out at QoS 0.
func appendPublish(b []byte, topic string, qos byte, id uint16, publisher, seq uint32) []byte {
	n := 2 + len(topic) + payloadSize
	if qos > 0 {
		n += 2
	}
	b = appendLength(append(b, headPublish|qos<<1), n)
	b = appendString(b, topic)
	if qos > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return appendPayload(b, publisher, seq)
}

var filling [payloadSize]byte

func appendPayload(b []byte, publisher, seq uint32) []byte {
	b = append(b, filling[:]...)
	putPayload(b[len(b)-payloadSize:], publisher, seq)
	return b
}

// appendAck appends PUBACK, PUBREC, PUBREL or PUBCOMP.
func appendAck(b []byte, head byte, id uint16) []byte {
	return append(b, head, 2, byte(id>>8), byte(id))
}

var errLength = errors.New("remaining length has more than four octets")

// cut takes the first packet from b. With half a packet n is 0; n is its whole length otherwise.
func cut(b []byte) (head byte, body []byte, n int, err error) {
	length, shift := 0, 0
	for i := 1; i < len(b); i++ {
		length |= int(b[i]&0x7F) << shift
		if b[i] < 0x80 {
			if i+1+length > len(b) {
				return 0, nil, 0, nil
			}
			return b[0], b[i+1 : i+1+length], i + 1 + length, nil
		}
		if shift += 7; shift > 21 {
			return 0, nil, 0, errLength
		}
	}
	return 0, nil, 0, nil
}

// splitPublish reads the body of a PUBLISH; id is 0 at QoS 0.
func splitPublish(body []byte, qos byte) (id uint16, payload []byte, err error) {
	if len(body) < 2 {
		return 0, nil, fmt.Errorf("PUBLISH of %d octets has no topic", len(body))
	}
	at := 2 + int(binary.BigEndian.Uint16(body))
	if qos > 0 {
		at += 2
	}
	if at > len(body) {
		return 0, nil, fmt.Errorf("PUBLISH of %d octets is cut off before its payload", len(body))
	}
	if qos > 0 {
		id = binary.BigEndian.Uint16(body[at-2:])
	}
	return id, body[at:], nil
}

// ackID reads the packet identifier of PUBACK, PUBREC, PUBREL or PUBCOMP.
func ackID(body []byte) (uint16, error) {
	if len(body) < 2 {
		return 0, fmt.Errorf("acknowledgement of %d octets has no packet identifier", len(body))
	}
	return binary.BigEndian.Uint16(body), nil
}
