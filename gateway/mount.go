package gateway

import "midge/broker/topic"

// mount stands in front of the topics of a client of this link: devices and the topic ids that they are given know nothing of it. Who publishes at QoS −1 without
// a connection has neither id nor user.
func (l *link) mount(clientID, user string) topic.Mount {
	return topic.MountFor(l.cfg.MountPoint, clientID, user)
}

func (l *link) mountOf(c *client) topic.Mount { return l.mount(c.id, c.user) }

// nameOf is the topic of x as c knows it.
func (l *link) nameOf(c *client, x *exchange) string { return l.mountOf(c).Strip(x.out.Message.Topic) }
