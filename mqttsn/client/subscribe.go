package client

import (
	"time"

	"midge/mqttsn"
)

// subscription is a SUBSCRIBE or UNSUBSCRIBE to send; they share one lane (§6.9).
type subscription struct {
	token  Token
	topic  Topic
	qos    mqttsn.QoS
	cancel bool
	msgID  uint16
}

func (s subscription) packet() mqttsn.Packet {
	if s.cancel {
		return mqttsn.Unsubscribe{TopicIDType: s.topic.Type, MsgID: s.msgID, TopicID: s.topic.ID, TopicName: s.topic.Name}
	}
	return mqttsn.Subscribe{QoS: s.qos, TopicIDType: s.topic.Type, MsgID: s.msgID, TopicID: s.topic.ID, TopicName: s.topic.Name}
}

// Subscribe asks for the messages of a topic, or of a filter by Named.
func (c *Client) Subscribe(now time.Time, topic Topic, qos mqttsn.QoS) (Token, error) {
	if qos < mqttsn.AtMostOnce || qos > mqttsn.ExactlyOnce {
		return 0, ErrQoS
	}
	return c.subscribe(now, subscription{topic: topic, qos: qos})
}

// Unsubscribe takes a subscription back.
func (c *Client) Unsubscribe(now time.Time, topic Topic) (Token, error) {
	return c.subscribe(now, subscription{topic: topic, cancel: true})
}

func (c *Client) subscribe(now time.Time, s subscription) (Token, error) {
	var err error
	if s.token, err = c.admit(s.packet()); err != nil {
		return 0, err
	}
	c.subs = append(c.subs, s)
	c.pump(now)
	return s.token, nil
}

func (c *Client) pumpSubscribe(now time.Time) {
	if len(c.subs) == 0 || c.lanes[laneSubscribe].open {
		return
	}
	c.subs[0].msgID = c.nextMsgID()
	c.begin(now, laneSubscribe, c.subs[0].packet())
}

// answered ends the head of the queue if the answer is meant for it.
func (c *Client) answered(msgID uint16, cancel bool) (subscription, bool) {
	if !c.lanes[laneSubscribe].open || c.subs[0].msgID != msgID || c.subs[0].cancel != cancel {
		return subscription{}, false
	}
	c.end(laneSubscribe)
	return c.subs[0], true
}

func (c *Client) suback(now time.Time, p mqttsn.Suback) bool {
	s, ok := c.answered(p.MsgID, false)
	if !ok {
		return false
	}
	if p.Code == mqttsn.Congestion {
		c.hold(now)
		return true
	}
	c.subs = c.subs[1:]
	if p.Code == mqttsn.Accepted && s.topic.Type == mqttsn.Normal {
		c.learn(p.TopicID, s.topic.Name) // a filter with wildcards has id 0, which is not learnt
	}
	c.emit(Subscribed{Token: s.token, QoS: p.QoS, TopicID: p.TopicID, Code: p.Code})
	return true
}

func (c *Client) unsuback(p mqttsn.Unsuback) bool {
	s, ok := c.answered(p.MsgID, true)
	if !ok {
		return false
	}
	c.subs = c.subs[1:]
	c.emit(Unsubscribed{Token: s.token})
	return true
}
