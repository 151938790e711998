package broker

import (
	"time"

	"midge/broker/mqtt"
)

// Next fills dst with what may be sent now and returns how many there are: acknowledgements first, then what was in
// flight when the client went away, then the queue as far as the receive window allows. It never blocks. Fewer than
// len(dst), and less than Options.PullBytes, means that nothing more waits; the waker then tells when something does.
func (s *Session) Next(now time.Time, dst []Outbound) (n int, err error) {
	s.b.mu.Lock()
	defer s.b.unlockLater()
	if s.st.owner != s {
		return 0, ErrTakenOver
	}
	s.prompt, s.pulled, s.resting = now, 0, false
	n = s.nextAcks(dst)
	if s.st.replies == 0 { // the subscriber is to have its answer first
		n += s.nextResent(dst[n:])
		n += s.nextQueued(now, dst[n:])
		for len(s.st.shares) > 0 && n < len(dst) && s.pulled < s.pullBytes && s.takeShares(now) {
			n += s.nextQueued(now, dst[n:])
		}
	}
	s.awake = n == len(dst) || s.pulled >= s.pullBytes
	s.st.relax()
	return n, nil
}

// Acks is Next without the deliveries, for a client that may be answered but is given nothing now.
func (s *Session) Acks(dst []Outbound) (n int, err error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.st.owner != s {
		return 0, ErrTakenOver
	}
	n = s.nextAcks(dst)
	if s.resting {
		s.st.shrink()
	}
	return n, nil
}

func (s *Session) nextAcks(dst []Outbound) (n int) {
	s.told = false
	for n < len(dst) && s.b.ready(s.st) {
		dst[n] = s.st.acks.pop().Outbound
		if dst[n].Kind == Reply {
			s.st.replies--
		}
		n++
	}
	return n
}

// resume makes a new front end repeat what was in flight on an earlier connection. "When a Client reconnects … the Server MUST resend any
// unacknowledged PUBLISH packets (where QoS > 0) and PUBREL packets using their original Packet Identifiers" [MQTT-4.4.0-1]. PUBREL goes at once, as
// Receive Maximum must not delay it [MQTT-3.3.4-10]; PUBLISH follows from nextResent.
func (s *Session) resume() {
	w := &s.st.window
	for i := range w.len() {
		d := w.at(i)
		d.given = false
		if d.phase == released {
			s.give(d)
			s.answerSafe(Pubrel, d.id(), mqtt.Success, nil)
		}
	}
}

// give counts d against the Receive Maximum of this front end, once.
func (s *Session) give(d *delivery) {
	if !d.given {
		d.given = true
		s.outstanding++
	}
}

func (s *Session) nextResent(dst []Outbound) (n int) {
	w := &s.st.window
	for ; s.resend < w.len(); s.resend++ {
		d := w.at(s.resend)
		if d.phase != sent {
			continue
		}
		if n == len(dst) || s.pulled >= s.pullBytes || s.outstanding >= s.receiveMaximum {
			break
		}
		dst[n] = d.outbound(true)
		s.pulled += dst[n].Octets()
		s.traffic.Out[d.qos]++
		s.traffic.OutBytes += uint64(len(d.msg.Payload))
		s.give(d)
		n++
	}
	return n
}

func (s *Session) nextQueued(now time.Time, dst []Outbound) (n int) {
	b, st := s.b, s.st
	if s.resend < st.window.len() {
		return 0 // order: nothing new before the last of the old
	}
	payload := 0
	for n < len(dst) && s.pulled < s.pullBytes && st.queue.len() > 0 {
		if first := st.queue.at(0); first.qos > mqtt.AtMostOnce && !s.maySend(first.seq()) {
			break
		} else if !b.mayGo(first) {
			st.blocked = true
			break
		}
		q, place := b.take(st)
		begun := q.begun()
		if !begun && st.access != nil && !st.access.MayRead(q.msg.Topic) { // asked now: the rules may have changed while it waited
			b.drop(NotAuthorized)
			b.doneWith(s, st, &q)
			continue
		}
		if !begun && q.msg.expired(now) {
			b.drop(Expired)
			b.doneWith(s, st, &q)
			continue
		}
		s.traffic.Out[q.qos]++
		payload += len(q.msg.Payload)
		if q.qos == mqtt.AtMostOnce {
			dst[n] = delivery{queued: q}.outbound(false)
		} else {
			dst[n] = s.send(q, place).outbound(q.kept != nil && q.kept.dup)
		}
		s.pulled += dst[n].Octets()
		n++
	}
	s.traffic.OutBytes += uint64(payload)
	b.refill(st)
	return n
}

// take takes the first message out of a session's queue.
func (b *Broker) take(st *state) (q queued, place uint64) {
	q = st.queue.pop()
	place = st.passed
	if q.kept != nil {
		place += uint64(q.kept.skip)
	}
	st.passed = place + 1
	b.unqueue(st, q)
	return q, place
}

// send puts q in flight.
func (s *Session) send(q queued, place uint64) *delivery {
	d := delivery{queued: q, place: place, seq: q.seq()}
	if q.kept == nil {
		d.seq = s.st.number()
	} else {
		s.st.dur.given = max(s.st.dur.given, d.seq)
	}
	in := s.st.window.add(d)
	s.b.inflight++
	s.b.inflightBytes += q.msg.size()
	s.give(in)
	s.resend++
	return in
}

