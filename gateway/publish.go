package gateway

import (
	"cmp"
	"errors"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/broker/topic"
	"midge/mqttsn"
	"midge/transports"
)

// receivePublish handles PUBLISH. It allocates nothing but the message.
func (l *link) receivePublish(c *client, addr transports.Addr, node []byte, wrapped bool, raw []byte) {
	p, err := mqttsn.DecodePublish(raw)
	if err != nil {
		l.malformed(c, addr, err)
		return
	}
	if l.debug {
		l.log.Debug("packet in", "peer", l.format(addr), "packet", p.String())
	}
	if p.QoS == mqttsn.QoSMinusOne {
		l.publishAnonymous(c, &peer{addr, string(node), wrapped}, &p)
		return
	}
	if c == nil || !c.connected() && c.prompt == nil {
		l.unknown(c, peer{addr, string(node), wrapped})
		return
	}
	c.heard = l.t
	if c.prompt == nil {
		l.publish(c, &p)
	} else if l.setAside(c) {
		l.publish(c, &p)
		l.pump(c)
	}
}

// publish hands a client's message to the broker (§6.6). PUBACK or PUBREC comes out of the session when it is safe.
func (l *link) publish(c *client, p *mqttsn.Publish) {
	// A repetition of what was taken, on another link perhaps, is answered whatever holds now, or the device would publish it again.
	taken := p.QoS == mqttsn.ExactlyOnce && c.s.HasReceived(p.MsgID)
	if int(p.QoS) > l.cfg.MaxQoS && !taken {
		l.dropOf(c, QoSTooHigh)
		l.sendPuback(&c.peer, mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID, Code: mqttsn.NotSupported})
		return
	}
	name, ok := l.topicOf(c, p.TopicIDType, p.TopicID)
	if !ok && !taken {
		// "rejected: invalid topic ID … the client … has to re-register" (§6.6), at every QoS.
		l.dropOf(c, InvalidTopic)
		if p.TopicIDType == mqttsn.Predefined {
			l.unknownPredefined(c, p.TopicID)
		}
		l.sendPuback(&c.peer, mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID, Code: mqttsn.InvalidTopicID})
		return
	}
	if p.Dup && p.QoS == mqttsn.AtLeastOnce && (c.awaits(p.MsgID) || l.owesPuback(c, p)) {
		l.dropOf(c, Unexpected)
		return // the answer to the first comes when that is safe, and there is room
	}
	if c.state == Asleep {
		l.counters.asleep++
	}
	name = l.mountOf(c).Name(name)
	c.in++
	c.lastTopic = name
	c.lastValue = append(c.lastValue[:0], p.Data[:min(len(p.Data), lastValueMax)]...)
	if p.QoS > mqttsn.AtMostOnce {
		c.remember(p.MsgID, p.TopicID)
		c.answerFirst(l.t, p.MsgID)
	}
	l.in[0] = broker.Inbound{ID: p.MsgID, Message: newMessage(name, p)}
	busy, err := c.s.Publish(l.now, l.in[:])
	l.in[0].Message = nil
	if err != nil {
		l.takenOver(c)
		return
	}
	if busy != nil {
		l.busy = busy
	}
	l.pump(c)
	if c.own != 0 {
		l.schedule(c)
	}
}

// capped is the QoS of a subscription or a will, no higher than the link allows.
func (l *link) capped(q mqttsn.QoS) mqtt.QoS { return mqtt.QoS(min(int(q), l.cfg.MaxQoS)) }

// topicOf returns the topic name that PUBLISH means; ok is false when the id is not known or the short name is no topic name.
func (l *link) topicOf(c *client, t mqttsn.TopicIDType, id uint16) (name string, ok bool) {
	switch t {
	case mqttsn.Normal:
		e := c.topics.get(id)
		if e == nil {
			return "", false
		}
		e.known = true // it uses the id
		return e.name, true
	case mqttsn.Predefined:
		return l.sp.predefined.name(c.id, l.name, id)
	}
	return shortName(id)
}

func shortName(id uint16) (name string, ok bool) {
	name = mqttsn.ShortName(id)
	return name, topic.ValidName(name) == nil
}

