package broker

import (
	"time"

	"midge/broker/mqtt"
)

// recallAll takes back what a member of groups has not been sent, and gives it to others: he is not there to take it.
func (b *Broker) recallAll(now time.Time, by *Session, st *state) {
	for _, sh := range st.shares {
		b.recall(now, by, sh)
		b.feed(now, by, sh.group)
	}
}

// recall takes back what came by one shared subscription and has not been sent. feed gives it to others.
func (b *Broker) recall(now time.Time, by *Session, sh *share) {
	st := sh.st
	if sh.waiting == 0 {
		return
	}
	back := make([]queued, 0, sh.waiting)
	for n := st.queue.len(); n > 0; n-- {
		q := st.queue.pop()
		if l := q.loan(); l == nil || l.share != sh {
			st.queue.push(q)
			continue
		}
		b.unqueue(st, q)
		st.passed++
		back = append(back, q)
	}
	for i := range back {
		b.giveBack(now, by, sh, &back[i])
	}
	st.relax()
	if o := st.owner; st.blocked && o != nil { // what it waited for may be gone
		st.blocked = false
		o.rouse(by)
	}
}

// giveBack returns a copy that a member had to the backlog of its group.
func (b *Broker) giveBack(now time.Time, by *Session, sh *share, q *queued) {
	g := sh.group
	again := queued{msg: q.msg, qos: min(q.msg.QoS, g.qos)}
	switch l := q.loan(); {
	case len(g.members) == 0:
		b.drop(SessionEnded)
		b.doneWith(by, sh.st, q)
	case l.copy != nil:
		again.kept = l.copy
		b.hang(g.st, again)
	case again.qos == mqtt.AtMostOnce:
		b.shareAgain(now, by, g, q.msg)
		b.done(by, sh.st, q.kept)
	default:
		pub := q.kept.awaited()
		b.push(now, g.st, again, &pub)
		b.done(by, sh.st, q.kept)
	}
}

// shareAgain gives another member what was to be delivered at QoS 0 and was not.
func (b *Broker) shareAgain(now time.Time, by *Session, g *group, m *Message) {
	if sh, _ := b.pick(now, g, m); sh != nil {
		var pub *publication
		b.lend(now, by, sh, queued{msg: m}, &pub)
		return
	}
	b.shareQoS0(now, by, g, queued{msg: m})
}

// recallInFlight takes back what was sent at QoS 1 and not acknowledged by a member whose session ends: "the Server SHOULD send the Application
// Message to another Client that is subscribed to the same Shared Subscription". At QoS 2 it "MUST NOT" [MQTT-4.8.2-5].
func (b *Broker) recallInFlight(now time.Time, by *Session, sh *share) {
	for i := range sh.st.window.len() {
		d := sh.st.window.at(i)
		if l := d.loan(); d.phase == sent && d.qos == mqtt.AtLeastOnce && l != nil && l.share == sh {
			b.giveBack(now, by, sh, &d.queued)
		}
	}
}

// adopt makes what was sent to a member and not acknowledged his own, since he has unsubscribed: the Server "MUST complete the delivery of any QoS 1 or
// QoS 2 messages which match the Topic Filters and it has started to send to the Client" [MQTT-3.10.4-3].
func (b *Broker) adopt(now time.Time, by *Session, sh *share) {
	st := sh.st
	for i := range st.window.len() {
		d := st.window.at(i)
		l := d.loan()
		if d.phase != sent || l == nil || l.share != sh {
			continue
		}
		d.from = originOf(sh.sub)
		if l.copy == nil {
			continue
		}
		if st.dur != nil {
			pub := l.copy.awaited()
			await(&pub)
			d.kept = &kept{pub: pub, seq: d.seq}
			b.journal.keep(b.sinceStart(now), st, d.queued, l.total)
		}
		b.done(by, sh.group.st, l.copy)
	}
}

// doneWith is done for a copy that may be a group's.
func (b *Broker) doneWith(by *Session, st *state, q *queued) {
	if l := q.loan(); l != nil && l.copy != nil {
		b.done(by, l.share.group.st, l.copy)
	}
	b.done(by, st, q.kept)
}
