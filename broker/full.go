package broker

import (
	"slices"
	"time"

	"midge/broker/mqtt"
)

// queueFull reports whether a queue has no room for q. What waits on disk may be more than what waits in memory.
func (b *Broker) queueFull(st *state, q queued) bool {
	if b.onDisk(st, q.qos) {
		return st.queue.len()+st.dur.stored() >= b.limits.StoredMessages || st.bytes+st.dur.storedBytes()+q.msg.size() > b.limits.StoredBytes
	}
	return st.queue.len() >= b.limits.QueueMessages || st.bytes+q.msg.size() > b.limits.QueueBytes
}

// onDisk reports whether a queue keeps messages of a QoS on disk.
func (b *Broker) onDisk(st *state, qos mqtt.QoS) bool { return st.dur != nil && qos > mqtt.AtMostOnce }

func (b *Broker) bounds(st *state, qos mqtt.QoS) (messages, bytes int) {
	if b.onDisk(st, qos) {
		return b.limits.StoredMessages, b.limits.StoredBytes
	}
	return b.limits.QueueMessages, b.limits.QueueBytes
}

// makeRoom drops the oldest messages of a full queue, if that is the policy, and reports whether q may be queued.
//
// Those that lie on disk alone have to be read before they can be dropped. Until they are, the queue may go beyond its bound by what is read at once.
func (b *Broker) makeRoom(by *Session, st *state, q queued) bool {
	messages, bytes := b.bounds(st, q.qos)
	if b.limits.Policy != DropOldest || q.msg.size() > bytes {
		return false
	}
	for b.queueFull(st, q) {
		if b.dropOldest(by, st) {
			continue
		}
		if d := st.dur; !b.onDisk(st, q.qos) || d.stored() == 0 || st.queue.len()+d.stored() >= messages+loadMessages ||
			st.bytes+d.storedBytes() >= bytes+loadBytes {
			return false
		}
		b.loadOldest(st)
		return true
	}
	return true
}

// loadOldest has the oldest messages read that wait on disk alone. trim drops them.
func (b *Broker) loadOldest(st *state) {
	if !st.dur.starved {
		b.load(st)
	}
}

// dropOldest drops the message that has waited longest among those in memory, and reports whether there was one. One at QoS 2 whose delivery may have
// begun is none: see nextQueued.
func (b *Broker) dropOldest(by *Session, st *state) bool {
	i := 0
	for i < st.queue.len() && st.queue.at(i).begun() {
		i++
	}
	if i == st.queue.len() {
		return false
	}
	before := make([]queued, 0, i)
	for range i {
		before = append(before, st.queue.pop())
	}
	q, _ := b.take(st)
	for ; i > 0; i-- {
		st.queue.pushFront(before[i-1])
	}
	b.drop(QueueOldest)
	b.doneWith(by, st, &q)
	st.relax()
	if o := st.owner; st.blocked && o != nil { // it may have been what the queue waited for
		st.blocked = false
		o.rouse(by)
	}
	return true
}

// begun reports whether q may have been handed out before a restart, at QoS 2: the subscriber may hold its identifier, and would take a later message
// under it for a repetition.
func (q *queued) begun() bool { return q.kept != nil && q.kept.dup && q.qos == mqtt.ExactlyOnce }

// trim drops what is too much in a queue whose oldest messages have been read.
func (b *Broker) trim(by *Session, st *state) {
	if b.limits.Policy != DropOldest {
		return
	}
	for st.queue.len()+st.dur.stored() > b.limits.StoredMessages || st.bytes+st.dur.storedBytes() > b.limits.StoredBytes {
		if !b.dropOldest(by, st) {
			if st.dur.stored() > 0 && st.queue.len() < restingMessages {
				b.loadOldest(st)
			}
			return
		}
	}
}

// loadAtOnce is how many messages to read for a session, at most n: few for one that does not pull, as what it has read stays in memory.
func (b *Broker) loadAtOnce(st *state, n int) int {
	switch {
	case st.owner != nil || st.group != nil:
		return n
	case b.queuedBytes > restingBytes:
		return 1
	}
	return min(n, restingMessages)
}

// anyFull reports whether a queue that m is for is full.
func (b *Broker) anyFull(now time.Time, r *route, m *Message) bool {
	for i := range r.targets {
		t := &r.targets[i]
		g := &t.grant
		if t.own != nil && t.st.id == m.Publisher {
			g = t.own
		}
		q := queued{msg: m, qos: min(m.QoS, g.qos)}
		if t.st.group != nil {
			q.qos = min(m.QoS, t.st.group.qos)
		}
		if q.qos > mqtt.AtMostOnce && b.queueFull(t.st, q) && !b.anyRoom(now, t.st.group, m) {
			return true
		}
	}
	return false
}

// anyRoom reports whether a member of a group has room for m; nil is no group.
func (b *Broker) anyRoom(now time.Time, g *group, m *Message) bool {
	return g != nil && g.st.queue.len()+g.st.dur.stored() == 0 && slices.ContainsFunc(g.members, func(sh *share) bool { return b.hasRoom(now, sh, m) })
}

// weigh works out what the properties of m count, and reports whether it may have them.
func (b *Broker) weigh(m *Message) bool {
	m.props = uint32(m.Properties.Octets())
	return len(m.Properties.User) <= b.limits.UserProperties && m.Properties.UserOctets() <= b.limits.UserPropertyBytes
}
