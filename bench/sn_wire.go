package main

import (
	"encoding/binary"
	"fmt"
)

// MQTT-SN 1.2 message types and flags that the generator uses.
const (
	snConnect  = 0x04
	snConnack  = 0x05
	snRegister = 0x0A
	snRegack   = 0x0B
	snPublish  = 0x0C
	snPuback   = 0x0D

	snSubscribe  = 0x12
	snSuback     = 0x13
	snDisconnect = 0x18

	snDup   = 0x80
	snQoS1  = 0x20
	snClean = 0x04
)

// snKeepAlive is longer than any run, in seconds: the clients send no PINGREQ.
const snKeepAlive = 3600

// snPublishSize is the length of a PUBLISH with a payload of payloadSize.
const snPublishSize = 7 + payloadSize

// appendSNConnect appends CONNECT without a will; flags is snClean or 0. clientID has at most 23 octets.
func appendSNConnect(b []byte, flags byte, clientID string) []byte {
	b = append(b, byte(6+len(clientID)), snConnect, flags, 1)
	b = binary.BigEndian.AppendUint16(b, snKeepAlive)
	return append(b, clientID...)
}

func appendSNRegister(b []byte, msgID uint16, topic string) []byte {
	b = append(b, byte(6+len(topic)), snRegister, 0, 0)
	b = binary.BigEndian.AppendUint16(b, msgID)
	return append(b, topic...)
}

// appendSNSubscribe appends SUBSCRIBE at QoS 1 to a topic name.
func appendSNSubscribe(b []byte, msgID uint16, topic string) []byte {
	b = append(b, byte(5+len(topic)), snSubscribe, snQoS1)
	b = binary.BigEndian.AppendUint16(b, msgID)
	return append(b, topic...)
}

// appendSNSleep appends DISCONNECT with a duration.
func appendSNSleep(b []byte, seconds uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, 4, snDisconnect), seconds)
}

// appendSNPublish appends PUBLISH at QoS 1 on a normal topic id.
func appendSNPublish(b []byte, dup bool, topicID, msgID uint16, publisher, seq uint32) []byte {
	flags := byte(snQoS1)
	if dup {
		flags |= snDup
	}
	b = append(b, snPublishSize, snPublish, flags)
	b = binary.BigEndian.AppendUint16(b, topicID)
	b = binary.BigEndian.AppendUint16(b, msgID)
	return appendPayload(b, publisher, seq)
}

// An snReply is what the generator reads of CONNACK, REGACK, PUBACK and SUBACK.
type snReply struct {
	kind           byte
	topicID, msgID uint16 // 0 in CONNACK
	code           byte
}

// parseSNReply reads one datagram; other messages than the four come back with their kind alone.
func parseSNReply(b []byte) (snReply, error) {
	if len(b) < 2 || int(b[0]) != len(b) {
		return snReply{}, fmt.Errorf("datagram of %d octets is no MQTT-SN message: % x", len(b), b[:min(len(b), 8)])
	}
	r := snReply{kind: b[1]}
	switch {
	case r.kind == snConnack && len(b) == 3:
		r.code = b[2]
	case (r.kind == snRegack || r.kind == snPuback) && len(b) == 7:
		r.topicID, r.msgID, r.code = binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[4:]), b[6]
	case r.kind == snSuback && len(b) == 8:
		r.topicID, r.msgID, r.code = binary.BigEndian.Uint16(b[3:]), binary.BigEndian.Uint16(b[5:]), b[7]
	case r.kind == snConnack || r.kind == snRegack || r.kind == snPuback || r.kind == snSuback:
		return r, fmt.Errorf("MQTT-SN message type %#02x has %d octets", r.kind, len(b))
	}
	return r, nil
}
