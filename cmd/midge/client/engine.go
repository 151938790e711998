package client

import (
	"fmt"

	"midge/broker/mqtt"
)

// An engine is the client's side of one MQTT session as a machine. What it has to send stands in out until the shell takes it; what
// happened comes back from handle as an event. Messages in flight outlive the connection: connected sends them again.
type engine struct {
	version mqtt.Version
	name    string // client identifier in debug lines
	debug   func(format string, args ...any)
	out     []byte // octets for the connection, in order

	lastID      uint16
	windowMax   int // messages with QoS > 0 in flight at once
	inflight    []*flight
	received    map[uint16]message // QoS 2, from PUBREC to PUBREL
	aliases     map[uint16]string  // topic aliases of the server, of this connection
	limits      serverLimits
	pingPending bool
	open        bool // CONNACK has come
}

// serverLimits are what CONNACK says about the server; without it everything is allowed.
type serverLimits struct {
	qos       mqtt.QoS
	noRetain  bool
	packetMax uint32 // octets, 0 no limit
}

// A message is what came in.
type message struct {
	topic       string
	payload     []byte
	qos         mqtt.QoS
	retain, dup bool
	id          uint16
	props       *mqtt.Properties
}

type eventKind int

const (
	nothing eventKind = iota
	accepted
	refused    // by CONNACK
	subscribed // codes
	unsubscribed
	arrived // message
	published
	disconnectedByServer
)

// An event is what a packet meant.
type event struct {
	kind    eventKind
	reason  mqtt.ReasonCode
	id      uint16
	codes   []mqtt.ReasonCode
	message message
	props   *mqtt.Properties
}

func newEngine(o *options, debug func(string, ...any)) *engine {
	e := &engine{version: o.version, name: o.id, debug: debug, windowMax: o.inflight, received: map[uint16]message{}}
	if e.name == "" {
		e.name = "(null)" // as Mosquitto's tools call a client that the server is yet to name
	}
	return e
}

// connect starts a connection.
func (e *engine) connect(p *mqtt.Connect) {
	e.out, e.aliases, e.pingPending, e.open = e.out[:0], map[uint16]string{}, false, false
	e.limits = serverLimits{qos: mqtt.ExactlyOnce}
	e.out = p.Append(e.out)
	e.debug("Client %s sending CONNECT", e.name)
}

// disconnect ends the session's connection in order.
func (e *engine) disconnect(reason mqtt.ReasonCode, props *mqtt.Properties) {
	e.out = (&mqtt.Disconnect{Reason: reason, Props: props}).Append(e.out, e.version)
	e.debug("Client %s sending DISCONNECT", e.name)
}

func (e *engine) ping() {
	e.pingPending = true
	e.out = mqtt.AppendPingreq(e.out)
	e.debug("Client %s sending PINGREQ", e.name)
}

// newID is the next packet identifier that is not in use.
func (e *engine) newID() uint16 {
	for {
		if e.lastID++; e.lastID != 0 && e.find(e.lastID) == nil {
			return e.lastID
		}
	}
}

func (e *engine) subscribe(filters []string, options mqtt.Subscription, props *mqtt.Properties) {
	p := mqtt.Subscribe{ID: e.newID(), Props: props}
	for _, f := range filters {
		s := options
		s.Filter = f
		p.Subscriptions = append(p.Subscriptions, s)
		e.debug("Client %s sending SUBSCRIBE (Mid: %d, Topic: %s, QoS: %d, Options: 0x%02x)", e.name, p.ID, f, s.QoS, optionBits(s))
	}
	e.out = p.Append(e.out, e.version)
}

// optionBits are the subscription options without QoS, as debug lines show them.
func optionBits(s mqtt.Subscription) byte {
	b := s.RetainHandling << 4
	if s.RetainAsPublished {
		b |= 0x08
	}
	return b
}

func (e *engine) unsubscribe(filter string, props *mqtt.Properties) {
	p := mqtt.Unsubscribe{ID: e.newID(), Filters: []string{filter}, Props: props}
	e.out = p.Append(e.out, e.version)
	e.debug("Client %s sending UNSUBSCRIBE (Mid: %d, Topic: %s)", e.name, p.ID, filter)
}

