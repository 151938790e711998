package bridge

import (
	"errors"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"midge/broker/mqtt"
)

func (r *runner) connect(now time.Time) {
	r.ledger.state(now, Connecting)
	r.link = r.newLink()
}

// answered takes the outcome of Connect.
func (r *runner) answered(now time.Time, o outcome) error {
	l := r.link
	l.wire = o.wire
	if o.err != nil {
		r.refused(now, o)
		return nil
	}
	l.since = o.since
	r.settled = true
	r.echoes.connected()
	r.ledger.update(func(s *Status) { s.Connects++ })
	if err := r.resume(l.wire.session); err != nil {
		return err
	}
	switch r.trial.plan {
	case planControl:
		l.phase, l.deadline = trying, now.Add(trialQuiet)
		return nil
	case planAlone:
		l.phase, l.deadline = trying, now.Add(trialSoon)
		r.resend(now, 1)
		return nil
	}
	l.phase, l.deadline = subscribing, now.Add(subackTime)
	l.pending = r.mapping.remoteFilters()
	if len(l.pending) > 0 {
		l.subscribe()
		return nil
	}
	r.opened(now)
	return nil
}

// refused ends an attempt that did not lead to an accepted connection.
func (r *runner) refused(now time.Time, o outcome) {
	err, bit := refusal(r.peer, o)
	if o.wire != nil {
		o.wire.fail(errClosed)
	}
	r.link.free()
	r.link = nil
	wait := r.backoff.next()
	if bit && (!r.settled || o.code != packets.ErrNetworkError) {
		// A strict broker takes level 4 and nothing else; it refuses the bit with a code or without a word.
		if r.version == versionBridge {
			r.version, wait = versionPlain, 0
		} else {
			r.version = versionBridge
		}
	}
	r.retry(now, err, wait)
}

// retry waits for the next attempt.
func (r *runner) retry(now time.Time, why error, wait time.Duration) {
	r.connectAt = now.Add(wait)
	r.ledger.state(now, Waiting)
	r.trouble(now, "bridge not connected", why)
}

// lost ends a connection that is broken.
func (r *runner) lost(now time.Time) error {
	l := r.link
	if err := r.takeEvents(); err != nil {
		return err
	}
	why := l.end(errClosed)
	if err := r.takeAcks(now); err != nil {
		return err
	}
	r.link, r.busy = nil, nil
	r.flight.disconnected()
	r.inbox.disconnected()
	head := r.flight.view().head
	if r.trial.ended(ending{head: head, acked: l.acked, peer: errors.Is(why, errPeerClosed), lived: now.Sub(l.since)}) {
		if err := r.giveUp(head); err != nil {
			return err
		}
	}
	if now.Sub(l.since) >= stableAfter {
		r.backoff.reset()
	}
	if errors.Is(why, errTrial) {
		r.connectAt = now
		r.ledger.state(now, Connecting)
		return nil
	}
	r.retry(now, why, r.backoff.next())
	return nil
}

// giveUp throws away a message that ends every connection that it is sent on.
func (r *runner) giveUp(d *delivery) error {
	r.ledger.drop(DropPoison)
	r.log.Error("upstream closes the connection on a message: given up", "peer", r.peer, "topic", d.packet.Topic, "octets", len(d.packet.Payload))
	if d.packet.QoS < mqtt.ExactlyOnce {
		r.flight.remove(d)
		return r.session.Discard(d.packet.ID)
	}
	d.givenUp, d.progress = true, received // as far as upstream is concerned: it is to let go of the identifier
	return r.session.Received(d.packet.ID)
}

// check ends a connection on which nothing moves any more.
func (r *runner) check(now time.Time) {
	l, v := r.link, r.flight.view()
	since := later(later(r.flight.lastAck, l.wire.lastPublished(now)), later(r.lastSent, l.since))
	switch {
	case l.phase == trying && (!now.Before(l.deadline) || l.acked):
		l.wire.fail(errTrial)
	case l.phase != trying && !l.deadline.IsZero() && !now.Before(l.deadline):
		l.wire.fail(errNoAnswer)
	case l.phase == open && v.inflight > 0 && now.Sub(since) >= r.stall:
		l.wire.fail(errStalled)
	case l.phase == open && !v.overtaken.IsZero() && now.Sub(v.overtaken) >= r.stall:
		// "the Client MUST … send PUBACK packets in the order in which the corresponding PUBLISH packets were received" [MQTT-4.6.0-2]
		l.wire.fail(errStalled)
	}
}

var (
	errNoAnswer = errors.New("upstream did not answer SUBSCRIBE in time")
	errStalled  = errors.New("upstream acknowledges nothing any more; what is in flight is sent again")
)

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// subscribed takes the answer to one SUBSCRIBE.
func (r *runner) subscribed(now time.Time, g grant) {
	l := r.link
	if g.err != nil {
		l.wire.fail(g.err)
		return
	}
	for _, f := range l.asked {
		if code, ok := g.codes[f.name]; !ok || code > 2 {
			r.ledger.update(func(s *Status) { s.LastError = "upstream refused the subscription to " + f.name })
			r.log.Error("upstream refused a subscription", "peer", r.peer, "topic", f.name)
		} else if code < byte(f.qos) {
			r.log.Warn("upstream granted a lower QoS", "peer", r.peer, "topic", f.name, "qos", code)
		}
	}
	if len(l.pending) > 0 {
		l.deadline = now.Add(subackTime)
		l.subscribe()
		return
	}
	r.opened(now)
}

// opened is where messages begin to go out, first those that an earlier connection broke away from.
func (r *runner) opened(now time.Time) {
	r.link.phase, r.link.deadline = open, time.Time{}
	r.resend(now, len(r.flight.list))
	r.availability("1")
	r.ledger.state(now, Connected)
	clear(r.logged)
	r.log.Info("bridge connected", "peer", r.peer, "bridge_bit", r.link.version == versionBridge)
}

// availability publishes the bridge's own state upstream.
func (r *runner) availability(state string) {
	if r.cfg.AvailabilityTopic == "" {
		return
	}
	now := time.Now()
	if r.mapping.comesBack(r.cfg.AvailabilityTopic) {
		r.echoes.sent(now, r.cfg.AvailabilityTopic, []byte(state))
	}
	p := mqtt.Delivery{Topic: r.cfg.AvailabilityTopic, Payload: []byte(state), QoS: mqtt.AtLeastOnce, Retain: true, ID: r.flight.farOff()}
	r.link.wire.publish(&p)
	r.flight.add(&delivery{packet: p, own: true, pulled: now})
}

// trouble notes and logs an error, the same one once in logAgainTime.
func (r *runner) trouble(now time.Time, what string, err error) {
	text := err.Error()
	r.ledger.update(func(s *Status) { s.LastError = text })
	if last, ok := r.logged[text]; ok && now.Sub(last) < logAgainTime {
		return
	}
	if len(r.logged) >= 16 {
		clear(r.logged)
	}
	r.logged[text] = now
	r.log.Warn(what, "peer", r.peer, "err", text)
}