// Messages with room for the payload: one allocation instead of two.
type (
	smallMessage struct { // most sensors'
		broker.Message
		room [32]byte
	}
	mediumMessage struct { // a whole frame of most radios
		broker.Message
		room [96]byte
	}
)

// newMessage copies what p says into a message, which is immutable from then on.
func newMessage(name string, p *mqttsn.Publish) *broker.Message {
	m := emptyMessage(len(p.Data))
	copy(m.Payload, p.Data)
	m.Topic, m.Retain = name, p.Retain
	if p.QoS > mqttsn.AtMostOnce {
		m.QoS = mqtt.QoS(p.QoS)
	}
	return m
}

// emptyMessage is a message with a payload of n octets.
func emptyMessage(n int) *broker.Message {
	switch {
	case n <= len(smallMessage{}.room):
		m := new(smallMessage)
		m.Payload = m.room[:n:n]
		return &m.Message
	case n <= len(mediumMessage{}.room):
		m := new(mediumMessage)
		m.Payload = m.room[:n:n]
		return &m.Message
	}
	return &broker.Message{Payload: make([]byte, n)}
}

// publishAnonymous handles PUBLISH at QoS −1, from whomever it comes: it is nobody's session and is never answered (§6.8). c is the client at that
// address, or nil.
func (l *link) publishAnonymous(c *client, from *peer, p *mqttsn.Publish) {
	if !l.sp.cfg.QoSMinusOne {
		l.drop(QoSMinusOneOff)
		return
	}
	id, user := l.speaker(c, from)
	name, data, ok := l.anonymousTopic(id, p)
	if !ok {
		l.drop(InvalidTopic)
		who := l.formatPeer(from)
		l.warn(who, "message at QoS -1 under a topic that is not known", "peer", who, "type", p.TopicIDType.String(), "topic_id", p.TopicID)
		return
	}
	l.counters.qosMinusOne++
	q := *p
	q.Data = data
	l.in[0] = broker.Inbound{Message: newMessage(l.mount(id, user).Name(name), &q)}
	defer func() { l.in[0].Message = nil }()
	for range 2 { // a second time if somebody has taken the session over
		if l.anonymous == nil && !l.openAnonymous() {
			return
		}
		busy, err := l.anonymous.Publish(l.now, l.in[:])
		if errors.Is(err, broker.ErrTakenOver) {
			l.anonymous = nil
			continue
		}
		if busy != nil {
			l.busy = busy
		}
		return
	}
}

// speaker is whose predefined topics and mount count for what is published at QoS −1: the client at that address, or the one that LinkConfig.ClientAddresses has
// there; "" for nobody known.
func (l *link) speaker(c *client, from *peer) (id, user string) {
	switch {
	case c != nil:
		return c.id, c.user
	case len(l.allow.bound) > 0:
		return l.allow.clientAt(l.format(from.addr), from), ""
	}
	return "", ""
}

// anonymousTopic returns topic and payload. Only predefined and short topics mean something without a session; with
// InlineTopics so does the name before the data.
func (l *link) anonymousTopic(id string, p *mqttsn.Publish) (name string, data []byte, ok bool) {
	switch p.TopicIDType {
	case mqttsn.Predefined:
		name, ok = l.sp.predefined.name(cmp.Or(id, "*"), l.name, p.TopicID)
		return name, p.Data, ok
	case mqttsn.Short:
		name, ok = shortName(p.TopicID)
		return name, p.Data, ok
	}
	if !l.sp.cfg.InlineTopics {
		return "", nil, false
	}
	name, data, ok = mqttsn.InlineTopic(*p)
	return name, data, ok && topic.ValidName(name) == nil
}

// openAnonymous opens the session that QoS −1 publishes on this link belong to.
func (l *link) openAnonymous() bool {
	s, _, err := l.sp.b.Open(l.now, broker.Options{ClientID: "$sn/" + l.name, Access: l.sp.cfg.Access("", "$sn/"+l.name), Protocol: Protocol, CleanStart: true, Wakes: &l.sp.wakes})
	if err != nil {
		l.drop(Congested)
		return false
	}
	l.anonymous = s
	return true
}
