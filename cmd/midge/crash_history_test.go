package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"midge/broker/mqtt"
)

// history is what all clients of a crash test did and saw, on one clock. It is the only thing that the checker looks at: what a
// publisher was told is held against what each subscription got.
type history struct {
	mu      sync.Mutex
	start   time.Time
	kills   []time.Duration // since start, ascending
	sources []*source
	sinks   []*sink
	faults  []string // what a client saw that no later message can put right
	came    int      // messages, at all subscribers
}

func newHistory() *history { return &history{start: time.Now()} }

// now is the time since the start.
func (h *history) now() time.Duration { return time.Since(h.start) }

// kill notes that the broker is about to be killed.
func (h *history) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kills = append(h.kills, h.now())
}

// faultsMax bounds the list: what is broken is broken a thousand times.
const faultsMax = 50

// fault notes something that must never be seen.
func (h *history) fault(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faultLocked(format, args...)
}

func (h *history) faultLocked(format string, args ...any) {
	if len(h.faults) < faultsMax {
		h.faults = append(h.faults, fmt.Sprintf("%.3fs: ", h.now().Seconds())+fmt.Sprintf(format, args...))
	}
}

// counting says how a checker knows how many copies of a message a publisher may have made at QoS 1.
type counting uint8

const (
	byTransmission counting = iota // each transmission was counted
	byKill                         // one more for each kill between the first transmission and a little after the acknowledgement
)

// source is one publisher. It has one QoS, numbers its messages from 0 and never has two of one number.
type source struct {
	h        *history
	name     string
	qos      mqtt.QoS
	counting counting
	lag      time.Duration // byKill: how long after the acknowledgement a kill can still make a copy
	unpaired bool          // its messages have no order among each other
	sent     []*message    // by number
}

// message is one publish.
type message struct {
	topic  string // as the broker under test names it
	retain bool
	clear  bool          // no payload: it takes the retained value away
	size   int           // least octets of payload
	at     time.Duration // when it was first sent
	times  int           // transmissions
	taken  time.Duration // QoS 2: when PUBREC came; 0 = not yet
	acked  time.Duration // when the publisher was told that the message is safe; 0 = not yet
}

func (h *history) newSource(name string, qos mqtt.QoS) *source {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &source{h: h, name: name, qos: qos}
	h.sources = append(h.sources, s)
	return s
}

// send notes a new message and returns its number and payload.
func (s *source) send(m message) (number int, payload []byte) {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	m.at, m.times = s.h.now(), 1
	s.sent = append(s.sent, &m)
	number = len(s.sent) - 1
	return number, s.payload(number)
}

// payload is publisher, number and time in words, and filling that follows from them.
func (s *source) payload(number int) []byte {
	m := s.sent[number]
	if m.clear {
		return nil
	}
	b := fmt.Appendf(nil, "%s %d %d ", s.name, number, m.at.Nanoseconds())
	for i := len(b); i < m.size; i++ {
		b = append(b, 'a'+byte((number+i*i)%26))
	}
	return b
}

// again notes that a message goes out once more, or so many times.
func (s *source) again(number, times int) {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	s.sent[number].times += times
}

// taken notes PUBREC.
func (s *source) taken(number int) {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	if m := s.sent[number]; m.taken == 0 {
		m.taken = s.h.now()
	}
}

// acked notes PUBACK or PUBCOMP.
func (s *source) acked(number int) {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	s.sent[number].acked = s.h.now()
}

// due notes that a message is certain to come, though only after a while.
func (s *source) due(number int, after time.Duration) {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	s.sent[number].acked = s.h.now() + after
}

// open is how many messages are not acknowledged.
func (s *source) open() (n int) {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	for _, m := range s.sent {
		if m.acked == 0 {
			n++
		}
	}
	return n
}

// sink is one subscription, or several of one client that do not overlap.
type sink struct {
	h        *history
	name     string
	qos      mqtt.QoS
	prefixes []string      // topics that it wants begin with one of these
	radio    bool          // what is not acknowledged soon comes again, with DUP
	since    time.Duration // when the subscription was acknowledged; 0 = not yet
	until    time.Duration // when it was given up; 0 = never
	got      map[*source][][]arrival
	settled  map[*source]int // below these numbers nothing is missing, now or later
}

// arrival is one copy of a message as a subscriber got it.
type arrival struct {
	at  time.Duration
	dup bool
}

func (h *history) newSink(name string, qos mqtt.QoS, prefixes ...string) *sink {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := &sink{h: h, name: name, qos: qos, prefixes: prefixes, got: map[*source][][]arrival{}, settled: map[*source]int{}}
	h.sinks = append(h.sinks, k)
	return k
}

