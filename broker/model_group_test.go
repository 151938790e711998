package broker

import (
	"slices"
	"time"

	"midge/broker/mqtt"
	"midge/broker/topic"
)

// modelGroup is a group as one would explain it.
type modelGroup struct {
	filter  string
	members []*modelClient
	next    int
	backlog []modelCopy
}

// modelCopy is a message in the queue of a client. group is the one that lent it, nil for others.
type modelCopy struct {
	Outbound
	group *modelGroup
}

func (g *modelGroup) qos() (q mqtt.QoS) {
	for _, c := range g.members {
		q = max(q, c.subs[g.filter].QoS)
	}
	return q
}

func (m *model) join(now time.Time, c *modelClient, s Subscription) {
	g := m.groups[s.Filter]
	if g == nil {
		g = &modelGroup{filter: s.Filter}
		m.groups[s.Filter] = g
	}
	if _, had := c.subs[s.Filter]; !had {
		g.members = append(g.members, c)
		c.groups = append(c.groups, g)
	}
	c.subs[s.Filter] = s
	m.feed(now, g)
}

// leaveGroup has a client that ends give back what it was sent at QoS 1 too.
func (m *model) leaveGroup(now time.Time, c *modelClient, g *modelGroup, ends bool) {
	i := slices.Index(g.members, c)
	g.members = slices.Delete(g.members, i, i+1)
	if g.next > i {
		g.next--
	}
	c.groups = slices.DeleteFunc(c.groups, func(other *modelGroup) bool { return other == g })
	m.recall(now, c, g)
	for i := range c.flight {
		f := &c.flight[i]
		if ends && f.out.group == g && f.out.QoS == 1 && len(g.members) > 0 {
			m.giveBack(now, g, f.out)
		}
		if f.out.group == g {
			f.out.group = nil
		}
	}
	if len(g.members) == 0 {
		delete(m.groups, g.filter)
		return
	}
	m.feed(now, g)
}

func (m *model) recallAll(now time.Time, c *modelClient) {
	for _, g := range c.groups {
		m.recall(now, c, g)
		m.feed(now, g)
	}
}

func (m *model) recall(now time.Time, c *modelClient, g *modelGroup) {
	all := c.queue
	c.queue = nil
	var back []modelCopy
	for _, q := range all {
		if q.group == g {
			back = append(back, q)
		} else {
			c.queue = append(c.queue, q)
		}
	}
	for _, q := range back {
		if len(g.members) > 0 {
			m.giveBack(now, g, q)
		}
	}
}

func (m *model) giveBack(now time.Time, g *modelGroup, q modelCopy) {
	if min(q.Message.QoS, g.qos()) > 0 {
		g.backlog = append(g.backlog, q)
	} else if c := m.pick(now, g, q.Message); c != nil {
		m.lend(now, g, c, q.Message)
	} else {
		m.shareQoS0(now, g, q.Message)
	}
}

func (m *model) share(now time.Time, g *modelGroup, msg *Message) {
	qos := min(msg.QoS, g.qos())
	if len(g.backlog) == 0 || qos == 0 {
		if c := m.pick(now, g, msg); c != nil {
			m.lend(now, g, c, msg)
			return
		}
	}
	switch {
	case qos == 0:
		m.shareQoS0(now, g, msg)
	case len(g.backlog) < m.queueMax:
		g.backlog = append(g.backlog, modelCopy{Outbound: Outbound{Message: msg}})
		m.feed(now, g)
	}
}

func (m *model) shareQoS0(now time.Time, g *modelGroup, msg *Message) {
	for range g.members {
		c := g.members[g.next%len(g.members)]
		g.next = (g.next + 1) % len(g.members)
		if c.connected && len(c.queue) < m.queueMax {
			m.lend(now, g, c, msg)
			return
		}
	}
}

// pick returns the first from the member whose turn it is that has nothing to do, or else the first that has room.
func (m *model) pick(now time.Time, g *modelGroup, msg *Message) *modelClient {
	found := -1
	for i := range g.members {
		at := (g.next + i) % len(g.members)
		c := g.members[at]
		if !m.hasRoom(now, g, c, msg) {
			continue
		}
		if idle := len(c.queue) == 0; idle || found < 0 {
			found = at
			if idle {
				break
			}
		}
	}
	if found < 0 {
		return nil
	}
	g.next = (found + 1) % len(g.members)
	return g.members[found]
}

func (m *model) hasRoom(now time.Time, g *modelGroup, c *modelClient, msg *Message) bool {
	stalled := len(c.queue) > 0 && now.Sub(c.prompt) >= time.Second
	full := len(c.flight)+len(c.queue) >= c.rmax && min(msg.QoS, c.subs[g.filter].QoS) > 0
	return c.connected && !c.resting && !stalled && !full && len(c.queue) < m.queueMax
}

func (m *model) lend(now time.Time, g *modelGroup, c *modelClient, msg *Message) {
	if len(c.queue) == 0 {
		c.prompt = now
	}
	s := c.subs[g.filter]
	q := modelCopy{Outbound{Message: msg, QoS: min(msg.QoS, s.QoS), Retain: msg.Retain && s.RetainAsPublished}, g}
	if s.ID != 0 {
		q.SubscriptionIDs = []uint32{s.ID}
	}
	c.queue = append(c.queue, q)
}

// feed lends the backlog to whoever has room.
func (m *model) feed(now time.Time, g *modelGroup) {
	for len(g.backlog) > 0 {
		msg := g.backlog[0].Message
		c := m.pick(now, g, msg)
		if c == nil && !msg.expired(now) {
			return
		}
		g.backlog = g.backlog[1:]
		if !msg.expired(now) {
			m.lend(now, g, c, msg)
		}
	}
}

// takeShares moves what a client has room for from the backlogs of its groups.
func (m *model) takeShares(now time.Time, c *modelClient) (any bool) {
	for _, g := range c.groups {
		for len(g.backlog) > 0 {
			msg := g.backlog[0].Message
			if !msg.expired(now) && !m.hasRoom(now, g, c, msg) {
				break
			}
			g.backlog = g.backlog[1:]
			if !msg.expired(now) {
				m.lend(now, g, c, msg)
				any = true
			}
		}
	}
	return any
}

// groupOf returns the only group whose filter matches a name; the test's filters see to it.
func (m *model) groupOf(name string) *modelGroup {
	for filter, g := range m.groups {
		if plain, _ := topic.Unshared(filter); topic.Match(plain, name) {
			return g
		}
	}
	return nil
}
