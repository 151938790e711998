package broker

import (
	"cmp"
	"slices"
	"time"

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
	s.traffic.InBytes += uint64(len(m.Payload))
	if m.QoS == mqtt.ExactlyOnce {
		if _, again := s.st.inbound[in.ID]; again {
			s.answerSafe(Pubrec, in.ID, mqtt.Success, nil)
			return nil
		}
	}
	m.Publisher = s.st.id
	reason, busy, pub := s.b.admit(now, s, s.st.access, m)
	if pub != nil {
		pub.publisher = s.st
	}
	switch m.QoS {
	case mqtt.AtLeastOnce:
		s.st.acks.push(answer{Outbound{Kind: Puback, ID: in.ID, Reason: reason}, pub, 0})
	case mqtt.ExactlyOnce:
		// "If PUBREC is sent with a Reason Code of 0x80 or greater, the packet identifier is free" (MQTT 5 §4.3.3).
		if !reason.Failed() {
			s.taken(in.ID, pub != nil)
			reason = mqtt.Success // whether anyone listens is told at QoS 1 only
		}
		s.answerSafe(Pubrec, in.ID, reason, pub)
	}
	return busy
}

// taken remembers the identifier of a QoS 2 message. The store has to know it when it has the message: the publisher may repeat it after a restart.
func (s *Session) taken(id uint16, inStore bool) {
	st := s.st
	if st.inbound == nil {
		st.inbound = make(map[uint16]bool)
	}
	inStore = inStore && st.dur != nil
	st.inbound[id] = inStore
	if inStore {
		s.b.enter(change{st: st, kind: inboundTaken, id: id})
	}
}

