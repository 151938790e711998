package bridge

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"midge/broker/mqtt"
)

// delivery is one message handed to Paho at QoS 1 or 2 and not yet acknowledged upstream.
type delivery struct {
	id       uint16   // packet identifier in the local session; 0 for the bridge's own availability message
	localQoS mqtt.QoS // how the local session counts it; may be higher than the QoS upstream
	pulled   time.Time

	mid       uint16 // packet identifier upstream
	packet    *packets.PublishPacket
	released  bool      // PUBREC came: only PUBREL may be sent for it now
	overtaken time.Time // when a later message of the same QoS was acknowledged first; zero: not
	localDone bool      // the local session was told
	skipped   bool      // given up as poison; what is left is to free the identifier upstream
}

// resume says what of the store Paho is shown when a connection begins.
type resume uint8

const (
	resumeAll resume = iota
	resumeHead
	resumeNone
)

// store is Paho's Store and the truth about what is in flight: a message is delivered when Paho deletes it here, which it does on
// PUBACK and PUBCOMP only. (Its tokens complete without an error for a message that is merely re-sent.)
//
// Each entry is a value of its own (local identifier, identifier upstream, place in the order, PUBLISH or PUBREL), changed
// by Put, received and Del alone and before the network sees the consequence; so a store on disk writes one record in each
// of the three. Entries for what comes in ("i.") are not kept: the local broker knows what it has taken.
type store struct {
	mu      sync.Mutex
	next    *delivery   // waits for the Put of the Publish that is about to be called
	flight  []*delivery // in the order handed to Paho
	acked   []*delivery // acknowledged and not yet collected
	mode    resume
	lastAck time.Time
	signal  chan struct{} // one slot: acked has grown, or a PUBREC came
}

func newStore() *store { return &store{signal: make(chan struct{}, 1)} }

// bind says what the next Put is. unbind afterwards reports whether there was one.
func (s *store) bind(d *delivery) {
	s.mu.Lock()
	s.next = d
	s.mu.Unlock()
}

func (s *store) unbind() (stored bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored = s.next == nil
	s.next = nil
	return stored
}

// Open does nothing: the store outlives every client.
func (s *store) Open() {}

// Close does nothing: the store outlives every client.
func (s *store) Close() {}

// Reset does nothing: only a clean session would ask for it.
func (s *store) Reset() {}

// Put keeps an outgoing PUBLISH.
func (s *store) Put(key string, packet packets.ControlPacket) {
	p, publish := packet.(*packets.PublishPacket)
	if !publish || !strings.HasPrefix(key, "o.") {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.next
	if d == nil {
		return
	}
	s.next = nil
	d.mid, d.packet = p.MessageID, p
	s.flight = append(s.flight, d)
}

// Del is the acknowledgement.
func (s *store) Del(key string) { s.del(time.Now(), key) }

func (s *store) del(now time.Time, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(key)
	if i < 0 {
		return
	}
	d := s.flight[i]
	for _, earlier := range s.flight[:i] {
		if earlier.packet.Qos == d.packet.Qos && earlier.overtaken.IsZero() {
			earlier.overtaken = now
		}
	}
	s.flight = slices.Delete(s.flight, i, i+1)
	s.acked = append(s.acked, d)
	s.lastAck = now
	s.wake()
}

// Get returns what is to be sent again: the PUBLISH, or PUBREL once PUBREC has come.
func (s *store) Get(key string) packets.ControlPacket {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(key)
	if i < 0 {
		return nil
	}
	if d := s.flight[i]; !d.released {
		return d.packet
	}
	rel := packets.NewControlPacket(packets.Pubrel).(*packets.PubrelPacket)
	rel.MessageID = s.flight[i].mid
	return rel
}

// All lists what is to be sent again, in the order in which it was sent first.
func (s *store) All() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	published := 0
	for _, d := range s.flight {
		if !d.released {
			if s.mode == resumeNone || s.mode == resumeHead && published == 1 {
				continue
			}
			published++
		}
		keys = append(keys, outKey(d.mid))
	}
	return keys
}

// received turns the entry into its PUBREL. Paho does not: it would send the PUBLISH again after a lost connection, and the upstream,
// which may have forgotten the identifier by then, would deliver it twice.
func (s *store) received(mid uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.flight {
		if d.mid == mid && d.packet.Qos == byte(mqtt.ExactlyOnce) {
			d.released = true
			s.wake()
			return
		}
	}
}

// connected prepares for what Paho is about to send again on a new connection and returns how much of it is PUBLISH, and how many
// messages at QoS 2 the upstream knows nothing of because it has lost the session: those go out again from the start,
// at least once instead of exactly once.
func (s *store) connected(sessionPresent bool) (resent, uncertain int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.flight {
		d.overtaken = time.Time{}
		if !sessionPresent && d.packet.Qos == byte(mqtt.ExactlyOnce) && !d.skipped {
			d.released = false
			uncertain++
		}
		if !d.released {
			resent++
		}
	}
	switch s.mode {
	case resumeNone:
		resent = 0
	case resumeHead:
		resent = min(resent, 1)
	}
	return resent, uncertain
}

// disconnected drops the bridge's own messages: they spoke of the connection that is gone.
func (s *store) disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight = slices.DeleteFunc(s.flight, func(d *delivery) bool { return d.id == 0 && !d.released })
}

// skip gives up on a message. At QoS 2 a PUBREL is left in its place, so that the upstream does not take the next message with this
// identifier for a repetition.
func (s *store) skip(d *delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.skipped = true
	if d.packet.Qos == byte(mqtt.ExactlyOnce) {
		d.released = true
		return
	}
	s.flight = slices.DeleteFunc(s.flight, func(e *delivery) bool { return e == d })
}

// collect returns what was acknowledged since the last call.
func (s *store) collect() []*delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	acked := s.acked
	s.acked = nil
	return acked
}

// view is what the loop wants to know about the messages in flight.
type view struct {
	inflight  int
	releasing int       // of them, those that wait for PUBCOMP
	head      *delivery // the oldest that is not released; nil: none
	oldest    time.Time // when the oldest was pulled
	overtaken time.Time // the earliest; zero: none
	lastAck   time.Time
}

func (s *store) view() view {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := view{inflight: len(s.flight), lastAck: s.lastAck}
	for _, d := range s.flight {
		if d.released {
			v.releasing++
		} else if v.head == nil {
			v.head = d
		}
		if v.oldest.IsZero() {
			v.oldest = d.pulled
		}
		if !d.overtaken.IsZero() && (v.overtaken.IsZero() || d.overtaken.Before(v.overtaken)) {
			v.overtaken = d.overtaken
		}
	}
	return v
}

func (s *store) setMode(m resume) {
	s.mu.Lock()
	s.mode = m
	s.mu.Unlock()
}

func (s *store) find(key string) int {
	n, err := strconv.ParseUint(strings.TrimPrefix(key, "o."), 10, 16)
	if err != nil {
		return -1 // an "i." key
	}
	return slices.IndexFunc(s.flight, func(d *delivery) bool { return d.mid == uint16(n) })
}

func (s *store) wake() { slot(s.signal) }

func outKey(mid uint16) string { return "o." + strconv.Itoa(int(mid)) }
