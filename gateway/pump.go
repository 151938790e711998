package gateway

import (
	"midge/broker"
	"midge/broker/mqtt"
	"midge/mqttsn"
)

// pump gives the client what it may have now: answers whatever its state, deliveries while it listens, one after the other. PINGRESP
// goes out here and nowhere else.
func (l *link) pump(c *client) {
	if c.s == nil || c.displaced || l.away || !l.answer(c) {
		return
	}
	for {
		if l.flushed(c) {
			l.send(&c.peer, mqttsn.Pingresp{})
			c.pinged = false
			if c.state == Awake {
				l.fallAsleep(c)
			}
		}
		if c.x != nil && c.x.held && l.answer(c) && c.listens() && c.safe(c.x) {
			l.resume(c)
			return
		}
		if c.x != nil || c.own != 0 || !c.receives || !c.listens() {
			return
		}
		if !l.slot(c) {
			return
		}
		n, err := c.s.Next(l.now, l.one[:])
		if err != nil {
			l.takenOver(c)
			return
		}
		if n == 0 {
			return
		}
		out := l.one[0]
		l.one[0] = broker.Outbound{}
		l.put(c, &out)
	}
}

// answer sends the acknowledgements that are safe. It reports false when the session is somebody else's.
func (l *link) answer(c *client) bool {
	for {
		n, err := c.s.Acks(l.acks[:])
		if err != nil {
			l.takenOver(c)
			return false
		}
		for i := range l.acks[:n] {
			l.put(c, &l.acks[i])
		}
		if n < len(l.acks) {
			return true
		}
	}
}

// put sends one thing that the session handed out.
func (l *link) put(c *client, out *broker.Outbound) {
	switch out.Kind {
	case broker.Puback:
		c.answered(out.ID)
		l.sendPuback(&c.peer, mqttsn.Puback{TopicID: c.recall(out.ID), MsgID: out.ID, Code: codeOf(out.Reason)})
	case broker.Pubrec:
		l.putPubrec(c, out)
	case broker.Pubcomp:
		l.send(&c.peer, mqttsn.Pubcomp{MsgID: out.ID})
	case broker.Pubrel:
		l.release(c, out)
	case broker.Publish:
		l.deliver(c, out)
	case broker.Reply:
		l.kept(c, out.Value.(*promise))
	}
}

// putPubrec sends PUBREC, or PUBACK for a refusal: PUBREC has no return code.
func (l *link) putPubrec(c *client, out *broker.Outbound) {
	topicID := c.recall(out.ID)
	c.answered(out.ID)
	if out.Reason.Failed() {
		l.sendPuback(&c.peer, mqttsn.Puback{TopicID: topicID, MsgID: out.ID, Code: codeOf(out.Reason)})
		return
	}
	l.send(&c.peer, mqttsn.Pubrec{MsgID: out.ID})
}

// codeOf says a reason in the four words of MQTT-SN: «later» or «never».
func codeOf(r mqtt.ReasonCode) mqttsn.ReturnCode {
	switch {
	case !r.Failed():
		return mqttsn.Accepted
	case r == mqtt.QuotaExceeded || r == mqtt.ServerBusy || r == mqtt.MessageRateTooHigh || r == mqtt.ReceiveMaximumExceeded:
		return mqttsn.Congestion
	}
	return mqttsn.NotSupported
}
