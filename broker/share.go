package broker

import (
	"time"

	"midge/broker/mqtt"
)

// A message for a group is lent to one of its members at once: in turn to those that have nothing else to do, else to those that have room. A member has
// room when it pulls and its receive window is not full: Receive Maximum says how much it works on at a time. While no member has room, messages wait in
// the backlog of the group, from where members take them as they come to it.
//
// At QoS 1 the group keeps the copy until the member has acknowledged it: after a power cut, or when the member's session ends, it goes to another. At
// QoS 2 it is the member's own from the moment it is lent: a message that he may have begun to receive must never go to another [MQTT-4.8.2-5].

// origin is by which subscriptions a copy came.
type origin struct {
	ids  []uint32 // subscription identifiers
	loan *loan    // by a shared one; nil for others
}

// loan is a copy that a member of a group has, or may be given back.
type loan struct {
	origin
	share *share
	copy  *kept  // at QoS 1: the group's, which is in the store. nil when the group keeps nothing of it
	total uint64 // octets of all copies of the member up to this one; with copy
	gate  uint64 // at QoS 2: the batch that takes it from the group; it must be safe first, or a power cut would give the message to another too
	kept  kept   // its place in the queue of a durable member; with copy
}

func originOf(sub *Subscription) *origin {
	if sub.ID == 0 {
		return nil
	}
	return &origin{ids: []uint32{sub.ID}}
}

// loan makes a loan to this member.
func (sh *share) loan() *loan {
	l := &loan{share: sh}
	if sh.sub.ID != 0 {
		l.ids = []uint32{sh.sub.ID}
	}
	l.loan = l
	return l
}

// loan is nil for a copy that came by no shared subscription.
func (q *queued) loan() *loan {
	if q.from == nil {
		return nil
	}
	return q.from.loan
}

// share gives m to one member of a group.
func (b *Broker) share(now time.Time, by *Session, g *group, m *Message, pub **publication) (busy <-chan struct{}) {
	q := queued{msg: m, qos: min(m.QoS, g.qos)}
	if g.st.queue.len()+g.st.dur.stored() == 0 || q.qos == mqtt.AtMostOnce {
		sh, refused := b.pick(now, g, m)
		switch {
		case sh != nil:
			b.lend(now, by, sh, q, pub)
			return nil
		case refused:
			b.drop(NotAuthorized)
			return nil
		}
	}
	switch {
	case q.qos == mqtt.AtMostOnce:
		b.shareQoS0(now, by, g, q)
	case b.queueFull(g.st, q) && !b.makeRoom(by, g.st, q):
		b.drop(QueueFull)
	default:
		b.push(now, g.st, q, pub)
		b.feed(now, by, g)
	}
	return g.slow(now, by)
}

// shareQoS0 gives a message that waits in no backlog to a member whose queue is long and not yet full.
func (b *Broker) shareQoS0(now time.Time, by *Session, g *group, q queued) {
	reason := OfflineQoS0
	for range g.members {
		sh := g.turn()
		if sh.st.owner == nil {
			continue
		}
		if reason = QueueFull; !b.queueFull(sh.st, q) {
			var pub *publication
			b.lend(now, by, sh, q, &pub)
			return
		}
	}
	b.drop(reason)
}

// turn returns the member whose turn it is, and moves on.
func (g *group) turn() *share {
	sh := g.members[g.next%len(g.members)]
	g.next = (g.next + 1) % len(g.members)
	return sh
}

// slow returns what by should wait for when the backlog has grown long while members take from it, or a member is busy.
func (g *group) slow(now time.Time, by *Session) <-chan struct{} {
	if g.st.busy() && g.st.prompt(now) {
		return g.st.roomLater()
	}
	for _, sh := range g.members {
		if o := sh.st.owner; o != nil {
			if ch := o.slow(now, by); ch != nil {
				return ch
			}
		}
	}
	return nil
}

// pick chooses who gets the next message of a group, or nil. refused: some member has room for it and may not read it.
func (b *Broker) pick(now time.Time, g *group, m *Message) (best *share, refused bool) {
	n := len(g.members)
	for i := range n {
		sh := g.members[(g.next+i)%n]
		if !b.hasRoom(now, sh, m) {
			continue
		}
		if !sh.mayRead(m) {
			refused = true
			continue
		}
		idle := sh.st.queue.len() == 0
		if best == nil || idle {
			best = sh
		}
		if idle {
			break
		}
	}
	if best != nil {
		for g.turn() != best {
		}
	}
	return best, refused && best == nil
}

func (sh *share) mayRead(m *Message) bool {
	return sh.st.access == nil || sh.st.access.MayRead(m.Topic)
}

