package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"midge/broker/mqtt"
)

const (
	// ackLag is how long before a kill a subscriber's acknowledgement can be on its way to the disk: the broker notes it with its next
	// commit, at most 1 s later, and the machine may be busy.
	ackLag = 3 * time.Second
	// readLag is how long after a kill a subscriber may still find messages in its socket, or a publisher's copy its way.
	readLag = time.Second
)

// verdict is what the checker found.
type verdict struct {
	faults   []string
	sent     int // messages that publishers sent
	due      int // messages times subscriptions
	repeated int // copies beyond the first, all of them explained
}

// check holds what was acknowledged against what came. While not all is said and done it does not ask for what is missing.
func (h *history) check(done bool) verdict {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := verdict{faults: slices.Clone(h.faults)}
	for _, s := range h.sources {
		v.sent += len(s.sent)
		for _, k := range h.sinks {
			h.checkPair(&v, s, k)
		}
	}
	for _, k := range h.sinks {
		if !done {
			break
		}
		lost := 0
		k.eachMissing(h.now()+willGrace, func(s *source, number int) bool {
			if lost++; lost <= 3 {
				v.add("LOST: %s never got %s\n%s", k.name, key{s, number}, h.story(s, number))
			}
			return true
		})
		if lost > 3 {
			v.add("LOST: %s never got %d messages in all", k.name, lost)
		}
	}
	return v
}

func (v *verdict) add(format string, args ...any) {
	if len(v.faults) < faultsMax {
		v.faults = append(v.faults, fmt.Sprintf(format, args...))
	}
}

// checkPair looks at what one subscription got of one publisher.
func (h *history) checkPair(v *verdict, s *source, k *sink) {
	last := map[string]int{} // by topic: the highest number so far, in the order of arrival
	for _, number := range h.inOrder(s, k) {
		m, copies := s.sent[number], k.arrivals(s, number)
		v.due++
		v.repeated += len(copies) - 1
		if !k.wants(m) {
			v.add("%s got %s, which it has not subscribed to", k.name, key{s, number})
		}
		if n := h.unexplained(s, k, number); n > 0 {
			v.add("AGAIN: %s got %s %d times, %d of them without a reason\n%s", k.name, key{s, number}, len(copies), n, h.story(s, number))
		}
		if before, any := last[m.topic]; any && number < before && !s.unpaired {
			v.add("ORDER: %s got %s after %s, both of them for the first time\n%s%s", k.name, key{s, number}, key{s, before}, h.story(s, before), h.story(s, number))
		}
		last[m.topic] = max(last[m.topic], number)
	}
}

// inOrder are the numbers that a subscription got, by their first arrival. The clock does not stand still between two messages of one
// subscriber often enough to matter: what came at the same time is in the order of the numbers.
func (h *history) inOrder(s *source, k *sink) (numbers []int) {
	for number := range k.got[s] {
		if len(k.got[s][number]) > 0 {
			numbers = append(numbers, number)
		}
	}
	slices.SortStableFunc(numbers, func(a, b int) int {
		return int(k.got[s][a][0].at - k.got[s][b][0].at)
	})
	return numbers
}

// unexplained is how many copies of a message beyond the first nothing excuses. At QoS 2 on both sides nothing does. At QoS 1 a publisher that had no
// answer sent again, or a kill took a subscriber's acknowledgement with it.
func (h *history) unexplained(s *source, k *sink, number int) int {
	copies := k.arrivals(s, number)
	if s.qos == mqtt.ExactlyOnce && k.qos == mqtt.ExactlyOnce {
		return len(copies) - 1
	}
	allowed := h.published(s, number) - 1
	n := 0
	for i := 1; i < len(copies); i++ {
		if h.killedBetween(copies[i-1].at-readLag, min(copies[i].at, copies[i-1].at+ackLag)) {
			continue
		}
		if k.radio && copies[i].dup && i <= retryCount {
			continue
		}
		if allowed--; allowed < 0 {
			n++
		}
	}
	return n
}

// published is how often a message may have been taken by the broker as new.
func (h *history) published(s *source, number int) int {
	m := s.sent[number]
	switch {
	case s.qos == mqtt.ExactlyOnce:
		return 1
	case s.counting == byTransmission:
		return m.times
	}
	end := m.acked + s.lag
	if m.acked == 0 {
		end = h.now()
	}
	n := 1
	for _, at := range h.kills {
		if m.at <= at && at <= end {
			n++
		}
	}
	return n
}

// killed is killedBetween for those who do not hold the lock.
func (h *history) killed(from, to time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.killedBetween(from, to)
}

func (h *history) killedBetween(from, to time.Duration) bool {
	return slices.ContainsFunc(h.kills, func(at time.Duration) bool { return from <= at && at <= to })
}

// story tells the life of one message.
func (h *history) story(s *source, number int) string {
	type event struct {
		at   time.Duration
		text string
	}
	m := s.sent[number]
	events := []event{{m.at, fmt.Sprintf("%s sends it at QoS %d on %s (%d octets, retain %v), %d transmissions in all", s.name, s.qos, m.topic, len(s.payload(number)), m.retain, m.times)}}
	end := m.at
	if m.taken != 0 {
		events = append(events, event{m.taken, "the publisher gets PUBREC"})
	}
	if m.acked != 0 {
		events, end = append(events, event{m.acked, "the publisher is told that it is safe"}), m.acked
	}
	for _, k := range h.sinks {
		for _, a := range k.arrivals(s, number) {
			events, end = append(events, event{a.at, fmt.Sprintf("%s gets it, DUP %v", k.name, a.dup)}), max(end, a.at)
		}
	}
	for i, at := range h.kills {
		if m.at-time.Second <= at && at <= end+2*time.Second {
			events = append(events, event{at, fmt.Sprintf("kill %d", i+1)})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return int(a.at - b.at) })
	var b strings.Builder
	fmt.Fprintf(&b, "  the story of %s:\n", key{s, number})
	for _, e := range events {
		fmt.Fprintf(&b, "    %10.4fs %s\n", e.at.Seconds(), e.text)
	}
	return b.String()
}
