package broker

import (
	"strings"
	"time"

	"midge/broker/mqtt"
	"midge/broker/topic"
)

// Subscribe adds or replaces subscriptions in order and returns one reason per subscription: the granted QoS or a refusal. Matching
// retained messages wait in the queue when it returns.
func (s *Session) Subscribe(now time.Time, subs []Subscription) ([]mqtt.ReasonCode, error) {
	if err := s.lock(); err != nil {
		return nil, err
	}
	defer s.unlock()
	reasons := make([]mqtt.ReasonCode, len(subs))
	for i := range subs {
		reasons[i] = s.subscribe(now, subs[i])
	}
	return reasons, nil
}

func (s *Session) subscribe(now time.Time, sub Subscription) mqtt.ReasonCode {
	b, st := s.b, s.st
	if topic.ValidFilter(sub.Filter) != nil {
		return mqtt.TopicFilterInvalid
	}
	if st.access != nil && !st.access.MaySubscribe(sub.Filter) {
		return mqtt.NotAuthorized
	}
	if strings.HasPrefix(sub.Filter, "$share/") {
		return mqtt.SharedSubscriptionsNotSupported
	}
	old := st.subs[sub.Filter]
	if old == nil && len(st.subs) >= b.limits.Subscriptions {
		return mqtt.QuotaExceeded
	}
	retained := sub.RetainHandling == 0 || sub.RetainHandling == 1 && old == nil
	if retained && b.overfull(st) {
		return mqtt.QuotaExceeded
	}
	if old == nil || *old != sub {
		b.setSubscription(st, &sub)
		b.subsGen++
		b.enter(change{st: st, kind: subscribed, sub: &sub})
	}
	if retained {
		b.sendRetained(now, s, sub)
	}
	return mqtt.ReasonCode(sub.QoS)
}

func (b *Broker) setSubscription(st *state, sub *Subscription) {
	if st.subs == nil {
		st.subs = make(map[string]*Subscription)
	}
	st.subs[sub.Filter] = sub
	b.subs.Set(sub.Filter, st, sub)
}

// Unsubscribe removes subscriptions and returns one reason per filter.
func (s *Session) Unsubscribe(filters []string) ([]mqtt.ReasonCode, error) {
	if err := s.lock(); err != nil {
		return nil, err
	}
	defer s.unlock()
	reasons := make([]mqtt.ReasonCode, len(filters))
	for i, f := range filters {
		if s.st.subs[f] == nil {
			reasons[i] = mqtt.NoSubscriptionExisted
			continue
		}
		delete(s.st.subs, f)
		s.b.subs.Delete(f, s.st)
		s.b.subsGen++
		s.b.enter(change{st: s.st, kind: unsubscribed, name: f})
	}
	return reasons, nil
}

// Subscriptions returns the session's subscriptions by filter.
func (s *Session) Subscriptions() map[string]Subscription {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	subs := make(map[string]Subscription, len(s.st.subs))
	for f, sub := range s.st.subs {
		subs[f] = *sub
	}
	return subs
}