// handle takes one packet of the server. An error ends the program: the server does not speak MQTT.
//
// "The CONNACK Packet … MUST be the first packet sent from the Server to the Client" [MQTT-3.2.0-1]; there is only one [MQTT-3.2.0-2].
func (e *engine) handle(first byte, body []byte) (event, error) {
	t := mqtt.PacketType(first >> 4)
	if e.open == (t == mqtt.TypeConnack) {
		return event{}, fmt.Errorf("%v comes where it must not", t)
	}
	switch t {
	case mqtt.TypeConnack:
		return e.handleConnack(first, body)
	case mqtt.TypePublish:
		return e.handlePublish(first, body)
	case mqtt.TypePuback, mqtt.TypePubrec, mqtt.TypePubrel, mqtt.TypePubcomp:
		return e.handleAck(first, body)
	case mqtt.TypeSuback:
		p, err := mqtt.ParseSuback(first, body, e.version)
		e.debug("Client %s received SUBACK", e.name)
		return event{kind: subscribed, id: p.ID, codes: p.Codes, props: p.Props}, err
	case mqtt.TypeUnsuback:
		p, err := mqtt.ParseUnsuback(first, body, e.version)
		e.debug("Client %s received UNSUBACK", e.name)
		return event{kind: unsubscribed, id: p.ID, codes: p.Codes}, err
	case mqtt.TypePingresp:
		e.pingPending = false
		e.debug("Client %s received PINGRESP", e.name)
		return event{}, mqtt.ParsePing(first, body, e.version)
	case mqtt.TypeDisconnect:
		p, err := mqtt.ParseDisconnect(first, body, e.version)
		e.debug("Client %s received DISCONNECT (%d)", e.name, p.Reason)
		return event{kind: disconnectedByServer, reason: p.Reason, props: p.Props}, err
	}
	return event{}, fmt.Errorf("the server sent %v, which only clients send", t)
}

func (e *engine) handleConnack(first byte, body []byte) (event, error) {
	p, err := mqtt.ParseConnack(first, body, e.version)
	if err != nil {
		return event{}, err
	}
	if p.Props.Has(mqtt.PropAssignedClientID) {
		e.name = p.Props.AssignedClientID
	}
	e.debug("Client %s received CONNACK (%d)", e.name, mqtt.ConnackCode(e.version, p.Reason))
	if p.Reason != mqtt.Success {
		return event{kind: refused, reason: p.Reason, props: p.Props}, nil
	}
	e.open = true
	if !p.SessionPresent {
		clear(e.received) // the server has forgotten them, and will use their identifiers for others
	}
	if p.Props.Has(mqtt.PropMaximumQoS) {
		e.limits.qos = mqtt.QoS(p.Props.MaximumQoS)
	}
	e.limits.noRetain = p.Props.Has(mqtt.PropRetainAvailable) && p.Props.RetainAvailable == 0
	if p.Props.Has(mqtt.PropMaximumPacketSize) {
		e.limits.packetMax = p.Props.MaximumPacketSize
	}
	if p.Props.Has(mqtt.PropReceiveMaximum) {
		e.windowMax = min(e.windowMax, int(p.Props.ReceiveMaximum))
	}
	e.resend()
	return event{kind: accepted, props: p.Props}, nil
}

// handlePublish takes a message. QoS 2 waits for PUBREL, so that it is told once.
func (e *engine) handlePublish(first byte, body []byte) (event, error) {
	p, err := mqtt.ParsePublish(first, body, e.version)
	if err != nil {
		return event{}, err
	}
	m := message{topic: string(p.Topic), payload: p.Payload, qos: p.QoS, retain: p.Retain, dup: p.Dup, id: p.ID, props: p.Props}
	if p.Props.Has(mqtt.PropTopicAlias) {
		if m.topic == "" {
			m.topic = e.aliases[p.Props.TopicAlias]
		}
		e.aliases[p.Props.TopicAlias] = m.topic
	}
	if m.topic == "" {
		return event{}, fmt.Errorf("the server used topic alias %d, which it never set", p.Props.TopicAlias)
	}
	e.debug("Client %s received PUBLISH (d%d, q%d, r%d, m%d, '%s', ... (%d bytes))",
		e.name, bit(m.dup), m.qos, bit(m.retain), m.id, m.topic, len(m.payload))
	switch m.qos {
	case mqtt.AtLeastOnce:
		e.ack(mqtt.TypePuback, m.id)
	case mqtt.ExactlyOnce:
		m.payload = append([]byte(nil), m.payload...) // it outlives the read buffer
		e.received[m.id] = m
		e.ack(mqtt.TypePubrec, m.id)
		return event{}, nil
	}
	return event{kind: arrived, message: m}, nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (e *engine) ack(t mqtt.PacketType, id uint16) {
	e.out = mqtt.AppendAck(e.out, t, id, mqtt.Success, e.version)
	switch t {
	case mqtt.TypePuback, mqtt.TypePubrec:
		e.debug("Client %s sending %v (m%d, rc0)", e.name, t, id)
	default:
		e.debug("Client %s sending %v (m%d)", e.name, t, id)
	}
}
