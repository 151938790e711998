package broker

import (
	"slices"
	"time"

	"midge/broker/mqtt"
	"midge/broker/store"
	"midge/broker/topic"
)

// group is all who have the same shared subscription: each message goes to one of them (MQTT 5 §4.8.2). See share.go for how.
type group struct {
	filter  string   // "$share/NAME/FILTER"
	st      *state   // its backlog: what waits until a member has room. It is no session, and not among Broker.sessions
	members []*share // in the order in which they came
	next    int      // whose turn it is
	qos     mqtt.QoS // the highest that a member was granted
}

// share is one session's part in a group.
type share struct {
	group   *group
	st      *state
	sub     *Subscription
	waiting int   // copies in the queue of st that came by it
	plain   *loan // of the copies that the group does not keep
}

// join makes a session a member of the group of a shared subscription, or gives the member other options. "This does not increase the number of times
// that the Session is associated with the Shared Subscription" (MQTT 5 §4.8.2).
func (b *Broker) join(now time.Time, st *state, sub *Subscription) {
	sh := st.shareOf(sub.Filter)
	if sh == nil {
		g := b.groups[sub.Filter]
		if g == nil {
			g = b.newGroup(sub.Filter)
		}
		sh = &share{group: g, st: st}
		g.members = append(g.members, sh)
		st.shares = append(st.shares, sh)
		b.shared++
	}
	sh.sub = sub
	sh.plain = sh.loan()
	sh.group.grant()
	if st.dur != nil {
		b.keepGroup(now, sh.group)
	}
}

func (b *Broker) newGroup(filter string) *group {
	g := &group{filter: filter}
	g.st = &state{id: filter, group: g, expiry: Never}
	b.groups[filter] = g
	plain, _ := topic.Unshared(filter)
	b.subs.Set(plain, g.st, &Subscription{Filter: plain})
	b.subsGen++
	return g
}

// keepGroup has the store keep a group: its members come back after a power cut, and its messages must. There it is a session under a client id that no
// client can have.
func (b *Broker) keepGroup(now time.Time, g *group) {
	st := g.st
	if st.dur != nil {
		return
	}
	st.dur = new(durable)
	b.lastNum++
	st.num = b.lastNum
	b.rewrite(st)
	for n := st.queue.len(); n > 0; n-- {
		q := st.queue.pop()
		b.unqueue(st, q)
		var pub *publication // it was answered when nobody durable waited
		b.push(now, st, q, &pub)
	}
}

// shareOf returns the session's part in the group of a filter, or nil.
func (st *state) shareOf(filter string) *share {
	for _, sh := range st.shares {
		if sh.group.filter == filter {
			return sh
		}
	}
	return nil
}

// grant works out what the members were granted together.
func (g *group) grant() {
	g.qos = 0
	for _, sh := range g.members {
		g.qos = max(g.qos, sh.sub.QoS)
	}
}

// leave takes a member out of its group, because it has unsubscribed or its session ends. What it has not been sent goes to others.
func (b *Broker) leave(now time.Time, by *Session, sh *share, ends bool) {
	g, st := sh.group, sh.st
	i := slices.Index(g.members, sh)
	g.members = slices.Delete(g.members, i, i+1)
	if g.next > i {
		g.next--
	}
	st.shares = slices.DeleteFunc(st.shares, func(other *share) bool { return other == sh })
	b.shared--
	g.grant()
	b.recall(now, by, sh)
	if ends {
		b.recallInFlight(now, by, sh)
	} else {
		b.adopt(now, by, sh)
	}
	if len(g.members) == 0 {
		b.endGroup(by, g)
		return
	}
	b.feed(now, by, g)
}

// endGroup forgets a group that nobody is in any more.
func (b *Broker) endGroup(by *Session, g *group) {
	plain, _ := topic.Unshared(g.filter)
	b.subs.Delete(plain, g.st)
	b.subsGen++
	delete(b.groups, g.filter)
	g.st.letPublishersGo()
	b.forgetCopies(by, g.st)
	for g.st.queue.len() > 0 {
		b.unqueue(g.st, g.st.queue.pop())
		b.drop(SessionEnded)
	}
}

// group restores a group. Its members follow with their subscriptions.
func (r *restorer) group(rec store.Session) {
	g := r.b.newGroup(rec.ClientID)
	st := g.st
	st.num, st.written, st.dur = rec.Num, true, new(durable)
	st.numbers = max(rec.Next, 1) - 1
	r.sessions[st.num] = st
}

// endEmptyGroups ends the groups whose members did not outlive the process.
func (b *Broker) endEmptyGroups() {
	by := b.hold(Options{})
	for _, g := range b.groups {
		if len(g.members) == 0 {
			b.endGroup(by, g)
		}
	}
}
