package gateway

import (
	"midge/broker"
	"midge/broker/topic"
	"midge/mqttsn"
)

// subscribe handles SUBSCRIBE (§6.9). SUBACK goes out before the retained messages that it lets in.
func (l *link) subscribe(c *client, p mqttsn.Subscribe) {
	ack := mqttsn.Suback{MsgID: p.MsgID}
	var filter string
	if filter, ack.Code = l.filterOf(c, p.TopicIDType, p.TopicID, p.TopicName); ack.Code == mqttsn.Accepted && p.QoS < 0 {
		ack.Code = mqttsn.NotSupported
	}
	if ack.Code != mqttsn.Accepted {
		l.dropOf(c, InvalidTopic)
		if p.TopicIDType == mqttsn.Predefined {
			l.unknownPredefined(c, p.TopicID)
		}
		l.send(&c.peer, ack)
		return
	}
	var given uint16
	switch {
	case p.TopicIDType == mqttsn.Predefined:
		ack.TopicID = p.TopicID
	case p.TopicIDType == mqttsn.Normal && !topic.HasWildcard(filter):
		name, _ := topic.Unshared(filter)
		id, ok := l.tell(c, name)
		if given = id; !ok {
			ack.Code = mqttsn.Congestion
			l.send(&c.peer, ack)
			return
		}
		ack.TopicID = id
	}
	sub := broker.Subscription{Filter: l.mountOf(c).Filter(filter), QoS: l.capped(p.QoS)}
	if p.Dup && p.MsgID == c.lastSub {
		sub.RetainHandling = 1 // what the first one has let in is on its way; if that was lost, this is the first
	}
	c.lastSub = p.MsgID
	reasons, err := c.s.Subscribe(l.now, []broker.Subscription{sub})
	if err != nil {
		l.takenOver(c)
		return
	}
	if r := reasons[0]; r.Failed() {
		ack.Code, ack.TopicID = codeOf(r), 0
	} else {
		ack.QoS = mqttsn.QoS(r)
		c.receives = true
		l.sp.keep(c)
	}
	l.promise(c, ack, given)
	l.pump(c)
}

// unsubscribe handles UNSUBSCRIBE. UNSUBACK has no return code and is sent whether or not there was a subscription.
func (l *link) unsubscribe(c *client, p mqttsn.Unsubscribe) {
	filter, code := l.filterOf(c, p.TopicIDType, p.TopicID, p.TopicName)
	if code == mqttsn.Accepted {
		if _, err := c.s.Unsubscribe(l.now, []string{l.mountOf(c).Filter(filter)}); err != nil {
			l.takenOver(c)
			return
		}
	} else {
		l.dropOf(c, InvalidTopic)
	}
	l.promise(c, mqttsn.Unsuback{MsgID: p.MsgID}, 0)
	l.pump(c)
}

// filterOf returns the filter that SUBSCRIBE or UNSUBSCRIBE means. Two octets with the type of a name are a name and not an id. Wildcards
// are for names only: in two octets, or behind an id, they make no sense.
func (l *link) filterOf(c *client, t mqttsn.TopicIDType, id uint16, name string) (filter string, code mqttsn.ReturnCode) {
	ok := true
	switch t {
	case mqttsn.Predefined:
		filter, ok = l.sp.predefined.name(c.id, l.name, id)
	case mqttsn.Short:
		filter, ok = shortName(id)
	default:
		if topic.ValidFilter(name) != nil {
			return "", mqttsn.NotSupported
		}
		return name, mqttsn.Accepted
	}
	if !ok {
		return "", mqttsn.InvalidTopicID
	}
	return filter, mqttsn.Accepted
}
