package listener

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/broker/topic"
)

// batch gathers runs of packets of one type, so that each run is one verb.
type batch struct {
	ws    *workspace
	kind  mqtt.PacketType // of ws.in or ws.ids; 0 when both are empty
	asked int             // answers that the packets ask for
}

// handle parses every whole packet that a read has brought and keeps what is left for the next.
func (c *conn) handle(ws *workspace) error {
	c.batch = batch{ws: ws}
	if c.attempt != nil {
		if err := c.resume(); err != nil {
			return err
		}
	}
	b, packets := ws.buf, 0
	for ; c.attempt == nil; packets++ {
		h, err := mqtt.ParseHeader(b)
		if err == nil && h.Length > int(c.policy.MaximumPacketSize) {
			err = &mqtt.Error{Reason: mqtt.PacketTooLarge, Text: "packet is larger than the maximum packet size"}
		}
		if errors.Is(err, mqtt.ErrIncomplete) || err == nil && len(b) < h.Total() {
			break
		}
		if err == nil {
			err = c.packet(h, b[h.Size:h.Total()])
		}
		if err != nil {
			c.server.traffic.came(packets, len(ws.buf)-len(b))
			c.endRun() // what came before the fault stands
			return err
		}
		b = b[h.Total():]
	}
	c.server.traffic.came(packets, len(ws.buf)-len(b))
	c.keepPartial(ws, b)
	return c.endRun()
}

func (c *conn) packet(h mqtt.Header, body []byte) error {
	if c.session == nil {
		if c.enhanced != nil {
			return c.enter(h, body)
		}
		return c.connect(h, body)
	}
	t := h.Type()
	if t != c.batch.kind {
		if err := c.endRun(); err != nil {
			return err
		}
	}
	switch t {
	case mqtt.TypePublish:
		return c.publish(h.First, body)
	case mqtt.TypePuback, mqtt.TypePubrec, mqtt.TypePubrel, mqtt.TypePubcomp:
		return c.ack(h.First, body)
	case mqtt.TypeSubscribe:
		return c.subscribe(h.First, body)
	case mqtt.TypeUnsubscribe:
		return c.unsubscribe(h.First, body)
	case mqtt.TypePingreq:
		if err := mqtt.ParsePing(h.First, body, c.version); err != nil {
			return err
		}
		c.batch.asked++
		c.send(mqtt.AppendPingresp)
		return nil
	case mqtt.TypeDisconnect:
		return c.disconnected(h.First, body)
	case mqtt.TypeAuth:
		if c.enhanced != nil {
			return c.auth(h.First, body)
		}
	case mqtt.TypeConnect:
		// "The Server MUST process a second CONNECT Packet sent from a Client as a Protocol Error and close the Network Connection" [MQTT-3.1.0-2]
		return &mqtt.Error{Reason: mqtt.ProtocolError, Text: "second CONNECT"}
	}
	if err := mqtt.CheckFlags(h.First, c.version); err != nil && t != mqtt.TypeConnack && t != mqtt.TypeAuth {
		return err
	}
	return &mqtt.Error{Reason: mqtt.ProtocolError, Text: t.String() + " is not for a server"}
}

func (c *conn) publish(first byte, body []byte) error {
	p, err := mqtt.ParsePublish(first, body, c.version)
	if err != nil {
		return err
	}
	if p.Props.Has(mqtt.PropSubscriptionID) {
		// "A PUBLISH packet sent from a Client to a Server MUST NOT contain a Subscription Identifier" [MQTT-3.3.4-6]
		return &mqtt.Error{Reason: mqtt.ProtocolError, Text: "PUBLISH: subscription identifier from a client"}
	}
	if r := c.policy.accepts(p.QoS, p.Retain); r != mqtt.Success {
		return &mqtt.Error{Reason: r, Text: "PUBLISH: " + r.String()}
	}
	name, err := c.topicOf(&p)
	if err != nil {
		return err
	}
	m := &broker.Message{Topic: name, Payload: append([]byte(nil), p.Payload...), QoS: p.QoS, Retain: p.Retain}
	if p.Props != nil {
		if !c.wellFormed(p.Props, p.Payload) {
			return c.refusePayload(p.QoS, p.ID)
		}
		setProperties(m, c.lastRead, p.Props)
	}
	c.batch.kind = mqtt.TypePublish
	if p.QoS > 0 {
		c.batch.asked++
	}
	c.batch.ws.in = append(c.batch.ws.in, broker.Inbound{ID: p.ID, Message: m})
	return nil
}

