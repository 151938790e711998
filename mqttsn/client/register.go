package client

import (
	"time"

	"midge/mqttsn"
)

// registration is a REGISTER to send. Token is 0 when a publish needs it.
type registration struct {
	token Token
	name  string
	msgID uint16
}

// Register asks the gateway for the id of a name. Publish does so by itself.
func (c *Client) Register(now time.Time, name string) (Token, error) {
	token, err := c.admit(mqttsn.Register{TopicName: name})
	if err != nil {
		return 0, err
	}
	c.regs = append(c.regs, registration{token: token, name: name})
	c.pump(now)
	return token, nil
}

// TopicID returns the id that the session has for a name.
func (c *Client) TopicID(name string) (id uint16, ok bool) {
	id, ok = c.ids[name]
	return id, ok
}

func (c *Client) pumpRegister(now time.Time) {
	if len(c.regs) > 0 {
		c.register(now, c.regs[0])
	}
}

// register sends REGISTER unless one is on the air.
func (c *Client) register(now time.Time, r registration) {
	if c.lanes[laneRegister].open {
		return
	}
	r.msgID = c.nextMsgID()
	c.reg = r
	c.begin(now, laneRegister, mqttsn.Register{MsgID: r.msgID, TopicName: r.name})
}

func (c *Client) regack(now time.Time, p mqttsn.Regack) bool {
	if !c.lanes[laneRegister].open || c.reg.msgID != p.MsgID {
		return false
	}
	c.end(laneRegister)
	if p.Code == mqttsn.Congestion {
		c.hold(now) // an explicit request is still in its queue, and a publish will ask again
		return true
	}
	if p.Code == mqttsn.Accepted && !c.learn(p.TopicID, c.reg.name) {
		p.Code = mqttsn.InvalidTopicID
	}
	if c.reg.token != 0 {
		c.regs = c.regs[1:]
	}
	c.emit(Registered{Token: c.reg.token, Name: c.reg.name, ID: p.TopicID, Code: p.Code})
	if p.Code != mqttsn.Accepted && len(c.pubs) > 0 && c.pubs[0].topic == Named(c.reg.name) {
		c.refused(p.Code)
	}
	return true
}

// registerFromGateway notes the id that the gateway gave to a name which matches a filter (§6.10).
func (c *Client) registerFromGateway(now time.Time, p mqttsn.Register) bool {
	ack := mqttsn.Regack{TopicID: p.TopicID, MsgID: p.MsgID}
	switch _, known := c.names[p.TopicID]; {
	case p.TopicID == mqttsn.NoTopicID || p.TopicID == mqttsn.ReservedTopicID:
		ack.Code = mqttsn.InvalidTopicID
	case !known && len(c.names) >= c.cfg.TopicsMax:
		ack.Code = mqttsn.Congestion
	default:
		c.learn(p.TopicID, p.TopicName)
		c.emit(Registered{Name: p.TopicName, ID: p.TopicID})
	}
	c.send(now, ack)
	return true
}

// learn ties name and id, taking both from whatever they were tied to. It refuses reserved ids.
func (c *Client) learn(id uint16, name string) bool {
	if id == mqttsn.NoTopicID || id == mqttsn.ReservedTopicID {
		return false
	}
	c.unlearn(id)
	if old, ok := c.ids[name]; ok {
		c.unlearn(old)
	}
	c.ids[name], c.names[id] = id, name
	return true
}

func (c *Client) unlearn(id uint16) {
	if name, ok := c.names[id]; ok {
		delete(c.ids, name)
		delete(c.names, id)
	}
}
