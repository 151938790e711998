package gateway

import (
	"midge/broker/topic"
	"midge/mqttsn"
)

// register handles a client's REGISTER (§6.5). The same name gets the same id again.
func (l *link) register(c *client, p mqttsn.Register) {
	ack := mqttsn.Regack{MsgID: p.MsgID}
	if topic.ValidName(p.TopicName) != nil {
		l.dropOf(c, InvalidTopic)
		ack.Code = mqttsn.NotSupported
	} else if id, ok := l.tell(c, p.TopicName); ok {
		ack.TopicID = id
		l.promise(c, ack, id)
		l.pump(c)
		return
	} else {
		ack.Code = mqttsn.Congestion
	}
	l.send(&c.peer, ack)
}

// tell returns the id of a name that the client is about to learn. ok is false when its table is full.
func (l *link) tell(c *client, name string) (id uint16, ok bool) {
	id, ok = c.topics.add(name, l.sp.cfg.Limits.TopicIDs)
	if !ok {
		l.dropOf(c, TopicIDsFull)
		l.complain("topic ids of client used up", c.id, "topic", name)
		return 0, false
	}
	l.knows(c, id)
	return id, true
}

// knows takes note that the client knows an id from now on.
func (l *link) knows(c *client, id uint16) {
	e := c.topics.get(id)
	e.refused = false
	if !e.known {
		e.known = true
		l.sp.keepTopic(c, id)
	}
}

// regack handles the answer to the gateway's REGISTER.
func (l *link) regack(c *client, p mqttsn.Regack) {
	x := c.x
	if x == nil || x.phase != registering || p.MsgID != x.regID {
		l.dropOf(c, Unexpected) // a late copy
		return
	}
	e := c.topics.get(x.topicID)
	switch p.Code {
	case mqttsn.Accepted:
		l.knows(c, x.topicID)
		x.phase, x.tries, x.rounds = publishing, 0, 0
		l.transmit(c, x)
	case mqttsn.Congestion:
		l.wait(c, x)
	default:
		// "… the client … rejects the REGISTER: … equals an unsubscribe of that name"; a filter with wildcards stays and the
		// name is kept from the client until it connects again (§6.10).
		e.refused = true
		if _, err := c.s.Unsubscribe(l.now, []string{l.mountOf(c).Name(e.name)}); err != nil {
			l.takenOver(c)
			return
		}
		l.complain("client refuses topic", c.id, "topic", e.name, "reason", p.Code.String())
		c.x = nil
		l.giveUp(c, &x.out, TopicRefused)
	}
	l.pump(c)
}
