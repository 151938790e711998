package broker

import (
	"time"

	"midge/broker/mqtt"
)

// route is the cached answer to «who gets what is published to this topic?».
type route struct {
	topic   string
	gen     uint64
	targets []target
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
	ids  *[]uint32 // subscription identifiers; nil when there are none
	qos  mqtt.QoS
	asIs bool // one of them has Retain As Published
	any  bool // there is one
}

func (g *grant) add(sub *Subscription) {
	g.any = true
	g.qos = max(g.qos, sub.QoS)
	g.asIs = g.asIs || sub.RetainAsPublished
	if sub.ID != 0 {
		if g.ids == nil {
			g.ids = new([]uint32)
		}
		*g.ids = append(*g.ids, sub.ID)
	}
}

// Publish routes messages in order. The answers to those at QoS > 0 come out of Next. Topics must be valid names.
//
// busy is not nil when a receiver's queue has grown long while it is being drained: the caller should pause its own
// reading until busy is closed or a bounded moment has passed, so that a burst is slowed and not lost.
func (s *Session) Publish(now time.Time, in []Inbound) (busy <-chan struct{}, err error) {
	if err := s.lock(); err != nil {
		return nil, err
	}
	defer s.unlock()
	for i := range in {
		if ch := s.publish(now, in[i]); ch != nil {
			busy = ch
		}
	}
	return busy, nil
}

func (s *Session) publish(now time.Time, in Inbound) (busy <-chan struct{}) {
	m := in.Message
	s.traffic.In[m.QoS]++
	if m.QoS == mqtt.ExactlyOnce {
		if _, again := s.st.inbound[in.ID]; again {
			s.answer(Pubrec, in.ID, mqtt.Success)
			return nil
		}
	}
	m.Publisher = s.st.id
	reason, busy := s.b.admit(now, s, s.st.access, m)
	switch m.QoS {
	case mqtt.AtLeastOnce:
		s.answer(Puback, in.ID, reason)
	case mqtt.ExactlyOnce:
		// "If PUBREC is sent with a Reason Code of 0x80 or greater, the packet identifier is free" (MQTT 5 §4.3.3).
		if !reason.Failed() {
			if s.st.inbound == nil {
				s.st.inbound = make(map[uint16]struct{})
			}
			s.st.inbound[in.ID] = struct{}{}
			reason = mqtt.Success // whether anyone listens is told at QoS 1 only
		}
		s.answer(Pubrec, in.ID, reason)
	}
	return busy
}

// Release is the publisher's PUBREL for QoS 2: the identifiers are free again and PUBCOMP comes out of Next, also for an identifier that
// is not open: after a lost connection the publisher may be one step behind.
func (s *Session) Release(ids ...uint16) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.mu.Unlock()
	for _, id := range ids {
		delete(s.st.inbound, id)
		s.answer(Pubcomp, id, mqtt.Success)
	}
	return nil
}

// HasReceived reports whether a QoS 2 message with this identifier was taken from the client and waits for Release. Publish answers its repetition
// without looking at the message.
func (s *Session) HasReceived(id uint16) bool {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	_, ok := s.st.inbound[id]
	return ok
}

// Receiving is the number of QoS 2 messages from this client that wait for Release.
func (s *Session) Receiving() int {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return len(s.st.inbound)
}

func (s *Session) answer(k Kind, id uint16, r mqtt.ReasonCode) {
	s.st.acks.push(Outbound{Kind: k, ID: id, Reason: r})
}

// admit distributes what its publisher may write.
func (b *Broker) admit(now time.Time, by *Session, a Access, m *Message) (reason mqtt.ReasonCode, busy <-chan struct{}) {
	if a != nil && !a.MayWrite(m.Topic) {
		b.drop(NotAuthorized)
		return mqtt.NotAuthorized, nil
	}
	return b.distribute(now, by, m)
}

// distribute keeps m if it is to be retained and gives it to everyone who subscribed.
func (b *Broker) distribute(now time.Time, by *Session, m *Message) (reason mqtt.ReasonCode, busy <-chan struct{}) {
	r := b.route(by, m.Topic)
	if b.queuedBytes+b.inflightBytes+m.size()*len(r.targets) > b.limits.TotalBytes {
		b.drop(TotalFull)
		return mqtt.QuotaExceeded, nil
	}
	if m.Retain {
		b.retain(m)
	}
	reason = mqtt.NoMatchingSubscribers
	for i := range r.targets {
		t := &r.targets[i]
		g := &t.grant
		if t.own != nil && t.st.id == m.Publisher {
			if g = t.own; !g.any {
				continue
			}
		}
		reason = mqtt.Success
		q := queued{msg: m, ids: g.ids, qos: min(m.QoS, g.qos), retain: m.Retain && g.asIs}
		if ch := b.enqueue(now, by, t.st, q); ch != nil {
			busy = ch
		}
	}
	return reason, busy
}

// enqueue puts q into a session's queue or drops it, and notes whom to wake.
func (b *Broker) enqueue(now time.Time, by *Session, st *state, q queued) (busy <-chan struct{}) {
	o := st.owner
	switch {
	case o == nil && q.qos == mqtt.AtMostOnce:
		b.drop(OfflineQoS0)
		return nil
	case st.queue.len() >= b.limits.QueueMessages || st.bytes+q.msg.size() > b.limits.QueueBytes:
		b.drop(QueueFull)
		return nil
	}
	b.push(st, q)
	if o == nil {
		return nil
	}
	if !o.awake && o != by && o.waker != nil {
		o.awake = true
		by.wakes.add(o.waker)
	}
	if st.busy() && o != by && now.Sub(o.lastNext) < stalledAfter {
		if st.room == nil {
			st.room = make(chan struct{})
		}
		return st.room
	}
	return nil
}

func (b *Broker) push(st *state, q queued) {
	st.queue.push(q)
	size := q.msg.size()
	st.bytes += size
	b.queued++
	b.queuedBytes += size
}

// unqueue accounts for q, which has left the queue.
func (b *Broker) unqueue(st *state, q queued) {
	size := q.msg.size()
	st.bytes -= size
	b.queued--
	b.queuedBytes -= size
}

func (st *state) busy() bool { return st.queue.len() > busyMessages || st.bytes > busyBytes }

// relax lets waiting publishers go on when the queue is down to half of what made it busy.
func (st *state) relax() {
	if st.room != nil && st.queue.len() <= busyMessages/2 && st.bytes <= busyBytes/2 {
		st.letPublishersGo()
	}
}

func (st *state) letPublishersGo() {
	if st.room != nil {
		close(st.room)
		st.room = nil
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

func (b *Broker) match(name string) *route {
	r := &route{topic: name, gen: b.subsGen}
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