// letGo lets go of the message of a delivery, which the subscriber has.
func (s *Session) letGo(d *delivery) {
	if d.msg == nil {
		return
	}
	s.st.window.size -= d.msg.size()
	s.b.inflightBytes -= d.msg.size()
	d.msg, d.from = nil, nil
}

// maySend reports whether one more delivery at QoS > 0 may be in flight. What a subscriber is given and never acknowledges is bounded in octets too.
func (s *Session) maySend(seq uint64) bool {
	w := &s.st.window
	if seq == 0 {
		seq = s.st.numbers + 1
	}
	return s.outstanding < s.receiveMaximum && w.spans(seq) && w.size < s.b.limits.QueueBytes
}

func (d delivery) outbound(dup bool) Outbound {
	o := Outbound{Kind: Publish, QoS: d.qos, Retain: d.retain, Dup: dup, ID: d.id(), Message: d.msg}
	if d.from != nil {
		o.SubscriptionIDs = d.from.ids
	}
	return o
}

// Acked is the subscriber's PUBACK: deliveries at QoS 1 are done. Identifiers that are not in flight are ignored, as after a reconnect both sides may
// speak of the past; ErrUnexpected says that one belongs to a delivery at QoS 2, after which the others have been handled all the same.
func (s *Session) Acked(ids ...uint16) (err error) {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.unlock()
	for _, id := range ids {
		switch d := s.st.window.find(id); {
		case d == nil:
		case d.qos != mqtt.AtLeastOnce:
			err = ErrUnexpected
		default:
			s.finish(d)
		}
	}
	return err
}

// Refused is a subscriber's answer with a reason of 0x80 or more to a delivery at QoS 1 or 2: it is done and is not sent again.
func (s *Session) Refused(id uint16) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.unlock()
	if d := s.st.window.find(id); d != nil && d.phase == sent {
		s.b.drop(SubscriberRefused)
		s.finish(d)
	}
	return nil
}

// Discard ends a delivery that the front end could not send at all, as if the subscriber had it: too large for the client, the link or the upstream.
func (s *Session) Discard(id uint16) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.unlockLater()
	if d := s.st.window.find(id); d != nil {
		s.finish(d)
	}
	return nil
}

// Received is the subscriber's PUBREC for deliveries at QoS 2. The message is the subscriber's from now on; PUBREL comes out of Next,
// for an identifier that is not in flight too. ErrUnexpected: as for Acked.
func (s *Session) Received(ids ...uint16) (err error) {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.unlock()
	for _, id := range ids {
		switch d := s.st.window.find(id); {
		case d == nil:
			s.answerSafe(Pubrel, id, mqtt.Success, nil) // the subscriber may be one step behind after a lost connection
		case d.qos != mqtt.ExactlyOnce:
			err = ErrUnexpected
		default:
			if d.kept != nil && d.phase == sent {
				// Were PUBREL to go out first, a power cut would make the message a second one.
				s.b.enter(change{st: s.st, kind: copyReceived, seq: d.seq})
			}
			d.phase = released
			s.letGo(d)
			s.give(d) // it may come before the delivery was handed out again
			s.answerSafe(Pubrel, id, mqtt.Success, nil)
		}
	}
	return err
}

// Completed is the subscriber's PUBCOMP: deliveries at QoS 2 are done. ErrUnexpected: one of them has not been Received.
func (s *Session) Completed(ids ...uint16) (err error) {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.unlock()
	for _, id := range ids {
		switch d := s.st.window.find(id); {
		case d == nil:
		case d.phase != released:
			err = ErrUnexpected
		default:
			s.finish(d)
		}
	}
	return err
}

// finish ends a delivery that this front end has handed out, or that an earlier one had.
func (s *Session) finish(d *delivery) {
	if d.given {
		s.outstanding--
	}
	s.b.doneWith(s, s.st, &d.queued)
	s.letGo(d)
	s.resend -= min(s.resend, s.st.window.finish(d))
	s.b.inflight--
}

// Mark is a place in a session's stream of messages.
type Mark uint64

// Mark returns the place behind the last message that the session has been given so far.
func (s *Session) Mark() (Mark, error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.st.owner != s {
		return 0, ErrTakenOver
	}
	st := s.st
	return Mark(st.passed + uint64(st.queue.len()+st.skipped+st.dur.places())), nil
}

// Pending reports whether a message before the mark is still waiting or in flight, or an acknowledgement waits to be sent.
func (s *Session) Pending(m Mark) (bool, error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	st := s.st
	if st.owner != s {
		return false, ErrTakenOver
	}
	if st.acks.len() > 0 || st.passed < uint64(m) {
		return true, nil
	}
	place, ok := st.window.oldest()
	return ok && place < uint64(m), nil
}

// Waiting returns how many messages wait for the session or are in flight to it.
func (s *Session) Waiting() int {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return s.st.waiting()
}

// Waiting is what Session.Waiting says of the session of that client id, whether or not somebody has it; 0 if there is none.
func (b *Broker) Waiting(clientID string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if st := b.sessions[clientID]; st != nil {
		return st.waiting()
	}
	return 0
}

// Has reports whether there is a session of that client id, whether or not somebody has it.
func (b *Broker) Has(clientID string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sessions[clientID] != nil
}

func (st *state) waiting() int { return st.queue.len() + st.dur.stored() + st.window.live }
