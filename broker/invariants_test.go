package broker

import (
	"slices"
	"testing"

	"midge/broker/mqtt"
)

// check recounts everything that the core counts as it goes.
func (b *Broker) check(t testing.TB, after string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var connected, inflight, inflightBytes, queued, queuedBytes, subs, waiting, stored, storedBytes, shared int
	for id, st := range b.sessions {
		st.check(t, after)
		want(t, after, st.id == id, "session %q stands under its own client id, not %q", st.id, id)
		if st.owner != nil {
			connected++
			want(t, after, st.owner.st == st, "the owner of session %q holds that session", id)
			want(t, after, st.absence == nil, "a connected session waits for no deadline: %q", id)
		}
		inflight += st.window.live
		inflightBytes += st.window.size
		queued += st.queue.len()
		queuedBytes += st.bytes
		stored += st.dur.stored()
		storedBytes += st.dur.storedBytes()
		subs += st.subs.Len() - len(st.shares)
		shared += len(st.shares)
		if st.absence != nil && !st.absence.deadline.IsZero() {
			waiting++
			want(t, after, b.deadlines[st.absence.place] == st, "session %q knows its place among the deadlines", id)
		}
	}
	for filter, g := range b.groups {
		g.check(t, after, b, filter)
		queued += g.st.queue.len()
		queuedBytes += g.st.bytes
		stored += g.st.dur.stored()
		storedBytes += g.st.dur.storedBytes()
		shared -= len(g.members)
		subs++
	}
	want(t, after, shared == 0, "every shared subscription stands in its session and in its group: %d more in sessions", shared)
	want(t, after, b.connected == connected, "%d sessions are connected, the broker counts %d", connected, b.connected)
	want(t, after, b.inflight == inflight, "%d deliveries are in flight, the broker counts %d", inflight, b.inflight)
	want(t, after, b.inflightBytes == inflightBytes, "%d octets are in flight, the broker counts %d", inflightBytes, b.inflightBytes)
	want(t, after, b.queued == queued, "%d messages are queued, the broker counts %d", queued, b.queued)
	want(t, after, b.queuedBytes == queuedBytes, "%d octets are queued, the broker counts %d", queuedBytes, b.queuedBytes)
	want(t, after, b.stored == stored, "%d copies wait on disk alone, the broker counts %d", stored, b.stored)
	want(t, after, b.storedBytes == storedBytes, "%d octets wait on disk alone, the broker counts %d", storedBytes, b.storedBytes)
	want(t, after, b.subs.Len() == subs, "the sessions have %d subscriptions, the tree %d", subs, b.subs.Len())
	want(t, after, len(b.deadlines) == waiting, "%d sessions have a deadline, the heap holds %d", waiting, len(b.deadlines))
	for i := 1; i < len(b.deadlines); i++ {
		want(t, after, !b.deadlines.Less(i, (i-1)/2), "deadline %d is not before the one above it", i)
	}
	b.checkRetained(t, after)
}

func (g *group) check(t testing.TB, after string, b *Broker, filter string) {
	t.Helper()
	bytes, qos := 0, mqtt.AtMostOnce
	want(t, after, g.filter == filter && g.st.group == g && g.st.owner == nil, "group %q stands under its filter", filter)
	want(t, after, len(g.members) > 0, "group %q has members", filter)
	for _, sh := range g.members {
		want(t, after, sh.group == g && slices.Contains(sh.st.shares, sh) && b.sessions[sh.st.id] == sh.st, "the members of group %q know it", filter)
		want(t, after, g.st.dur != nil || sh.st.dur == nil, "group %q is durable as its member %q is", filter, sh.st.id)
		qos = max(qos, sh.sub.QoS)
	}
	want(t, after, g.qos == qos, "group %q knows what its members were granted: %d, not %d", filter, qos, g.qos)
	for i := range g.st.queue.len() {
		q := g.st.queue.at(i)
		bytes += q.msg.size()
		want(t, after, q.from == nil && (q.kept != nil) == (g.st.dur != nil), "group %q keeps what waits for it exactly when it is durable", filter)
	}
	want(t, after, g.st.bytes == bytes, "group %q has a backlog of %d octets and counts %d", filter, bytes, g.st.bytes)
}

