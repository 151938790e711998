package broker

import "time"

// retain keeps m as the topic's last value. "If the Payload contains zero bytes … any retained message with the same topic name MUST be removed" [MQTT-3.3.1-6].
func (b *Broker) retain(now time.Time, m *Message, pub **publication) {
	old, had := b.retained.Get(m.Topic)
	if len(m.Payload) == 0 {
		if had {
			b.forget(old)
			b.keepRetained(m, pub)
		}
		return
	}
	if b.retainedFull(m, old) {
		b.purge(now)
		old, had = b.retained.Get(m.Topic)
	}
	if b.retainedFull(m, old) {
		b.drop(RetainedFull)
		return
	}
	b.retained.Set(m.Topic, m)
	b.retainedBytes += m.size()
	if had {
		b.retainedBytes -= old.size()
	}
	b.keepRetained(m, pub)
}

// retainedFull reports whether there is no room for m in the place of old, which is nil when there is none.
func (b *Broker) retainedFull(m, old *Message) bool {
	if old == nil {
		return b.retainedBytes+m.size() > b.limits.RetainedBytes || b.retained.Len() >= b.limits.Retained
	}
	return b.retainedBytes+m.size()-old.size() > b.limits.RetainedBytes
}

// purge forgets retained messages that have expired, now and then.
func (b *Broker) purge(now time.Time) {
	if now.Sub(b.purged) < purgeInterval {
		return
	}
	b.purged = now
	var stale []*Message
	b.retained.Match("#", func(_ string, m *Message) {
		if m.expired(now) {
			stale = append(stale, m)
		}
	})
	b.expire(stale)
}

// expire forgets retained messages that have expired.
func (b *Broker) expire(stale []*Message) {
	for _, m := range stale {
		b.forget(m)
		b.coalesce(m.Topic)
		b.drop(Expired)
	}
}

func (b *Broker) forget(m *Message) {
	b.retained.Delete(m.Topic)
	b.retainedBytes -= m.size()
}

// sendRetained queues what a new subscription finds. The retained messages of one filter may be more than a queue's bound: they are shared with the
// store and cost little, and a subscriber that gets a part of them cannot know what it lacks. See overfull for where that ends.
func (b *Broker) sendRetained(now time.Time, s *Session, sub Subscription) {
	from := originOf(&sub)
	var stale []*Message
	b.retained.Match(sub.Filter, func(_ string, m *Message) {
		switch {
		case m.expired(now):
			stale = append(stale, m)
		case sub.NoLocal && m.Publisher == s.st.id:
		default:
			var pub *publication // nobody waits for it: its publisher was answered long ago
			b.push(now, s.st, queued{msg: m, from: from, qos: min(m.QoS, sub.QoS), retain: true}, &pub)
		}
	})
	b.expire(stale)
}

// overfull reports whether retained messages have piled up beyond a full queue and the whole store: the client subscribes again and again and
// does not pull. Such a subscription is refused, so a queue never holds more than its bound and twice the store.
func (b *Broker) overfull(st *state) bool {
	return st.queue.len()+st.dur.stored() >= b.limits.QueueMessages+b.limits.Retained || st.bytes+st.dur.storedBytes() >= b.limits.QueueBytes+b.limits.RetainedBytes
}