// wellFormed reports whether a payload is what its Payload Format Indicator says, or nobody wants to know.
func (c *conn) wellFormed(p *mqtt.Properties, payload []byte) bool {
	return !c.policy.PayloadFormatCheck || !p.Has(mqtt.PropPayloadFormat) || p.PayloadFormat == 0 || utf8.Valid(payload)
}

// refusePayload answers a message whose payload is not what it says (MQTT 5 §3.3.2.3.2). At QoS 0 there is no answer but the end of the connection.
func (c *conn) refusePayload(q mqtt.QoS, id uint16) error {
	if err := c.endRun(); err != nil {
		return err
	}
	t := mqtt.TypePuback
	switch {
	case q == mqtt.AtMostOnce:
		return &mqtt.Error{Reason: mqtt.PayloadFormatInvalid, Text: "PUBLISH: payload is not the UTF-8 text that it claims to be"}
	case q == mqtt.ExactlyOnce:
		t = mqtt.TypePubrec
	}
	c.batch.asked++
	return c.session.Reply(c.ackPacket(t, id, mqtt.PayloadFormatInvalid))
}

// topicOf resolves the topic name: repeated, aliased or new. What it returns has the mount in front.
func (c *conn) topicOf(p *mqtt.Publish) (string, error) {
	last := c.mount.Strip(c.topic)
	name := last
	if string(p.Topic) != name {
		name = string(p.Topic)
	}
	if p.Props.Has(mqtt.PropTopicAlias) {
		var err error
		if name, err = c.resolve(p.Props.TopicAlias, name); err != nil {
			return "", err
		}
	}
	if name == last && name != "" {
		return c.topic, nil
	}
	if err := topic.ValidName(name); err != nil {
		// "The Topic Name in the PUBLISH packet MUST NOT contain wildcard characters" [MQTT-3.3.2-2]
		return "", &mqtt.Error{Reason: c.topicFault(name), Text: "PUBLISH: " + err.Error()}
	}
	c.topic = c.mount.Name(name)
	return c.topic, nil
}

func (c *conn) topicFault(name string) mqtt.ReasonCode {
	if strings.ContainsAny(name, "+#") {
		return mqtt.MalformedPacket
	}
	return mqtt.TopicNameInvalid
}

// resolve sets or looks up a topic alias (MQTT 5 §3.3.2.3.4).
func (c *conn) resolve(alias uint16, name string) (string, error) {
	if int(alias) > c.policy.TopicAliasMaximum {
		return "", &mqtt.Error{Reason: mqtt.TopicAliasInvalid, Text: "PUBLISH: topic alias is above the maximum"}
	}
	if name == "" {
		name = c.aliases[alias]
		if name == "" {
			return "", &mqtt.Error{Reason: mqtt.ProtocolError, Text: "PUBLISH: topic alias is unknown"}
		}
		return name, nil
	}
	if c.aliases == nil {
		c.aliases = make(map[uint16]string)
	}
	c.aliases[alias] = name
	return name, nil
}

func (c *conn) ack(first byte, body []byte) error {
	p, err := mqtt.ParseAck(first, body, c.version)
	if err != nil {
		return err
	}
	if p.Reason.Failed() && (p.Type == mqtt.TypePuback || p.Type == mqtt.TypePubrec) {
		if err := c.endRun(); err != nil {
			return err
		}
		return c.session.Refused(p.ID)
	}
	c.batch.kind = p.Type
	if p.Type == mqtt.TypePubrec || p.Type == mqtt.TypePubrel {
		c.batch.asked++
	}
	c.batch.ws.ids = append(c.batch.ws.ids, p.ID)
	return nil
}

// endRun hands the gathered run to the core.
func (c *conn) endRun() error {
	kind, ws := c.batch.kind, c.batch.ws
	c.batch.kind = 0
	var err error
	switch kind {
	case 0:
		return nil
	case mqtt.TypePublish:
		err = c.publishAll(ws.in)
		clear(ws.in)
		ws.in = ws.in[:0]
		return err
	case mqtt.TypePuback:
		err = c.session.Acked(ws.ids...)
	case mqtt.TypePubrec:
		err = c.session.Received(ws.ids...)
	case mqtt.TypePubrel:
		err = c.session.Release(ws.ids...)
	case mqtt.TypePubcomp:
		err = c.session.Completed(ws.ids...)
	}
	ws.ids = ws.ids[:0]
	if errors.Is(err, broker.ErrUnexpected) {
		return &mqtt.Error{Reason: mqtt.ProtocolError, Text: kind.String() + " answers a message of another QoS"}
	}
	return err
}