func (b *Broker) checkRetained(t testing.TB, after string) {
	t.Helper()
	n, bytes := 0, 0
	for _, filter := range []string{"#", "$SYS/#", "$S/#"} {
		b.retained.Match(filter, func(_ string, m *Message) {
			n++
			bytes += m.size()
		})
	}
	want(t, after, b.retained.Len() == n, "%d messages are retained, the store counts %d", n, b.retained.Len())
	want(t, after, b.retainedBytes == bytes, "%d octets are retained, the broker counts %d", bytes, b.retainedBytes)
}

func (st *state) check(t testing.TB, after string) {
	t.Helper()
	bytes, skipped, seq := 0, 0, uint64(0)
	loans := make(map[*share]int)
	for i := range st.queue.len() {
		q := st.queue.at(i)
		bytes += q.msg.size()
		if l := q.loan(); l != nil {
			loans[l.share]++
			want(t, after, l.copy == nil || l.copy.stage != gone, "%q waits for a copy that its group still has", st.id)
		}
		want(t, after, (q.kept != nil) == (st.dur != nil && q.qos > 0), "%q keeps a copy at QoS > 0 exactly when it is durable", st.id)
		if q.kept != nil {
			skipped += int(q.kept.skip)
			want(t, after, q.seq() > seq && q.seq() <= st.dur.loaded, "%q queues copy %d after %d and not beyond %d, the last that is loaded", st.id, q.seq(), seq, st.dur.loaded)
			seq = q.seq()
		}
	}
	for _, sh := range st.shares {
		want(t, after, sh.st == st && sh.group.filter == sh.sub.Filter && st.subs.Get(sh.sub.Filter) == sh.sub, "%q has its part in %q", st.id, sh.sub.Filter)
		want(t, after, sh.waiting == loans[sh], "%q was lent %d copies by %q and counts %d", st.id, loans[sh], sh.sub.Filter, sh.waiting)
		want(t, after, sh.waiting == 0 || st.owner != nil, "%q is there for what %q has lent it", st.id, sh.sub.Filter)
		delete(loans, sh)
	}
	want(t, after, len(loans) == 0, "%q has nothing of groups that it has left", st.id)
	want(t, after, st.skipped == skipped, "%q has %d empty places in its queue and counts %d", st.id, skipped, st.skipped)
	replies := 0
	for i := range st.acks.len() {
		if st.acks.at(i).Kind == Reply {
			replies++
		}
	}
	want(t, after, st.replies == replies, "%q has %d replies and counts %d", st.id, replies, st.replies)
	want(t, after, st.bytes == bytes, "%q queues %d octets and counts %d", st.id, bytes, st.bytes)
	live, given, size := 0, 0, 0
	w := &st.window
	for i := range w.len() {
		d := w.at(i)
		if d.phase != done {
			live++
			if d.given {
				given++
			}
			want(t, after, w.find(d.id()) == d, "%q finds delivery %d by its identifier", st.id, d.id())
			want(t, after, d.place < st.passed, "%q has delivery %d in flight, so its place %d is below %d", st.id, d.id(), d.place, st.passed)
			want(t, after, d.seq <= st.numbers, "%q has given the number %d, and %d is the last", st.id, d.seq, st.numbers)
		}
		if d.msg != nil {
			size += d.msg.size()
		}
		want(t, after, (d.msg == nil) == (d.phase != sent), "%q keeps the message of delivery %d exactly until it is received (phase %d)", st.id, d.id(), d.phase)
	}
	want(t, after, w.live == live, "%q has %d deliveries open and counts %d", st.id, live, w.live)
	want(t, after, w.size == size, "%q holds %d octets in flight and counts %d", st.id, size, w.size)
	want(t, after, w.len() == 0 || w.at(0).phase != done, "%q has an open delivery at the front of its window", st.id)
	if o := st.owner; o != nil {
		want(t, after, o.outstanding == given, "the front end of %q was given %d open deliveries and counts %d", st.id, given, o.outstanding)
		want(t, after, 0 <= o.resend && o.resend <= w.len(), "%q resends from %d of %d", st.id, o.resend, w.len())
	}
	want(t, after, st.room == nil || st.owner != nil, "publishers wait only for a session with a front end, not for %q", st.id)
}

func want(t testing.TB, after string, ok bool, format string, args ...any) {
	if ok {
		return
	}
	t.Helper()
	t.Fatalf("after %s: "+format, append([]any{after}, args...)...)
}
