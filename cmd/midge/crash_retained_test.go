package main

import (
	"context"
	"fmt"
	"time"

	"midge/broker/mqtt"
)

// keptPrefix is where retained values are; each topic has one publisher.
const keptPrefix = "kept/"

// acknowledged is, for every retained topic, the number of the last message that was acknowledged.
func (h *history) acknowledged() map[string]key {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := map[string]key{}
	for _, s := range h.sources {
		for number, m := range s.sent {
			if m.retain && m.acked != 0 {
				last[m.topic] = key{s, number}
			}
		}
	}
	return last
}

// lookAtRetained asks the broker for all retained values and holds them against what was acknowledged before. It reports false when it could not ask.
func (h *history) lookAtRetained(ctx context.Context, addr, id string) bool {
	last := h.acknowledged()
	seen, ok := fetchRetained(ctx, addr, id)
	if !ok {
		return false
	}
	h.compareRetained(last, seen)
	return true
}

// compareRetained holds the values that were seen against the last message of each topic that was acknowledged before.
func (h *history) compareRetained(last map[string]key, seen map[string][]byte) {
	for topic, payload := range seen {
		which, wrong := h.identify(topic, payload)
		if wrong != "" {
			h.fault("a retained value is %s", wrong)
		} else if known := last[topic]; known.source != nil && which.number < known.number {
			h.fault("RETAINED: %s is %v, but %v was acknowledged\n%s%s", topic, which, known, h.tell(which), h.tell(known))
		}
	}
	for topic, known := range last {
		if _, is := seen[topic]; !is && !h.mayBeCleared(known, topic) {
			h.fault("RETAINED: %s has no value, but %v was acknowledged\n%s", topic, known, h.tell(known))
		}
	}
}

func (h *history) tell(k key) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.story(k.source, k.number)
}

// mayBeCleared reports whether the message, or a later one on its topic, takes the value away.
func (h *history) mayBeCleared(k key, topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range k.sent[k.number:] {
		if m.topic == topic && m.clear {
			return true
		}
	}
	return false
}

// fetchRetained subscribes to the retained topics and returns their values. It knows that it has all of them when a message that it sends itself
// behind its SUBACK has come.
func fetchRetained(ctx context.Context, addr, id string) (values map[string][]byte, ok bool) {
	w, _, err := dialWire(addr, &mqtt.Connect{Version: mqtt.V311, ClientID: id, CleanStart: true})
	if err != nil {
		return nil, false
	}
	defer w.close()
	w.out = (&mqtt.Subscribe{ID: 1, Subscriptions: []mqtt.Subscription{{Filter: keptPrefix + "#"}}}).Append(w.out, w.v)
	w.flush()
	values = map[string][]byte{}
	end := fmt.Sprintf("%send/%s", keptPrefix, id)
	timeout := time.After(patience)
	for {
		select {
		case in, open := <-w.in:
			if !open {
				return nil, false
			}
			if in.kind() == mqtt.TypeSuback {
				w.out = (&mqtt.Publish{Topic: []byte(end), Payload: []byte("end")}).Append(w.out, w.v)
				w.flush()
			}
			p, err := mqtt.ParsePublish(in.first, in.body, w.v)
			if in.kind() != mqtt.TypePublish || err != nil {
				continue
			}
			if string(p.Topic) == end {
				return values, true
			}
			if p.Retain {
				values[string(p.Topic)] = p.Payload
			}
		case <-timeout:
			return nil, false
		case <-ctx.Done():
			return nil, false
		}
	}
}
