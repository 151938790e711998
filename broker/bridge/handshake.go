package bridge

import (
	"errors"
	"time"

	"midge/broker/mqtt"
)

// takeAcks takes in what upstream has acknowledged.
func (r *runner) takeAcks(now time.Time) error {
	if r.link == nil || r.link.wire == nil {
		return nil
	}
	var errs error
	for _, a := range r.link.wire.takeAcks() {
		errs = errors.Join(errs, r.acknowledged(now, a))
	}
	return errs
}

// acknowledged takes one PUBACK, PUBREC or PUBCOMP. What does not belong to the message's QoS and progress is ignored; if nothing better
// follows, the connection is found to be stalled.
func (r *runner) acknowledged(now time.Time, a seen) error {
	d := r.flight.find(a.id())
	switch {
	case d == nil && a.kind == typePubrec:
		r.link.wire.pubrel(a.id()) // upstream is one step behind after a lost connection
	case d == nil:
	case a.kind == typePubrec && d.packet.QoS == mqtt.ExactlyOnce:
		return r.received(now, d)
	case a.kind == typePuback && d.packet.QoS == mqtt.AtLeastOnce:
		r.flight.acknowledged(now, d)
		if d.own {
			return nil
		}
		r.took()
		return r.done(d.packet.ID, d.localQoS)
	case a.kind == typePubcomp && d.progress == released:
		r.flight.acknowledged(now, d)
		if !d.givenUp {
			r.took()
		}
		return r.session.Completed(d.packet.ID)
	}
	return nil
}

// took counts a message that upstream has for good.
func (r *runner) took() {
	r.link.acked = true
	r.ledger.update(func(s *Status) { s.Acked++ })
}

// received takes PUBREC. The session is told at once, and hands out PUBREL when that is safe: were PUBREL to go out first, a power cut could have the
// message sent again under an identifier that upstream has let go of.
func (r *runner) received(now time.Time, d *delivery) error {
	r.flight.lastAck = now
	switch d.progress {
	case sent:
		d.progress = received
		return r.session.Received(d.packet.ID)
	case released:
		r.link.wire.pubrel(d.packet.ID)
	}
	return nil
}

// release takes PUBREL from the session. After a restart it comes for what upstream had received by then.
func (r *runner) release(now time.Time, id uint16) {
	d := r.flight.find(id)
	switch {
	case d == nil:
		d = &delivery{packet: mqtt.Delivery{QoS: mqtt.ExactlyOnce, ID: id}, localQoS: mqtt.ExactlyOnce, pulled: now}
		r.flight.add(d)
	case d.progress != received:
		return // upstream has lost the session meanwhile, and gets the message anew
	}
	d.progress = released
	if r.link != nil && r.link.wire != nil {
		r.link.wire.pubrel(id)
	}
}

// resume says again on a new connection what upstream may not have heard: first PUBREL, which waits for nothing else.
func (r *runner) resume(sessionPresent bool) error {
	if !sessionPresent {
		return r.renew()
	}
	for _, d := range r.flight.list {
		if d.progress == released {
			r.link.wire.pubrel(d.packet.ID)
		}
	}
	return nil
}

// renew begins anew with an upstream that has lost the session. What it has received is its own, even where this side cannot send it again.
func (r *runner) renew() error {
	over, uncertain := r.flight.lost()
	if uncertain > 0 {
		r.ledger.update(func(s *Status) { s.Uncertain += uint64(uncertain) })
		r.log.Error("upstream lost the session: messages at QoS 2 are sent again and may arrive twice", "peer", r.peer, "messages", uncertain)
	}
	var errs error
	for _, d := range over {
		errs = errors.Join(errs, r.session.Completed(d.packet.ID))
	}
	return errs
}

// resend sends again what upstream has not taken, in the old order; at most so many messages.
func (r *runner) resend(now time.Time, most int) {
	n := 0
	for _, d := range r.flight.list {
		if d.progress != sent || n == most {
			continue
		}
		n++
		d.packet.Dup = true
		r.link.wire.publish(&d.packet)
	}
	if n > 0 {
		r.lastSent = now
		r.ledger.update(func(s *Status) { s.Resent += uint64(n) })
	}
}
