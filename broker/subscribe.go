package broker

import (
	"slices"
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
	plain, shared := topic.Unshared(sub.Filter)
	switch {
	case st.access != nil && !st.access.MaySubscribe(plain):
		return mqtt.NotAuthorized
	case shared && sub.NoLocal:
		return mqtt.ProtocolError // "It is a Protocol Error to set the No Local bit to 1 on a Shared Subscription" [MQTT-3.8.3-4]
	case len(sub.Filter) > b.limits.TopicLength || topic.Levels(plain) > b.limits.TopicLevels:
		b.drop(SubscriptionRefused)
		return mqtt.TopicFilterInvalid
	}
	old := st.subs.Get(sub.Filter)
	if old == nil && st.subs.Len() >= b.limits.Subscriptions {
		b.drop(SubscriptionRefused)
		return mqtt.QuotaExceeded
	}
	// "If the subscription is a shared one, no retained messages are sent" (MQTT 5 §3.8.3.1).
	retained := !shared && (sub.RetainHandling == 0 || sub.RetainHandling == 1 && old == nil)
	if retained && b.overfull(st) {
		b.drop(SubscriptionRefused)
		return mqtt.QuotaExceeded
	}
	if old == nil || *old != sub {
		b.setSubscription(now, st, &sub)
		b.enter(change{st: st, kind: subscribed, sub: &sub})
	}
	if retained {
		b.sendRetained(now, s, sub)
	}
	if g := b.groups[sub.Filter]; g != nil {
		b.feed(now, s, g)
	}
	return mqtt.ReasonCode(sub.QoS)
}

func (b *Broker) setSubscription(now time.Time, st *state, sub *Subscription) {
	st.subs.Set(sub.Filter, sub)
	if topic.IsShared(sub.Filter) {
		b.join(now, st, sub)
		return
	}
	b.subs.Set(sub.Filter, st, sub)
	b.subsGen++
}

// Unsubscribe removes subscriptions and returns one reason per filter.
func (s *Session) Unsubscribe(now time.Time, filters []string) ([]mqtt.ReasonCode, error) {
	if err := s.lock(); err != nil {
		return nil, err
	}
	defer s.unlock()
	reasons := make([]mqtt.ReasonCode, len(filters))
	for i, f := range filters {
		if s.st.subs.Get(f) == nil {
			reasons[i] = mqtt.NoSubscriptionExisted
			continue
		}
		s.unsubscribe(now, f)
	}
	return reasons, nil
}

func (s *Session) unsubscribe(now time.Time, filter string) {
	b, st := s.b, s.st
	st.subs.Delete(filter)
	b.enter(change{st: st, kind: unsubscribed, name: filter})
	if sh := st.shareOf(filter); sh != nil {
		b.leave(now, s, sh, false)
		return
	}
	b.subs.Delete(filter, st)
	b.subsGen++
}

// Subscriptions returns the session's subscriptions by filter.
func (s *Session) Subscriptions() map[string]Subscription {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	subs := make(map[string]Subscription, s.st.subs.Len())
	for f, sub := range s.st.subs.All() {
		subs[f] = *sub
	}
	return subs
}

// Subscriptions returns those of the session of that client id by filter, whether or not somebody has it; none if there is no session.
func (b *Broker) Subscriptions(clientID string) []Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	st := b.sessions[clientID]
	if st == nil {
		return nil
	}
	subs := make([]Subscription, 0, st.subs.Len())
	for _, sub := range st.subs.All() {
		subs = append(subs, *sub)
	}
	slices.SortFunc(subs, func(a, b Subscription) int { return strings.Compare(a.Filter, b.Filter) })
	return subs
}
