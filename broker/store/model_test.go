package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"midge/broker/mqtt"
)

// A model says what a store must hold, in the plainest way: maps.
type model struct {
	rng      *rand.Rand
	sessions map[uint32]*modelSession
	retained map[string]string
	clock    Clock
	num      uint32
	body     uint64
}

type modelSession struct {
	record   Session
	subs     map[string]Subscription
	notes    map[string]string
	inbound  map[uint16]bool
	received map[uint64]bool
	queue    map[uint64]Entry
	next     uint64
}

func newModel(rng *rand.Rand) *model {
	return &model{rng: rng, sessions: map[uint32]*modelSession{}, retained: map[string]string{}}
}

// change makes one random change, in the model and in the batch.
func (m *model) change(b *Batch) {
	if len(m.sessions) < 2 {
		m.newSession(b)
	}
	num := m.pick()
	s := m.sessions[num]
	letter := string(rune('a' + m.rng.IntN(5)))
	switch m.rng.IntN(20) {
	case 0:
		m.newSession(b)
	case 1:
		b.DropSession(num)
		delete(m.sessions, num)
	case 2:
		s.record.Given, s.record.Connected = m.rng.Uint64(), !s.record.Connected
		b.SetSession(s.record)
	case 3:
		s.subs[letter] = Subscription{Filter: letter, QoS: mqtt.QoS(m.rng.IntN(3))}
		b.SetSubscription(num, s.subs[letter])
	case 4:
		delete(s.subs, letter)
		b.DropSubscription(num, letter)
	case 5:
		s.notes[letter] = fmt.Sprint(m.rng.Uint64())
		b.SetNote(num, letter, []byte(s.notes[letter]))
	case 6:
		delete(s.notes, letter)
		b.SetNote(num, letter, nil)
	case 7:
		s.inbound[uint16(letter[0])] = true
		b.AddInbound(num, uint16(letter[0]))
	case 8:
		delete(s.inbound, uint16(letter[0]))
		b.DropInbound(num, uint16(letter[0]))
	case 9:
		m.retain(b, letter)
	case 10:
		m.clock = Clock{m.rng.Int64(), 1, -m.rng.Int64()}
		b.SetClock(m.clock)
	case 11:
		m.receive(b, num, s)
	case 12, 13, 14:
		m.remove(b, num, s)
	default:
		m.publish(b, letter)
	}
}

func (m *model) newSession(b *Batch) {
	m.num++
	m.sessions[m.num] = &modelSession{
		record: Session{Num: m.num, ClientID: fmt.Sprint("c", m.num)}, subs: map[string]Subscription{}, notes: map[string]string{},
		inbound: map[uint16]bool{}, received: map[uint64]bool{}, queue: map[uint64]Entry{}, next: 1,
	}
	b.SetSession(m.sessions[m.num].record)
}

func (m *model) pick() uint32 {
	nums := slices.Sorted(maps.Keys(m.sessions))
	return nums[m.rng.IntN(len(nums))]
}

func (m *model) retain(b *Batch, topic string) {
	delete(m.retained, topic)
	payload := strings.Repeat("r", m.rng.IntN(3))
	if payload != "" {
		m.retained[topic] = payload
	}
	b.SetRetained(&Message{Topic: topic, Payload: []byte(payload)})
}

// publish gives one message to one session or several. Payloads do not compress.
func (m *model) publish(b *Batch, topic string) {
	payload := make([]byte, m.rng.IntN(400))
	if m.rng.IntN(30) == 0 {
		payload = make([]byte, 20_000)
	}
	for i := range payload {
		payload[i] = byte(m.rng.Uint32())
	}
	message := Message{Topic: topic, Payload: payload, QoS: 1}
	receivers := map[uint32]bool{}
	for range 1 + m.rng.IntN(3) {
		receivers[m.pick()] = true
	}
	e := Entry{QoS: 1, Total: m.rng.Uint64N(1 << 40), Message: message}
	if len(receivers) > 1 {
		m.body += 1 + m.rng.Uint64N(2)
		e.Body = m.body
		b.AddBody(e.Body, len(receivers), &message)
	}
	for _, num := range slices.Sorted(maps.Keys(receivers)) {
		s := m.sessions[num]
		e.Seq = s.next
		s.next += 1 + m.rng.Uint64N(4)/3
		s.queue[e.Seq] = e
		b.Enqueue(num, &e)
	}
}

func (m *model) receive(b *Batch, num uint32, s *modelSession) {
	for seq := range s.queue {
		if !s.received[seq] {
			s.received[seq] = true
			b.AddReceived(num, seq)
			return
		}
	}
}

// remove takes away much of the front of a queue, with gaps at times.
func (m *model) remove(b *Batch, num uint32, s *modelSession) {
	seqs := slices.Sorted(maps.Keys(s.queue))
	var gone []Removed
	for _, seq := range seqs[:m.rng.IntN(len(seqs)+1)] {
		if m.rng.IntN(10) == 0 {
			continue
		}
		gone = append(gone, Removed{seq, s.queue[seq].Body})
		delete(s.queue, seq)
		delete(s.received, seq)
	}
	b.Remove(num, gone)
}

// text is what dump would say.
func (m *model) text() string {
	var sessions, subs, inbound, received, notes, rest strings.Builder
	bodies := map[uint64]bool{}
	for _, num := range slices.Sorted(maps.Keys(m.sessions)) {
		s := m.sessions[num]
		fmt.Fprintf(&sessions, "session %d: %+v\n", num, s.record)
		for _, seq := range slices.Sorted(maps.Keys(s.queue)) {
			e := s.queue[seq]
			if e.Body != 0 {
				bodies[e.Body] = true
			}
			if !s.received[seq] {
				fmt.Fprintf(&sessions, "  entry %d total=%d qos=%d body=%d %s: %s\n", seq, e.Total, e.QoS, e.Body, e.Message.Topic, e.Message.Payload)
			}
		}
		for _, filter := range slices.Sorted(maps.Keys(s.subs)) {
			fmt.Fprintf(&subs, "subscription %d: %+v\n", num, s.subs[filter])
		}
		for _, id := range slices.Sorted(maps.Keys(s.inbound)) {
			fmt.Fprintf(&inbound, "inbound %d: %d\n", num, id)
		}
		for _, seq := range slices.Sorted(maps.Keys(s.received)) {
			fmt.Fprintf(&received, "received %d: %d\n", num, seq)
		}
		for _, name := range slices.Sorted(maps.Keys(s.notes)) {
			fmt.Fprintf(&notes, "note %d %s: %q\n", num, name, s.notes[name])
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(m.retained)) {
		fmt.Fprintf(&rest, "retained %s: %s\n", topic, m.retained[topic])
	}
	if m.clock != (Clock{}) {
		fmt.Fprintf(&rest, "clock %v\n", m.clock)
	}
	for _, number := range slices.Sorted(maps.Keys(bodies)) {
		fmt.Fprintf(&rest, "body %d\n", number)
	}
	return sessions.String() + subs.String() + inbound.String() + received.String() + notes.String() + rest.String()
}