// hasRoom reports whether a member may be lent m: it is there, pulls, could be sent m now, and all that waits for it is in memory.
func (b *Broker) hasRoom(now time.Time, sh *share, m *Message) bool {
	st, o := sh.st, sh.st.owner
	switch waits := st.queue.len(); {
	case o == nil || o.resting || st.busy() || st.dur.stored() > 0:
		return false
	case waits > 0 && now.Sub(o.prompt) >= stalledAfter:
		return false
	case min(m.QoS, sh.sub.QoS) > mqtt.AtMostOnce && st.window.live+waits >= o.receiveMaximum:
		return false
	default:
		return waits < b.limits.QueueMessages && st.bytes+m.size() <= b.limits.QueueBytes
	}
}

// lend puts a message of a group into the queue of a member. q is the group's copy; its kept is nil when it is not in the store, or not yet.
func (b *Broker) lend(now time.Time, by *Session, sh *share, q queued, pub **publication) {
	st, o := sh.st, sh.st.owner
	if st.queue.len() == 0 && st.dur.stored() == 0 {
		o.prompt = now
	}
	c := queued{msg: q.msg, from: &sh.plain.origin, qos: min(q.msg.QoS, sh.sub.QoS), retain: q.msg.Retain && sh.sub.RetainAsPublished}
	switch c.qos {
	case mqtt.AtMostOnce:
		b.hang(st, c)
		b.done(by, sh.group.st, q.kept)
	case mqtt.AtLeastOnce:
		b.lendKept(now, sh, q, c, pub)
	case mqtt.ExactlyOnce:
		b.handOver(now, by, sh, q, c, pub)
	}
	o.rouse(by)
}

// lendKept is lend at QoS 1.
func (b *Broker) lendKept(now time.Time, sh *share, q, c queued, pub **publication) {
	st, g := sh.st, sh.group
	if q.kept == nil && g.st.dur != nil {
		b.enlist(now, g.st, &q, true, pub)
	}
	if q.kept != nil {
		l := sh.loan()
		l.copy = q.kept
		c.from = &l.origin
		if st.dur != nil {
			l.kept = kept{seq: st.nextSeq(c.msg, true), stage: lent}
			c.kept, l.total = &l.kept, st.dur.total
		}
	}
	b.hang(st, c)
}

// handOver is lend at QoS 2: the copy is the member's from now on. What the store has of it changes hands in one batch.
func (b *Broker) handOver(now time.Time, by *Session, sh *share, q, c queued, pub **publication) {
	st := sh.st
	switch {
	case st.dur != nil:
		if q.kept != nil {
			*pub = q.kept.awaited()
		}
		b.push(now, st, c, pub)
	case q.kept != nil && q.kept.stage > fresh:
		l := sh.loan()
		l.gate = b.journal.batch
		c.from = &l.origin
		st.changed = b.journal.batch
		b.waiting[st] = struct{}{}
		b.journal.soon()
		b.hang(st, c)
	default:
		b.hang(st, c)
	}
	b.done(by, sh.group.st, q.kept)
}

// awaited is the publication that waits for a copy to become safe, nil when it is.
func (k *kept) awaited() *publication {
	if k == nil || k.stage >= safe {
		return nil
	}
	return k.pub
}

// feed lends the backlog of a group to members that have room.
func (b *Broker) feed(now time.Time, by *Session, g *group) {
	for g.st.queue.len() > 0 {
		m := g.st.queue.at(0).msg
		sh, refused := b.pick(now, g, m)
		if sh == nil && !refused && !m.expired(now) {
			return
		}
		q, _ := b.take(g.st)
		switch {
		case m.expired(now):
			b.drop(Expired)
			b.done(by, g.st, q.kept)
		case sh == nil:
			b.drop(NotAuthorized)
			b.done(by, g.st, q.kept)
		default:
			var pub *publication // its publisher waits for q.kept, if for anything
			b.lend(now, by, sh, q, &pub)
		}
	}
	g.st.relax()
	b.refillGroup(g)
}

// refillGroup has more of a group's backlog read for a member who is there.
func (b *Broker) refillGroup(g *group) {
	for _, sh := range g.members {
		if o := sh.st.owner; o != nil && !o.resting {
			b.refill(g.st)
			return
		}
	}
}

// takeShares fetches something from the backlogs of a member's groups, for Next, and reports whether there was any.
func (s *Session) takeShares(now time.Time) (any bool) {
	b, st := s.b, s.st
	for _, sh := range st.shares {
		g := sh.group
		for g.st.queue.len() > 0 && st.queue.len() < shareAhead {
			m := g.st.queue.at(0).msg
			if m.expired(now) {
				q, _ := b.take(g.st)
				b.drop(Expired)
				b.done(s, g.st, q.kept)
				continue
			}
			if !b.hasRoom(now, sh, m) || !sh.mayRead(m) {
				break
			}
			q, _ := b.take(g.st)
			var pub *publication
			b.lend(now, s, sh, q, &pub)
			any = true
		}
		g.st.relax()
		b.refill(g.st)
	}
	return any
}
