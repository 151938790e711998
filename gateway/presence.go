package gateway

import (
	"midge/broker"
	"midge/broker/mqtt"
	"midge/broker/topic"
)

// showState publishes what has become of a client, retained, for whoever wants to know where its devices are: one word, active, asleep, lost or disconnected. To be
// awake is a moment of sleep and nothing to tell of. QoS 1, so that it reaches a central broker that is away just now.
func (l *link) showState(c *client) {
	s := c.state
	if s == Awake {
		s = Asleep
	}
	if l.sp.cfg.StateTopic == nil || c.shownState == uint8(s)+1 {
		return
	}
	c.shownState = uint8(s) + 1
	l.sayState(c, s.String())
}

// hideState takes back what was published of a client that is forgotten.
func (l *link) hideState(c *client) {
	if c.shownState != 0 && l.sp.cfg.StateTopic != nil {
		c.shownState = 0
		l.sayState(c, "")
	}
}

func (l *link) sayState(c *client, word string) {
	name := l.sp.cfg.StateTopic(c.id)
	if topic.ValidName(name) != nil {
		l.complain("state of client is not published: its client id cannot stand in a topic", c.id, "topic", name)
		return
	}
	l.sp.b.Say(l.now, &l.sp.wakes, &broker.Message{Topic: name, Payload: []byte(word), QoS: mqtt.AtLeastOnce, Retain: true})
}
