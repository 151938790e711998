package bridge

import (
	"errors"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"midge/broker"
	"midge/broker/mqtt"
)

var errShed = errors.New("messages from upstream found no room here; the connection is made anew to get them again")

func refusedError(reason mqtt.ReasonCode) error {
	return fmt.Errorf("the local broker refused a message from upstream: %v", reason)
}

// inbox knows which messages from upstream wait for the local broker's answer, and which PUBRELs.
//
// The local broker is asked under the identifier that upstream gave: at QoS 2 it then recognises a repetition by itself, on this
// connection or a later one and after a restart, until Release.
type inbox struct {
	waiting   map[uint16]*arrival
	stale     map[uint16]int  // answers still to come that belong to an earlier connection
	releasing map[uint16]bool // PUBREL came on this connection; PUBCOMP is owed
	held      []*arrival      // refused for congestion, to be tried again in order
	trying    bool            // the first of held is with the local broker
	shed      bool            // held was full: upstream must be made to send again
	retryAt   time.Time       // zero: nothing to try again
}

// arrival is one message from upstream at QoS 1 or 2.
type arrival struct {
	from    paho.Message
	message *broker.Message
}

func newInbox() inbox {
	return inbox{waiting: make(map[uint16]*arrival), stale: make(map[uint16]int), releasing: make(map[uint16]bool)}
}

// disconnected forgets what belonged to the connection. Nothing is lost: upstream sends again what was not acknowledged.
func (b *inbox) disconnected() {
	for id := range b.waiting {
		b.stale[id]++
	}
	clear(b.waiting)
	clear(b.releasing)
	b.held, b.trying, b.shed, b.retryAt = nil, false, false, time.Time{}
}

// answered returns what the local broker's answer belongs to; nil when that is gone.
func (b *inbox) answered(id uint16) *arrival {
	if n := b.stale[id]; n > 0 {
		if n == 1 {
			delete(b.stale, id)
		} else {
			b.stale[id] = n - 1
		}
		return nil
	}
	a := b.waiting[id]
	delete(b.waiting, id)
	return a
}

// completed reports whether PUBCOMP is owed upstream.
func (b *inbox) completed(id uint16) bool {
	owed := b.releasing[id]
	delete(b.releasing, id)
	return owed
}

// arrived takes one message from Paho.
func (r *runner) arrived(now time.Time, m paho.Message) error {
	if err := r.takeEvents(); err != nil {
		return err
	}
	r.link.consumed++
	r.ledger.update(func(s *Status) { s.Received++ })
	local, line, ok := r.mapping.toLocal(m.Topic())
	switch {
	case !ok:
		r.ledger.drop(DropUnmapped)
		m.Ack()
		return nil
	case r.echoes.isEcho(now, m.Topic(), m.Payload()):
		r.ledger.drop(DropEcho)
		m.Ack()
		return nil
	}
	msg := &broker.Message{Topic: local, Payload: m.Payload(), QoS: min(mqtt.QoS(m.Qos()), line.QoS), Retain: m.Retained()}
	if msg.QoS == mqtt.AtMostOnce {
		m.Ack()
		return r.publishLocal(now, 0, msg)
	}
	a := &arrival{from: m, message: msg}
	if len(r.inbox.held) > 0 { // order
		r.hold(now, a)
		return nil
	}
	return r.offer(now, a)
}

// offer publishes locally. The answer comes out of Next.
func (r *runner) offer(now time.Time, a *arrival) error {
	id := a.from.MessageID()
	if _, again := r.inbox.waiting[id]; again {
		// Upstream repeats on a live connection, as MQTT 3.1 did. The first copy's answer will serve both.
		return nil
	}
	r.inbox.waiting[id] = a
	return r.publishLocal(now, id, a.message)
}

// accepted takes the local broker's answer. Only now upstream may forget the message.
func (r *runner) accepted(now time.Time, id uint16, reason mqtt.ReasonCode) error {
	a := r.inbox.answered(id)
	if a == nil {
		return nil
	}
	first := r.inbox.trying && len(r.inbox.held) > 0 && r.inbox.held[0] == a
	if reason == mqtt.QuotaExceeded {
		if first {
			r.inbox.trying, r.inbox.retryAt = false, now.Add(heldRetry)
		} else {
			r.hold(now, a)
		}
		return nil
	}
	if reason.Failed() {
		r.ledger.drop(DropRefused)
		r.trouble(now, "local broker refused a message from upstream", refusedError(reason))
	}
	a.from.Ack()
	if first {
		r.inbox.held, r.inbox.trying = r.inbox.held[1:], false
		return r.nextHeld(now)
	}
	return nil
}

// hold keeps a message that the local broker has no room for. Reading goes on: the acknowledgements that make room come the same way.
func (r *runner) hold(now time.Time, a *arrival) {
	if len(r.inbox.held) >= heldMax {
		r.inbox.shed = true // not acknowledged: upstream still has it
		return
	}
	r.inbox.held = append(r.inbox.held, a)
	if r.inbox.retryAt.IsZero() {
		r.inbox.retryAt = now.Add(heldRetry)
	}
}

func (r *runner) retryHeld(now time.Time) error {
	if r.inbox.retryAt.IsZero() || now.Before(r.inbox.retryAt) || r.inbox.trying {
		return nil
	}
	return r.nextHeld(now)
}

func (r *runner) nextHeld(now time.Time) error {
	if len(r.inbox.held) == 0 {
		r.inbox.retryAt = time.Time{}
		if r.inbox.shed && r.link != nil && r.link.wire != nil {
			r.link.wire.fail(errShed)
		}
		return nil
	}
	r.inbox.trying = true
	return r.offer(now, r.inbox.held[0])
}

// takeEvents does what upstream said between the messages: PUBREL, or that its session is new.
func (r *runner) takeEvents() error {
	if r.link == nil || r.link.wire == nil {
		return nil
	}
	for _, e := range r.link.wire.due(r.link.consumed) {
		if e.lost {
			if err := r.releaseAll(); err != nil {
				return err
			}
			continue
		}
		r.inbox.releasing[e.id] = true
		if err := r.session.Release(e.id); err != nil {
			return err
		}
	}
	return nil
}

// releaseAll frees every identifier at QoS 2: an upstream with a new session means other messages by them.
func (r *runner) releaseAll() error {
	if r.session.Receiving() == 0 {
		return nil
	}
	var ids []uint16
	for id := 1; id <= 65535; id++ {
		if r.session.HasReceived(uint16(id)) {
			ids = append(ids, uint16(id))
		}
	}
	return r.session.Release(ids...)
}
