package broker

import (
	"time"

	"midge/broker/mqtt"
)

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
	if b.limits.MessageExpiry > 0 && !m.Retain {
		if at := now.Add(b.limits.MessageExpiry); m.Expires.IsZero() || m.Expires.After(at) {
			m.Expires = at
		}
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
