package broker

import (
	"slices"
	"time"

	"midge/broker/mqtt"
	"midge/broker/topic"
)

// model is the core as one would explain it: slices that are searched from the front, and nothing kept that can be worked out. Bounds other than
// QueueMessages are out of its sight.
type model struct {
	queueMax int
	clients  map[string]*modelClient
	retained map[string]*Message
	groups   map[string]*modelGroup
}

type modelClient struct {
	id        string
	connected bool
	expiry    uint32
	rmax      int
	will      *Will
	willAt    time.Time
	endAt     time.Time
	subs      map[string]Subscription
	acks      []Outbound
	queue     []modelCopy
	groups    []*modelGroup
	resting   bool
	prompt    time.Time // when it last pulled, or had nothing to pull
	flight    []modelFlight
	received  map[uint16]bool
	lastID    uint16
}

type modelFlight struct {
	out      modelCopy
	released bool
	given    bool // on this connection
}

func newModel(queueMax int) *model {
	return &model{queueMax: queueMax, clients: make(map[string]*modelClient), retained: make(map[string]*Message), groups: make(map[string]*modelGroup)}
}

func (m *model) open(now time.Time, o Options) (present bool) {
	c := m.clients[o.ClientID]
	if c != nil {
		if c.connected {
			m.leave(now, c, true, true)
		} else {
			m.expireOne(now, c)
		}
		if o.CleanStart {
			m.end(now, c)
		}
	}
	c = m.clients[o.ClientID]
	present = c != nil
	if c == nil {
		c = &modelClient{id: o.ClientID, subs: make(map[string]Subscription), received: make(map[uint16]bool)}
		m.clients[o.ClientID] = c
	}
	c.resting, c.prompt = false, now
	c.connected, c.expiry, c.will, c.willAt, c.endAt = true, o.SessionExpiry, o.Will, time.Time{}, time.Time{}
	if c.rmax = int(o.ReceiveMaximum); c.rmax == 0 {
		c.rmax = 65535
	}
	for i := range c.flight {
		f := &c.flight[i]
		f.given = f.released
		if f.released {
			c.acks = append(c.acks, Outbound{Kind: Pubrel, ID: f.out.ID})
		}
	}
	for _, g := range c.groups {
		m.feed(now, g)
	}
	return present
}

// leave ends a connection, by Close or by another front end.
func (m *model) leave(now time.Time, c *modelClient, lost, takenOver bool) {
	c.connected, c.acks = false, nil
	m.recallAll(now, c)
	c.queue = slices.DeleteFunc(c.queue, func(q modelCopy) bool { return q.QoS == 0 })
	if !lost {
		c.will = nil
	}
	if c.will != nil && c.will.Delay == 0 {
		m.publishWill(now, c)
	}
	if c.expiry == 0 {
		m.end(now, c)
		return
	}
	if c.will != nil && !takenOver {
		c.willAt = now.Add(c.will.Delay)
	}
	if c.expiry != Never {
		c.endAt = now.Add(time.Duration(c.expiry) * time.Second)
	}
}

func (m *model) publishWill(now time.Time, c *modelClient) {
	msg := *c.will.Message
	if c.will.Expiry > 0 {
		msg.Expires = now.Add(c.will.Expiry)
	}
	c.will, c.willAt = nil, time.Time{}
	m.distribute(now, c.id, &msg)
}

func (m *model) end(now time.Time, c *modelClient) {
	if m.clients[c.id] != c {
		return
	}
	if c.will != nil {
		m.publishWill(now, c)
	}
	delete(m.clients, c.id)
	for len(c.groups) > 0 {
		m.leaveGroup(now, c, c.groups[0], true)
	}
}

// expire does what is due in the order of the times at which it is due; what is due at the same time may come in any order, which the test avoids.
func (m *model) expire(now time.Time) {
	for {
		var first *modelClient
		for _, c := range m.clients {
			if at := c.due(); !at.IsZero() && !now.Before(at) && (first == nil || at.Before(first.due())) {
				first = c
			}
		}
		if first == nil {
			return
		}
		m.expireOne(now, first)
	}
}

func (c *modelClient) due() time.Time {
	if c.willAt.IsZero() || !c.endAt.IsZero() && c.endAt.Before(c.willAt) {
		return c.endAt
	}
	return c.willAt
}

func (m *model) expireOne(now time.Time, c *modelClient) {
	if c.connected {
		return
	}
	if !c.endAt.IsZero() && !now.Before(c.endAt) {
		m.end(now, c)
	} else if !c.willAt.IsZero() && !now.Before(c.willAt) {
		m.publishWill(now, c)
	}
}

func (m *model) publish(now time.Time, c *modelClient, in Inbound) {
	msg := in.Message
	if msg.QoS == mqtt.ExactlyOnce && c.received[in.ID] {
		c.acks = append(c.acks, Outbound{Kind: Pubrec, ID: in.ID})
		return
	}
	matched := m.distribute(now, c.id, msg)
	switch msg.QoS {
	case mqtt.AtLeastOnce:
		ack := Outbound{Kind: Puback, ID: in.ID}
		if !matched {
			ack.Reason = mqtt.NoMatchingSubscribers
		}
		c.acks = append(c.acks, ack)
	case mqtt.ExactlyOnce:
		c.received[in.ID] = true
		c.acks = append(c.acks, Outbound{Kind: Pubrec, ID: in.ID})
	}
}