func (c *conn) publishAll(in []broker.Inbound) error {
	busy, err := c.session.Publish(c.lastRead, in)
	if busy != nil {
		c.busy = busy
	}
	if c.version == mqtt.V5 && c.session.Receiving() > int(c.policy.ReceiveMaximum) {
		// "The Client MUST NOT send more than Receive Maximum QoS 1 and QoS 2 PUBLISH packets for which it has not received
		// PUBACK, PUBCOMP, or PUBREC with a Reason Code of 128 or greater" [MQTT-3.3.4-7]
		return &mqtt.Error{Reason: mqtt.ReceiveMaximumExceeded, Text: "receive maximum exceeded"}
	}
	return err
}

func (c *conn) subscribe(first byte, body []byte) error {
	p, err := mqtt.ParseSubscribe(first, body, c.version)
	if err != nil {
		return err
	}
	subs := make([]broker.Subscription, len(p.Subscriptions))
	for i, s := range p.Subscriptions {
		if err := topic.ValidFilter(s.Filter); err != nil {
			return filterFault("SUBSCRIBE", err)
		}
		shared := topic.IsShared(s.Filter)
		if shared && s.NoLocal {
			// "It is a Protocol Error to set the No Local bit to 1 on a Shared Subscription" [MQTT-3.8.3-4]
			return &mqtt.Error{Reason: mqtt.ProtocolError, Text: "SUBSCRIBE: no local on a shared subscription"}
		}
		subs[i] = broker.Subscription{Filter: c.mount.Filter(s.Filter), QoS: min(s.QoS, c.policy.qosMax()), NoLocal: s.NoLocal || c.bridge && !shared,
			RetainAsPublished: s.RetainAsPublished || c.bridge, RetainHandling: s.RetainHandling}
		if p.Props.Has(mqtt.PropSubscriptionID) {
			subs[i].ID = p.Props.SubscriptionIDs[0]
		}
	}
	// The pump must not run before SUBACK is among the session's answers, or retained messages could overtake it.
	c.amu.Lock()
	defer c.amu.Unlock()
	codes, err := c.session.Subscribe(time.Now(), subs)
	if err != nil {
		return err
	}
	c.batch.asked += len(codes)
	return c.session.Reply(c.subackPacket(p.ID, codes))
}

// filterFault is what is wrong with a packet that has an invalid filter.
func filterFault(packet string, err error) error {
	reason := mqtt.MalformedPacket
	if errors.Is(err, topic.ErrShare) {
		reason = mqtt.ProtocolError
	}
	return &mqtt.Error{Reason: reason, Text: packet + ": " + err.Error()}
}

func (c *conn) unsubscribe(first byte, body []byte) error {
	p, err := mqtt.ParseUnsubscribe(first, body, c.version)
	if err != nil {
		return err
	}
	for i, f := range p.Filters {
		if err := topic.ValidFilter(f); err != nil {
			return filterFault("UNSUBSCRIBE", err)
		}
		p.Filters[i] = c.mount.Filter(f)
	}
	codes, err := c.session.Unsubscribe(c.lastRead, p.Filters)
	if err != nil {
		return err
	}
	c.batch.asked += len(codes)
	ack := mqtt.Unsuback{ID: p.ID, Codes: codes}
	return c.session.Reply(ack.Append(nil, c.version))
}

func (c *conn) disconnected(first byte, body []byte) error {
	p, err := mqtt.ParseDisconnect(first, body, c.version)
	if err != nil {
		return err
	}
	c.goodbye = &broker.Closing{Lost: p.Reason == mqtt.DisconnectWithWill}
	if p.Props.Has(mqtt.PropSessionExpiry) {
		if p.Props.SessionExpiry > 0 && !c.expires {
			// "If the Session Expiry Interval in the CONNECT packet was zero, then it is a Protocol Error to set a non-zero Session
			// Expiry Interval in the DISCONNECT packet" (MQTT 5 §3.14.2.2.2)
			c.goodbye = nil
			return &mqtt.Error{Reason: mqtt.ProtocolError, Text: "DISCONNECT: session expiry interval where CONNECT had none"}
		}
		keep := c.server.cfg.keep(p.Props.SessionExpiry)
		c.goodbye.SessionExpiry = &keep
	}
	return errDone
}
