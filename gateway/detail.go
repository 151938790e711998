package gateway

import (
	"cmp"
	"slices"

	"midge/broker"
	"midge/broker/topic"
)

// Detail is a Device with what is looked up for one client or a few, but not for all. Names and filters are as the client has them, without the mount; they come from
// the wire: escape them before they reach a terminal.
type Detail struct {
	Device
	CleanSession  bool                  // of its last CONNECT
	Mount         topic.Mount           // stands in front of all of them in the broker; "" = nothing does
	WillTopic     string                // "" = it has no will
	Subscriptions []broker.Subscription // by filter; of one that has gone, those that its session keeps
	Topics        []TopicID             // what it has registered or been registered, by id
}

// TopicID is a topic id that the gateway has given one client.
type TopicID struct {
	ID    uint16
	Name  string
	Known bool // the client has been told of it, or has used it, since its last CONNECT
}

// Details returns a snapshot of the clients whose client id one of the patterns matches, with '*' and '?', by client id.
func (g *Gateway) Details(patterns []string) []Detail {
	g.mu.Lock()
	var list []Detail
	for id, c := range g.sp.clients {
		if matchesAny(patterns, id) {
			list = append(list, g.sp.detail(c))
		}
	}
	g.mu.Unlock()
	slices.SortFunc(list, func(a, b Detail) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (sp *space) detail(c *client) Detail {
	d := Detail{Device: sp.device(c), CleanSession: c.clean, Mount: c.link.Load().mountOf(c), Subscriptions: sp.b.Subscriptions(c.id)}
	for i := range d.Subscriptions {
		s := &d.Subscriptions[i]
		s.Filter = d.Mount.StripFilter(s.Filter)
	}
	if c.will != nil {
		d.WillTopic = d.Mount.Strip(c.will.topic)
	}
	for i, e := range c.topics.entries {
		if e.name != "" {
			d.Topics = append(d.Topics, TopicID{ID: uint16(firstTopicID + i), Name: e.name, Known: e.known})
		}
	}
	return d
}