// Release is the publisher's PUBREL for QoS 2: the identifiers are free again and PUBCOMP comes out of Next, also for an identifier that
// is not open: after a lost connection the publisher may be one step behind.
func (s *Session) Release(ids ...uint16) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.mu.Unlock()
	for _, id := range ids {
		if s.st.inbound[id] {
			// Were PUBCOMP to go out first, a message published under the same identifier after a power cut would pass for a repetition.
			s.b.enter(change{st: s.st, kind: inboundReleased, id: id})
		}
		delete(s.st.inbound, id)
		s.answerSafe(Pubcomp, id, mqtt.Success, nil)
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

// answerSafe queues an acknowledgement that goes out when the publication, and all that was changed of the session before, is safe.
func (s *Session) answerSafe(k Kind, id uint16, r mqtt.ReasonCode, pub *publication) {
	s.reply(Outbound{Kind: k, ID: id, Reason: r}, pub)
}

func (s *Session) reply(o Outbound, pub *publication) {
	s.st.acks.push(s.held(o, pub))
}

// held is an answer that goes out when the publication, and all that was changed of the session before, is safe.
func (s *Session) held(o Outbound, pub *publication) answer {
	st := s.st
	if st.changed > s.b.journal.committed {
		s.b.waiting[st] = struct{}{}
		s.b.journal.soon()
	}
	return answer{o, pub, st.changed}
}

// ready reports whether the first acknowledgement of a session may go out.
func (b *Broker) ready(st *state) bool {
	if st.acks.len() == 0 {
		return false
	}
	a := st.acks.at(0)
	return (a.pub == nil || a.pub.waits == 0) && a.batch <= b.journal.committed
}

// admit distributes what its publisher may write.
func (b *Broker) admit(now time.Time, by *Session, a Access, m *Message) (reason mqtt.ReasonCode, busy <-chan struct{}, pub *publication) {
	switch {
	case a != nil && !a.MayWrite(m.Topic):
		b.drop(NotAuthorized)
		return mqtt.NotAuthorized, nil, nil
	case b.diskFull && m.QoS > mqtt.AtMostOnce:
		b.drop(DiskFull)
		return mqtt.QuotaExceeded, nil, nil
	case len(m.Topic) > b.limits.TopicLength:
		b.drop(TopicTooLong)
		return mqtt.TopicNameInvalid, nil, nil
	case m.Properties != nil && !b.weigh(m):
		b.drop(UserProperties)
		return mqtt.QuotaExceeded, nil, nil
	}
	return b.distribute(now, by, m)
}

// distribute keeps m if it is to be retained and gives it to everyone who subscribed. pub is not nil when something of it has to become safe.
func (b *Broker) distribute(now time.Time, by *Session, m *Message) (reason mqtt.ReasonCode, busy <-chan struct{}, pub *publication) {
	r := b.route(by, m.Topic)
	switch {
	case r.deep:
		b.drop(TopicTooLong)
		return mqtt.TopicNameInvalid, nil, nil
	case b.limits.Policy == Refuse && m.QoS > mqtt.AtMostOnce && b.anyFull(now, r, m):
		b.drop(QueueRefused)
		return mqtt.QuotaExceeded, nil, nil
	}
	if b.inMemory()+m.size()*len(r.targets) > b.limits.TotalBytes {
		b.drop(TotalFull)
		return mqtt.QuotaExceeded, nil, nil
	}
	if m.Retain {
		b.retain(now, m, &pub)
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
		if t.st.group != nil {
			if ch := b.share(now, by, t.st.group, m, &pub); ch != nil {
				busy = ch
			}
			continue
		}
		q := queued{msg: m, from: g.from, qos: min(m.QoS, g.qos), retain: m.Retain && g.asIs}
		if ch := b.enqueue(now, by, t.st, q, &pub); ch != nil {
			busy = ch
		}
	}
	if busy == nil && pub != nil && b.journal.full() {
		busy = b.journal.wait()
	}
	return reason, busy, pub
}

// enqueue puts q into a session's queue or drops it, and notes whom to wake.
func (b *Broker) enqueue(now time.Time, by *Session, st *state, q queued, pub **publication) (busy <-chan struct{}) {
	o := st.owner
	switch {
	case o == nil && q.qos == mqtt.AtMostOnce && !b.limits.QueueQoS0:
		b.drop(OfflineQoS0)
		return nil
	case b.queueFull(st, q) && !b.makeRoom(by, st, q):
		b.drop(QueueFull)
		return nil
	}
	if o != nil && st.queue.len() == 0 && st.dur.stored() == 0 {
		o.prompt = now
	}
	b.push(now, st, q, pub)
	if o == nil {
		return nil
	}
	o.rouse(by)
	if !st.busy() {
		return nil
	}
	return o.slow(now, by)
}

// slow returns what by should wait for when the queue is long and is being drained, else nil.
func (o *Session) slow(now time.Time, by *Session) <-chan struct{} {
	st := o.st
	if !st.busy() || o == by || !st.prompt(now) {
		return nil
	}
	return st.roomLater()
}

// prompt reports whether the session is being pulled, or a member of the group is.
func (st *state) prompt(now time.Time) bool {
	if st.group == nil {
		return st.owner != nil && now.Sub(st.owner.prompt) < stalledAfter
	}
	return slices.ContainsFunc(st.group.members, func(sh *share) bool { return sh.st.prompt(now) })
}

// roomLater returns a channel that is closed when the queue is no longer busy.
func (st *state) roomLater() <-chan struct{} {
	if st.room == nil {
		st.room = make(chan struct{})
	}
	return st.room
}

// push puts q at the end of a session's queue, in memory or on disk.
func (b *Broker) push(now time.Time, st *state, q queued, pub **publication) {
	if st.dur != nil && q.qos > mqtt.AtMostOnce && !b.keep(now, st, &q, pub) {
		return
	}
	b.hang(st, q)
}

// hang puts q at the end of the queue in memory.
func (b *Broker) hang(st *state, q queued) {
	st.queue.push(q)
	size := q.msg.size()
	st.bytes += size
	if q.kept != nil {
		st.skipped += int(q.kept.skip)
	}
	if l := q.loan(); l != nil {
		l.share.waiting++
	}
	b.queued++
	b.queuedBytes += size
}

// unqueue accounts for q, which has left the queue.
func (b *Broker) unqueue(st *state, q queued) {
	size := q.msg.size()
	if q.kept != nil {
		st.skipped -= int(q.kept.skip)
	}
	if l := q.loan(); l != nil {
		l.share.waiting--
	}
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

// shrink lets go of the empty queues' slots, for a session that will not be busy soon. There may be very many of them.
func (st *state) shrink() {
	st.acks.shrink()
	st.queue.shrink()
	st.window.shrink()
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