// subscribed notes SUBACK.
func (k *sink) subscribed() {
	k.h.mu.Lock()
	defer k.h.mu.Unlock()
	if k.since == 0 {
		k.since = k.h.now()
	}
}

// wants reports whether the subscription is to get m at all.
func (k *sink) wants(m *message) bool {
	for _, p := range k.prefixes {
		if strings.HasPrefix(m.topic, p) {
			return true
		}
	}
	return false
}

// key names one message of the history.
type key struct {
	*source
	number int
}

func (k key) String() string { return fmt.Sprintf("%s #%d", k.name, k.number) }

// identify finds out which message a payload is, and says what is wrong when it is none.
func (h *history) identify(topic string, payload []byte) (key, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.identifyLocked(topic, payload)
}

func (h *history) identifyLocked(topic string, payload []byte) (key, string) {
	var name string
	var number int
	if _, err := fmt.Sscanf(string(payload[:min(len(payload), 100)]), "%s %d ", &name, &number); err != nil {
		return key{}, fmt.Sprintf("%q on %s is no message of this test", payload[:min(len(payload), 100)], topic)
	}
	for _, s := range h.sources {
		if s.name != name {
			continue
		}
		if number < 0 || number >= len(s.sent) {
			return key{}, fmt.Sprintf("message %d of %s was never sent", number, name)
		}
		if want := s.payload(number); !bytes.Equal(payload, want) {
			return key{}, fmt.Sprintf("message %d of %s came with another payload (%d octets, sent %d)", number, name, len(payload), len(want))
		}
		if m := s.sent[number]; m.topic != topic {
			return key{}, fmt.Sprintf("message %d of %s came on %s, it was sent on %s", number, name, topic, m.topic)
		}
		return key{s, number}, ""
	}
	return key{}, fmt.Sprintf("a message of %q, who is no publisher of this test", name)
}

// arrive notes a message that the subscriber took as new, and returns which it is. What cannot be identified is a fault.
func (k *sink) arrive(topic string, payload []byte, qos mqtt.QoS, dup bool) (key, bool) {
	k.h.mu.Lock()
	defer k.h.mu.Unlock()
	which, wrong := k.h.identifyLocked(topic, payload)
	if wrong != "" {
		k.h.faultLocked("%s got %s", k.name, wrong)
		return key{}, false
	}
	if want := min(which.qos, k.qos); qos != want {
		k.h.faultLocked("%s got %v at QoS %d, it was due at %d", k.name, which, qos, want)
	}
	rows := k.got[which.source]
	for len(rows) <= which.number {
		rows = append(rows, nil)
	}
	k.h.came++
	rows[which.number] = append(rows[which.number], arrival{k.h.now(), dup})
	k.got[which.source] = rows
	return which, true
}

// arrivals is how many messages have come, at all subscribers.
func (h *history) arrivals() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.came
}

// arrivals are the copies of one message that came, in order.
func (k *sink) arrivals(s *source, number int) []arrival {
	if rows := k.got[s]; number < len(rows) {
		return rows[number]
	}
	return nil
}

// complete reports whether everything has come that is due and was acknowledged before a time. Due is what was sent after the subscription stood.
func (k *sink) complete(before time.Duration) bool {
	k.h.mu.Lock()
	defer k.h.mu.Unlock()
	complete := true
	k.eachMissing(before, func(*source, int) bool {
		complete = false
		return false
	})
	return complete
}

// eachMissing calls f for each message that is missing, until f says no; with the lock held.
func (k *sink) eachMissing(before time.Duration, f func(*source, int) bool) {
	if k.since == 0 {
		return
	}
	for _, s := range k.h.sources {
		for number := k.settled[s]; number < len(s.sent); number++ {
			m := s.sent[number]
			switch {
			case m.at < k.since || !k.wants(m) || len(k.arrivals(s, number)) > 0:
				if k.settled[s] == number {
					k.settled[s]++
				}
			case m.acked != 0 && m.acked < before && (k.until == 0 || m.acked < k.until):
				if !f(s, number) {
					return
				}
			}
		}
	}
}

// firstMissing tells the story of the first message that is missing, "" when none is.
func (k *sink) firstMissing() (story string) {
	k.h.mu.Lock()
	defer k.h.mu.Unlock()
	k.eachMissing(k.h.now(), func(s *source, number int) bool {
		story = k.h.story(s, number)
		return false
	})
	return story
}
