package client

import (
	"slices"
	"time"

	"midge/mqttsn"
)

// receivedMax bounds the QoS 2 messages that were reported and not released. A gateway has one on the air at a time; a broken one
// gets no answer beyond the bound.
const receivedMax = 32

// listens reports whether what the gateway sends on its own is for this session, and notes when it comes at the wrong time.
func (c *Client) listens(now time.Time) bool {
	switch c.state {
	case Connecting:
		// CONNACK may be lost or late. What a session that goes on sends is good; after a clean start it is stale.
		p, ok := c.lanes[laneConnect].packet.(mqttsn.Connect)
		return ok && !p.CleanSession
	case Awake:
		c.postpone(now, lanePing) // the flush is under way: PINGREQ need not be repeated
	case Asleep:
		c.counters.WhileAsleep++
	}
	return true
}

// message handles PUBLISH.
func (c *Client) message(now time.Time, p mqttsn.Publish) bool {
	name, known := c.topicName(p)
	if !known {
		// "the receiver … informs the sender", at any QoS (§5.4.13); QoS 2 has no other refusal either.
		c.send(now, mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID, Code: mqttsn.InvalidTopicID})
		return true
	}
	switch p.QoS {
	case mqttsn.QoSMinusOne:
		return false // only clients publish without a session
	case mqttsn.AtLeastOnce:
		if p.Dup && p.MsgID == c.lastQoS1 {
			c.counters.Duplicates++
		}
		c.lastQoS1 = p.MsgID
		c.send(now, mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID})
	case mqttsn.ExactlyOnce:
		if slices.Contains(c.received, p.MsgID) {
			c.counters.Duplicates++
			c.send(now, mqttsn.Pubrec{MsgID: p.MsgID})
			return true
		}
		if len(c.received) == receivedMax {
			return false
		}
		c.received = append(c.received, p.MsgID)
		c.send(now, mqttsn.Pubrec{MsgID: p.MsgID})
	}
	c.counters.Messages++
	c.emit(Message{Topic: name, TopicID: p.TopicID, Kind: p.TopicIDType, QoS: p.QoS, Retain: p.Retain, Dup: p.Dup,
		Payload: append([]byte(nil), p.Data...)})
	return true
}

// topicName is the name of a message's topic. A predefined id without a name is known too: the client subscribed to it.
func (c *Client) topicName(p mqttsn.Publish) (name string, known bool) {
	switch p.TopicIDType {
	case mqttsn.Short:
		return mqttsn.ShortName(p.TopicID), true
	case mqttsn.Predefined:
		return c.cfg.Predefined[p.TopicID], true
	}
	name, known = c.names[p.TopicID]
	return name, known
}

// pubrel releases the MsgId of a QoS 2 message. One that is not known gets PUBCOMP as well, or the gateway would ask for ever.
func (c *Client) pubrel(now time.Time, p mqttsn.Pubrel) bool {
	if i := slices.Index(c.received, p.MsgID); i >= 0 {
		c.received = slices.Delete(c.received, i, i+1)
	} else {
		c.counters.Duplicates++
	}
	c.send(now, mqttsn.Pubcomp{MsgID: p.MsgID})
	return true
}
