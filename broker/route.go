package broker

import (
	"cmp"
	"slices"

	"midge/broker/mqtt"
	"midge/broker/topic"
)

// route is the cached answer to «who gets what is published to this topic?».
type route struct {
	topic   string
	gen     uint64
	targets []target
	deep    bool // the topic has more levels than is allowed; nobody gets it
}

// cost is what the route counts in the cache.
func (r *route) cost() int { return 4 + len(r.targets) }

// target is one receiving session with its matching subscriptions merged: a client gets one copy of a message however
// many of its filters match, at the highest QoS and with all identifiers (MQTT 5 §3.3.4).
type target struct {
	st *state
	grant
	own *grant // for what st's client publishes itself: without the subscriptions that have No Local; nil when none has
}

// grant is what several subscriptions give together.
type grant struct {
	from *origin // subscription identifiers; nil when there are none
	qos  mqtt.QoS
	asIs bool // one of them has Retain As Published
	any  bool // there is one
}

func (g *grant) add(sub *Subscription) {
	g.any = true
	g.qos = max(g.qos, sub.QoS)
	g.asIs = g.asIs || sub.RetainAsPublished
	if sub.ID != 0 {
		if g.from == nil {
			g.from = new(origin)
		}
		g.from.ids = append(g.from.ids, sub.ID)
	}
}

// route returns the receivers of a topic, from the cache when nothing has changed since.
func (b *Broker) route(by *Session, name string) *route {
	if r := by.lastRoute; r != nil && r.gen == b.subsGen && r.topic == name {
		return r
	}
	r := b.routes[name]
	if r == nil || r.gen != b.subsGen {
		if r != nil {
			b.routed -= r.cost()
		}
		r = b.match(name)
		if b.routed += r.cost(); b.routed > routeCacheMax {
			clear(b.routes)
			b.routed = r.cost()
		}
		b.routes[name] = r
	}
	by.lastRoute = r
	return r
}

// groupsLast puts groups behind sessions: a member that gets the message anyway has something to do.
func (r *route) groupsLast() {
	slices.SortStableFunc(r.targets, func(x, y target) int { return cmp.Compare(x.groups(), y.groups()) })
}

func (t *target) groups() int {
	if t.st.group != nil {
		return 1
	}
	return 0
}

func (b *Broker) match(name string) *route {
	r := &route{topic: name, gen: b.subsGen, deep: topic.Levels(name) > b.limits.TopicLevels}
	if r.deep {
		return r
	}
	defer r.groupsLast()
	places := make(map[*state]int)
	local := false // a subscription has No Local
	b.subs.Match(name, func(st *state, sub *Subscription) {
		i, seen := places[st]
		if !seen {
			i = len(r.targets)
			places[st] = i
			r.targets = append(r.targets, target{st: st})
		}
		t := &r.targets[i]
		t.add(sub)
		if sub.NoLocal {
			local = true
			t.own = new(grant)
		}
	})
	if local {
		b.subs.Match(name, func(st *state, sub *Subscription) {
			if own := r.targets[places[st]].own; own != nil && !sub.NoLocal {
				own.add(sub)
			}
		})
	}
	return r
}
