package client

import (
	"errors"
	"fmt"

	"midge/broker/mqtt"
)

// A flight is a message of ours from PUBLISH to its last acknowledgement.
type flight struct {
	topic    string
	payload  []byte
	qos      mqtt.QoS
	retain   bool
	props    *mqtt.Properties
	id       uint16 // 0 at QoS 0
	released bool   // QoS 2: PUBREC came, PUBREL is out
}

// What the server announced that it does not take.
var (
	errQoS    = errors.New("the server does not support this QoS, try a lower one")
	errRetain = errors.New("the server does not support retained messages")
	errSize   = errors.New("the message is larger than the server accepts")
)

// full reports whether no message with QoS > 0 may be sent now.
func (e *engine) full() bool { return len(e.inflight) >= e.windowMax }

// publish sends a message and returns its packet identifier, 0 at QoS 0. The caller looks at full first.
func (e *engine) publish(f *flight) (uint16, error) {
	switch {
	case f.qos > e.limits.qos:
		return 0, errQoS
	case f.retain && e.limits.noRetain:
		return 0, errRetain
	case len(f.payload) > mqtt.MaxRemainingLength-1<<18: // room for the largest topic and properties
		return 0, errSize
	}
	last := e.lastID
	if f.qos != mqtt.AtMostOnce {
		f.id = e.newID()
	}
	if size := e.append(f, false); e.limits.packetMax != 0 && size > int(e.limits.packetMax) {
		e.out, e.lastID = e.out[:len(e.out)-size], last
		return 0, errSize
	}
	if f.qos != mqtt.AtMostOnce {
		e.inflight = append(e.inflight, f)
	}
	e.debug("Client %s sending PUBLISH (d0, q%d, r%d, m%d, '%s', ... (%d bytes))",
		e.name, f.qos, bit(f.retain), f.id, f.topic, len(f.payload))
	return f.id, nil
}

// append encodes a message and returns its size in octets.
func (e *engine) append(f *flight, dup bool) int {
	before := len(e.out)
	p := mqtt.Publish{Dup: dup, QoS: f.qos, Retain: f.retain, ID: f.id, Topic: []byte(f.topic), Payload: f.payload, Props: f.props}
	e.out = p.Append(e.out, e.version)
	return len(e.out) - before
}

// resend sends again what was in flight when the last connection ended.
//
// "the Client and Server MUST resend any unacknowledged PUBLISH packets (where QoS > 0) and PUBREL packets using their
// original Packet Identifiers" [MQTT-4.4.0-1]
func (e *engine) resend() {
	for _, f := range e.inflight {
		if f.released {
			e.ack(mqtt.TypePubrel, f.id)
			continue
		}
		e.append(f, true)
		e.debug("Client %s sending PUBLISH (d1, q%d, r%d, m%d, '%s', ... (%d bytes))",
			e.name, f.qos, bit(f.retain), f.id, f.topic, len(f.payload))
	}
}

func (e *engine) find(id uint16) *flight {
	for _, f := range e.inflight {
		if f.id == id {
			return f
		}
	}
	return nil
}

// land forgets a flight.
func (e *engine) land(id uint16) {
	for i, f := range e.inflight {
		if f.id == id {
			e.inflight = append(e.inflight[:i], e.inflight[i+1:]...)
			return
		}
	}
}

func (e *engine) handleAck(first byte, body []byte) (event, error) {
	p, err := mqtt.ParseAck(first, body, e.version)
	if err != nil {
		return event{}, err
	}
	switch p.Type {
	case mqtt.TypePubrec, mqtt.TypePubrel:
		e.debug("Client %s received %v (Mid: %d)", e.name, p.Type, p.ID)
	default:
		e.debug("Client %s received %v (Mid: %d, RC:%d)", e.name, p.Type, p.ID, p.Reason)
	}
	if p.Type == mqtt.TypePubrel {
		return e.handleRelease(p.ID), nil
	}
	f := e.find(p.ID)
	switch {
	case f == nil:
		return event{}, nil // an answer to an earlier connection
	case p.Type == mqtt.TypePuback && f.qos != mqtt.AtLeastOnce, p.Type != mqtt.TypePuback && f.qos != mqtt.ExactlyOnce:
		return event{}, fmt.Errorf("the server answered a message of QoS %d with %v", f.qos, p.Type)
	case p.Type == mqtt.TypePubrec && !p.Reason.Failed():
		f.released = true
		e.ack(mqtt.TypePubrel, p.ID)
		return event{}, nil
	}
	e.land(p.ID)
	return event{kind: published, id: p.ID, reason: p.Reason, props: p.Props}, nil
}

// handleRelease completes a message of QoS 2. An unknown one is completed too, or the server would ask for ever.
func (e *engine) handleRelease(id uint16) event {
	m, known := e.received[id]
	delete(e.received, id)
	e.ack(mqtt.TypePubcomp, id)
	if !known {
		return event{}
	}
	return event{kind: arrived, message: m}
}