func (m *model) distribute(now time.Time, publisher string, msg *Message) (matched bool) {
	if msg.Retain {
		if delete(m.retained, msg.Topic); len(msg.Payload) > 0 {
			kept := *msg
			kept.Publisher = publisher
			m.retained[msg.Topic] = &kept
		}
	}
	for _, c := range m.clients {
		out := Outbound{Message: msg}
		any := false
		for filter, s := range c.subs {
			if topic.IsShared(filter) || !topic.Match(filter, msg.Topic) || s.NoLocal && c.id == publisher {
				continue
			}
			any = true
			out.QoS = max(out.QoS, min(s.QoS, msg.QoS))
			out.Retain = out.Retain || msg.Retain && s.RetainAsPublished
			if s.ID != 0 {
				out.SubscriptionIDs = append(out.SubscriptionIDs, s.ID)
			}
		}
		matched = matched || any
		if any && (c.connected || out.QoS > 0) && len(c.queue) < m.queueMax {
			slices.Sort(out.SubscriptionIDs)
			if len(c.queue) == 0 {
				c.prompt = now
			}
			c.queue = append(c.queue, modelCopy{out, nil})
		}
	}
	if g := m.groupOf(msg.Topic); g != nil {
		matched = true
		m.share(now, g, msg)
	}
	return matched
}

// subscribe queues retained messages in no particular order.
func (m *model) subscribe(now time.Time, c *modelClient, s Subscription) mqtt.ReasonCode {
	if topic.ValidFilter(s.Filter) != nil {
		return mqtt.TopicFilterInvalid
	}
	if topic.IsShared(s.Filter) {
		if s.NoLocal {
			return mqtt.ProtocolError
		}
		m.join(now, c, s)
		return mqtt.ReasonCode(s.QoS)
	}
	_, had := c.subs[s.Filter]
	c.subs[s.Filter] = s
	if s.RetainHandling == 2 || s.RetainHandling == 1 && had {
		return mqtt.ReasonCode(s.QoS)
	}
	for name, msg := range m.retained {
		if !topic.Match(s.Filter, name) || msg.expired(now) || s.NoLocal && msg.Publisher == c.id {
			continue
		}
		out := Outbound{Message: msg, QoS: min(s.QoS, msg.QoS), Retain: true}
		if s.ID != 0 {
			out.SubscriptionIDs = []uint32{s.ID}
		}
		c.queue = append(c.queue, modelCopy{out, nil})
	}
	return mqtt.ReasonCode(s.QoS)
}

func (m *model) unsubscribe(now time.Time, c *modelClient, filter string) mqtt.ReasonCode {
	if _, ok := c.subs[filter]; !ok {
		return mqtt.NoSubscriptionExisted
	}
	delete(c.subs, filter)
	if g := m.groups[filter]; g != nil {
		m.leaveGroup(now, c, g, false)
	}
	return mqtt.Success
}

// next gives up to n things.
func (m *model) next(now time.Time, c *modelClient, n int) []Outbound {
	c.resting, c.prompt = false, now
	out := c.take(now, n, nil)
	for len(out) < n && m.takeShares(now, c) {
		out = c.take(now, n, out)
	}
	return out
}

func (c *modelClient) take(now time.Time, n int, out []Outbound) []Outbound {
	for len(out) < n && len(c.acks) > 0 {
		out = append(out, c.acks[0])
		c.acks = c.acks[1:]
	}
	for i := range c.flight {
		f := &c.flight[i]
		if f.given {
			continue
		}
		if len(out) == n || c.open() >= c.rmax {
			return out
		}
		f.given = true
		again := f.out.Outbound
		again.Dup = true
		out = append(out, again)
	}
	for len(out) < n && len(c.queue) > 0 {
		q := c.queue[0]
		if q.QoS > 0 && c.open() >= c.rmax {
			break
		}
		c.queue = c.queue[1:]
		if q.Message.expired(now) {
			continue
		}
		if q.QoS > 0 {
			if c.lastID++; c.lastID == 0 {
				c.lastID = 1
			}
			q.ID = c.lastID
			c.flight = append(c.flight, modelFlight{out: q, given: true})
		}
		out = append(out, q.Outbound)
	}
	return out
}

// open counts the deliveries that this connection was given and has not finished.
func (c *modelClient) open() (n int) {
	for _, f := range c.flight {
		if f.given {
			n++
		}
	}
	return n
}

func (c *modelClient) acked(id uint16) error {
	i := c.find(id)
	switch {
	case i < 0:
		return nil
	case c.flight[i].out.QoS != mqtt.AtLeastOnce:
		return ErrUnexpected
	}
	c.flight = slices.Delete(c.flight, i, i+1)
	return nil
}

func (c *modelClient) refused(id uint16) {
	if i := c.find(id); i >= 0 && !c.flight[i].released {
		c.flight = slices.Delete(c.flight, i, i+1)
	}
}

func (c *modelClient) got(id uint16) error {
	i := c.find(id)
	if i >= 0 && c.flight[i].out.QoS != mqtt.ExactlyOnce {
		return ErrUnexpected
	}
	if i >= 0 {
		c.flight[i].released, c.flight[i].given = true, true
	}
	c.acks = append(c.acks, Outbound{Kind: Pubrel, ID: id})
	return nil
}

func (c *modelClient) completed(id uint16) error {
	i := c.find(id)
	switch {
	case i < 0:
		return nil
	case !c.flight[i].released:
		return ErrUnexpected
	}
	c.flight = slices.Delete(c.flight, i, i+1)
	return nil
}

func (c *modelClient) release(id uint16) {
	delete(c.received, id)
	c.acks = append(c.acks, Outbound{Kind: Pubcomp, ID: id})
}

func (c *modelClient) find(id uint16) int {
	return slices.IndexFunc(c.flight, func(f modelFlight) bool { return f.out.ID == id })
}
