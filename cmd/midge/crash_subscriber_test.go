package main

import (
	"context"
	"strings"
	"time"

	"midge/broker/mqtt"
)

// subscriber is an MQTT client with a persistent session that takes note of all it gets.
type subscriber struct {
	mqttClient
	sink    *sink
	filters []string
	prefix  string // of the topics as this subscriber's broker names them

	held     map[uint16]key // QoS 2: identifiers that came and are not released
	answered bool           // SUBACK came: from now on the broker must know the session
	done     chan struct{}  // closed when run has ended
}

// ackEvery is how long acknowledgements are collected, so that a kill finds some on their way.
const ackEvery = 4 * time.Millisecond

// run stays subscribed until ctx ends.
func (s *subscriber) run(ctx context.Context) {
	defer close(s.done)
	s.stay(ctx, func() bool { return false })
}

// stay connects, again and again if need be, until enough says so; then it leaves politely and reports true. It reports false when ctx ends first.
func (s *subscriber) stay(ctx context.Context, enough func() bool) bool {
	for ctx.Err() == nil {
		w, present := s.connect(ctx)
		if w == nil {
			return false
		}
		s.resume(w, present)
		if s.session(ctx, w, enough) {
			w.leave()
			return true
		}
		w.close()
	}
	return false
}

// resume begins a connection.
func (s *subscriber) resume(w *wire, present bool) {
	if !present {
		if s.answered {
			s.h.fault("%s: the broker has forgotten the session (session present is 0)", s.id)
		}
		s.held = map[uint16]key{}
	}
	if s.answered && present {
		return
	}
	p := mqtt.Subscribe{ID: 1}
	for _, f := range s.filters {
		p.Subscriptions = append(p.Subscriptions, mqtt.Subscription{Filter: f, QoS: s.sink.qos})
	}
	w.out = p.Append(w.out, w.v)
	w.flush()
}

// session serves one connection. It reports whether there was enough.
func (s *subscriber) session(ctx context.Context, w *wire, enough func() bool) bool {
	tick := time.NewTicker(ackEvery)
	defer tick.Stop()
	for {
		select {
		case in, ok := <-w.in:
			if !ok || !s.take(w, in) {
				return false
			}
			if len(w.out) > 2048 {
				w.flush()
			}
		case <-tick.C:
			w.flush()
			if s.answered && len(s.held) == 0 && enough() {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

// take handles one packet. It reports false when the connection is of no more use.
func (s *subscriber) take(w *wire, in packet) bool {
	switch in.kind() {
	case mqtt.TypePublish:
		p, err := mqtt.ParsePublish(in.first, in.body, w.v)
		if err != nil {
			s.h.fault("%s got a PUBLISH that cannot be read: %v", s.id, err)
			return false
		}
		s.publish(w, &p)
	case mqtt.TypePubrel:
		a, err := mqtt.ParseAck(in.first, in.body, w.v)
		if err != nil {
			s.h.fault("%s got a PUBREL that cannot be read: %v", s.id, err)
			return false
		}
		delete(s.held, a.ID)
		w.ack(mqtt.TypePubcomp, a.ID)
	case mqtt.TypeSuback:
		return s.suback(w, in)
	case mqtt.TypePingresp:
	case mqtt.TypeDisconnect:
		return false
	default:
		s.h.fault("%s, a subscriber, got %v", s.id, in.kind())
		return false
	}
	return true
}

func (s *subscriber) suback(w *wire, in packet) bool {
	a, err := mqtt.ParseSuback(in.first, in.body, w.v)
	if err != nil {
		s.h.fault("%s got a SUBACK that cannot be read: %v", s.id, err)
		return false
	}
	for _, code := range a.Codes {
		if code != mqtt.ReasonCode(s.sink.qos) {
			s.h.fault("%s got SUBACK with %v", s.id, code)
		}
	}
	s.answered = true
	s.sink.subscribed()
	return true
}

func (s *subscriber) publish(w *wire, p *mqtt.Publish) {
	topic := strings.TrimPrefix(string(p.Topic), s.prefix)
	switch p.QoS {
	case mqtt.AtLeastOnce:
		s.sink.arrive(topic, p.Payload, p.QoS, p.Dup)
		w.ack(mqtt.TypePuback, p.ID)
	case mqtt.ExactlyOnce:
		if before, repeated := s.held[p.ID]; repeated {
			if which, wrong := s.h.identify(topic, p.Payload); wrong == "" && which != before {
				s.h.fault("%s got packet %d again before its PUBREL, first as %v, then as %v", s.id, p.ID, before, which)
			}
		} else {
			s.held[p.ID], _ = s.sink.arrive(topic, p.Payload, p.QoS, p.Dup)
		}
		w.ack(mqtt.TypePubrec, p.ID)
	default:
		s.sink.arrive(topic, p.Payload, p.QoS, p.Dup)
	}
}

// drained reports whether everything acknowledged before a time has come.
func (s *subscriber) drained(before time.Duration) func() bool {
	return func() bool { return s.sink.complete(before) }
}
