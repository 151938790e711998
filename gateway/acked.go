package gateway

import (
	"midge/broker"
	"midge/broker/mqtt"
	"midge/mqttsn"
)

// puback handles a client's PUBACK: the end of a delivery at QoS 1, or the refusal of one at any QoS.
func (l *link) puback(c *client, p mqttsn.Puback) {
	x := c.x
	if p.MsgID == 0 {
		l.refusedQoS0(c, p)
		return
	}
	if x == nil || x.phase != publishing || p.MsgID != x.out.ID || p.Code == mqttsn.Accepted && x.out.QoS != mqtt.AtLeastOnce {
		l.dropOf(c, Unexpected) // a late copy, or the answer to something else
		return
	}
	switch {
	case p.Code == mqttsn.Accepted:
		c.x = nil
		if c.s.Acked(p.MsgID) != nil {
			l.takenOver(c)
			return
		}
	case p.Code == mqttsn.Congestion:
		l.wait(c, x)
	case p.Code == mqttsn.InvalidTopicID && l.correct(c, x):
	case p.Code == mqttsn.NotSupported && x.dup:
		// RIOT's emcute refuses every PUBLISH with DUP. It may have missed the first one, so it gets it once more without.
		x.plain, x.tries = true, 0
		l.transmit(c, x)
		l.schedule(c)
	case x.doubts < doubtsMax && (p.Code == mqttsn.NotSupported && x.plain || p.Code == mqttsn.InvalidTopicID && x.corrected):
		x.doubts++ // it may be a copy of the refusal that was mended: the timer asks again
	default:
		l.complain("client refuses message", c.id, "topic", x.out.Message.Topic, "reason", p.Code.String())
		c.x = nil
		l.giveUp(c, &x.out, ClientRefused)
	}
	l.pump(c)
}

// doubtsMax is how many refusals of a PUBLISH that is sent otherwise for the first refusal's sake may be copies of that.
const doubtsMax = 2

// correct answers «invalid topic id» with REGISTER and, after REGACK, the same PUBLISH: once a delivery. A predefined or short topic
// that the client does not know becomes a registered one. It reports false when there is nothing to correct any more.
func (l *link) correct(c *client, x *exchange) bool {
	if x.corrected {
		return false
	}
	if x.kind == mqttsn.Normal {
		c.topics.get(x.topicID).known = false
	}
	if _, ok := l.byNewEntry(c, x); !ok {
		return false
	}
	x.corrected, x.tries, x.regID = true, 0, 0
	l.transmit(c, x)
	l.schedule(c)
	return true
}

// refusedQoS0 handles «invalid topic id» for a PUBLISH at QoS 0, which is gone: the next one is registered anew.
func (l *link) refusedQoS0(c *client, p mqttsn.Puback) {
	if e := c.topics.get(p.TopicID); e != nil && p.Code == mqttsn.InvalidTopicID {
		e.known = false
	}
	if p.Code != mqttsn.Accepted {
		l.dropOf(c, ClientRefused)
	}
}

// pubrec handles PUBREC: the message is the client's, PUBREL follows.
func (l *link) pubrec(c *client, p mqttsn.Pubrec) {
	if c.takenUp && !c.resent && c.s.Waiting() > 0 {
		// It answers what was sent before a restart, and the broker will hand that out again: PUBREL now would end it for the client, and the repetition
		// would be a second message.
		l.dropOf(c, Unexpected)
		return
	}
	if c.s.Received(p.MsgID) != nil {
		l.takenOver(c)
		return
	}
	l.pump(c) // PUBREL comes out with the acknowledgements
}

// release sends PUBREL. One for an exchange that is not open here, after a reconnect or for an id that nobody knows, is sent all the same:
// the client waits for it.
func (l *link) release(c *client, out *broker.Outbound) {
	c.resent = true
	switch x := c.x; {
	case x != nil && x.out.ID == out.ID && x.out.QoS == mqtt.ExactlyOnce:
		x.phase, x.tries = releasing, 0
		l.transmit(c, x)
		l.schedule(c)
	case x == nil && !out.Reason.Failed():
		c.x = &exchange{out: broker.Outbound{Kind: broker.Pubrel, ID: out.ID, QoS: mqtt.ExactlyOnce}, phase: releasing}
		l.transmit(c, c.x)
		l.schedule(c)
	default:
		l.send(&c.peer, mqttsn.Pubrel{MsgID: out.ID})
	}
}

// pubcomp handles PUBCOMP: the end of a delivery at QoS 2.
func (l *link) pubcomp(c *client, p mqttsn.Pubcomp) {
	if x := c.x; x != nil && x.phase == releasing && x.out.ID == p.MsgID {
		c.x = nil
	}
	if c.s.Completed(p.MsgID) != nil {
		l.takenOver(c)
		return
	}
	l.pump(c)
}

// pubrel handles the client's PUBREL for what it has published at QoS 2.
func (l *link) pubrel(c *client, p mqttsn.Pubrel) {
	if c.s.Release(p.MsgID) != nil {
		l.takenOver(c)
		return
	}
	l.pump(c)
}
