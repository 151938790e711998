package bridge

import (
	"context"
	"errors"
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

// takes reports whether a delivery should be handed to Paho now.
func (r *runner) takes() bool { return r.canSend() && !r.link.wire.full() }

// canSend is takes without the mark: a batch that was pulled is handed over whole.
func (r *runner) canSend() bool {
	return r.link != nil && r.link.phase == open && r.link.wire.why() == nil
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
		return r.session.Completed(o.ID)
	case broker.Pubcomp:
		if r.inbox.completed(o.ID) && r.link != nil && r.link.wire != nil {
			r.link.wire.pubcomp(o.ID)
		}
	}
	return nil
}

// deliver hands one message to Paho. sent is false when the connection cannot take it, so that it must wait for the next.
func (r *runner) deliver(now time.Time, o broker.Outbound) (sent bool, err error) {
	remote, line, ok := r.mapping.toRemote(o.Message.Topic)
	if !ok {
		r.ledger.drop(DropUnmapped)
		return true, r.session.Discard(o.ID)
	}
	if !r.canSend() {
		return false, nil
	}
	if r.mapping.comesBack(remote) {
		r.echoes.sent(now, remote, o.Message.Payload)
	}
	qos := min(o.QoS, line.QoS)
	stored, err := r.publish(&delivery{id: o.ID, localQoS: o.QoS, pulled: now}, remote, qos, o.Retain, o.Message.Payload)
	if err != nil {
		r.link.wire.fail(err)
	}
	if qos > mqtt.AtMostOnce {
		if stored {
			r.lastSent = now
			r.ledger.update(func(s *Status) { s.Sent++ })
		}
		return stored, nil
	}
	if r.link.wire.why() != nil {
		r.ledger.drop(DropUncertain)
	} else {
		r.ledger.update(func(s *Status) { s.Sent++ })
	}
	return true, r.done(o.ID, o.QoS)
}

// publish calls Paho. stored reports whether the message is in the store, from where it will reach upstream whatever err says.
func (r *runner) publish(d *delivery, topic string, qos mqtt.QoS, retain bool, payload []byte) (stored bool, err error) {
	r.store.bind(d)
	token := r.link.client.Publish(topic, byte(qos), retain, payload)
	stored = r.store.unbind()
	err = token.Error() // of the call: a token of a message in flight has none yet
	if err == nil && qos > mqtt.AtMostOnce && !stored {
		err = errNotTaken
	}
	return stored, err
}

var errNotTaken = errors.New("the MQTT client did not take a message")

// collect takes in what upstream has acknowledged.
func (r *runner) collect() error {
	acked := r.store.collect()
	if len(acked) == 0 {
		return nil
	}
	n := 0
	for _, d := range acked {
		if d.id != 0 && !d.localDone {
			n++
		}
	}
	if r.link != nil && n > 0 {
		r.link.acked = true
	}
	r.ledger.update(func(s *Status) { s.Acked += uint64(n) })
	return r.finishLocal(acked)
}

// finishLocal tells the session what has arrived upstream. A delivery that the session counts at QoS 2 is finished in two steps: its PUBREL
// comes out of Next and is answered there.
func (r *runner) finishLocal(acked []*delivery) error {
	var errs error
	for _, d := range acked {
		if d.id == 0 || d.localDone {
			continue
		}
		d.localDone = true
		errs = errors.Join(errs, r.done(d.id, d.localQoS))
	}
	return errs
}

func (r *runner) done(id uint16, qos mqtt.QoS) error {
	switch qos {
	case mqtt.AtLeastOnce:
		return r.session.Acked(id)
	case mqtt.ExactlyOnce:
		r.again = true
		return r.session.Received(id)
	}
	return nil
}
