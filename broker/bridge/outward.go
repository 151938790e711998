package bridge

import (
	"context"
	"net"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// dialer opens a connection upstream.
type dialer func(context.Context) (net.Conn, error)

// pull takes from the session what may be handled now: always acknowledgements, deliveries only while the upstream takes them.
func (r *runner) pull(now time.Time) error {
	for range pullRounds {
		r.again = false
		if err := r.retryUnsent(now); err != nil {
			return err
		}
		n, err := r.next(now)
		if err != nil {
			return err
		}
		for _, o := range r.batch[:n] {
			if err := r.handle(now, o); err != nil {
				return err
			}
		}
		if n < len(r.batch) && !r.again {
			return nil
		}
	}
	slot(r.wake) // others had better get their turn first
	return nil
}

func (r *runner) next(now time.Time) (int, error) {
	if r.takes() && len(r.unsent) == 0 {
		return r.session.Next(now, r.batch[:])
	}
	return r.session.Acks(r.batch[:])
}

// retryUnsent hands over what a connection broke away from, before anything newer.
func (r *runner) retryUnsent(now time.Time) error {
	for len(r.unsent) > 0 && r.takes() {
		sent, err := r.deliver(now, r.unsent[0])
		if err != nil || !sent {
			return err
		}
		r.unsent = r.unsent[1:]
	}
	return nil
}

// takes reports whether a delivery should go out now.
func (r *runner) takes() bool { return r.canSend() && !r.link.wire.full() }

// canSend is takes without the mark: a batch that was pulled is handed over whole.
func (r *runner) canSend() bool {
	return r.link != nil && r.link.phase == open && !r.link.closing && r.link.wire.why() == nil
}

func (r *runner) handle(now time.Time, o broker.Outbound) error {
	switch o.Kind {
	case broker.Publish:
		sent, err := r.deliver(now, o)
		if !sent {
			r.unsent = append(r.unsent, o)
		}
		return err
	case broker.Puback, broker.Pubrec:
		return r.accepted(now, o.ID, o.Reason)
	case broker.Pubrel:
		r.release(now, o.ID)
	case broker.Pubcomp:
		if r.inbox.completed(o.ID) && r.link != nil && r.link.wire != nil {
			r.link.wire.pubcomp(o.ID)
		}
	}
	return nil
}

// deliver sends one message upstream. sent is false when the connection cannot take it, so that it must wait for the next.
func (r *runner) deliver(now time.Time, o broker.Outbound) (sent bool, err error) {
	remote, line, ok := r.mapping.toRemote(o.Message.Topic)
	if !ok {
		r.ledger.drop(DropUnmapped)
		return true, r.discard(now, o)
	}
	if !r.canSend() {
		return false, nil
	}
	p := mqtt.Delivery{Topic: remote, Payload: o.Message.Payload, QoS: min(o.QoS, line.QoS), Retain: o.Retain, Dup: o.Dup, ID: o.ID}
	if p.QoS > mqtt.AtMostOnce && r.flight.find(o.ID) != nil {
		return false, nil // a message of the bridge's own has had it since half a round ago
	}
	if r.mapping.comesBack(remote) {
		r.echoes.sent(now, remote, p.Payload)
	}
	r.link.wire.publish(&p)
	if p.QoS == mqtt.AtMostOnce {
		if r.link.wire.why() != nil {
			r.ledger.drop(DropUncertain)
		} else {
			r.ledger.update(func(s *Status) { s.Sent++ })
		}
		return true, r.done(o.ID, o.QoS)
	}
	r.lastSent = now
	r.flight.add(&delivery{packet: p, localQoS: o.QoS, pulled: now})
	r.ledger.update(func(s *Status) { r.count(s, &p) })
	return true, nil
}

// count enters a message that has gone out. After a crash the session cannot tell which of all that waited was handed out before.
func (r *runner) count(s *Status, p *mqtt.Delivery) {
	if !p.Dup || r.doubtful == 0 {
		s.Sent++
		return
	}
	r.doubtful--
	s.Resent++
	if p.QoS == mqtt.ExactlyOnce && !r.link.wire.session {
		s.Uncertain++
	}
}

// discard ends a delivery that is not to go upstream. If an earlier run may have sent it at QoS 2, upstream may hold its identifier, and would take the next
// message under it for a repetition: so upstream is made to release it.
func (r *runner) discard(now time.Time, o broker.Outbound) error {
	if o.QoS < mqtt.ExactlyOnce || !o.Dup {
		return r.session.Discard(o.ID)
	}
	r.flight.add(&delivery{packet: mqtt.Delivery{QoS: o.QoS, ID: o.ID}, localQoS: o.QoS, pulled: now, progress: received, givenUp: true})
	r.again = true
	return r.session.Received(o.ID)
}

// done tells the session that upstream has a message for which it needs no PUBREL. A message that the session counts at QoS 2 is ended in one step too: a line
// of a lower QoS does not promise that it arrives only once.
func (r *runner) done(id uint16, qos mqtt.QoS) error {
	switch qos {
	case mqtt.AtLeastOnce:
		return r.session.Acked(id)
	case mqtt.ExactlyOnce:
		return r.session.Discard(id)
	}
	return nil
}
