package gateway

import (
	"bytes"
	"time"

	"midge/mqttsn"
)

const (
	// controlTime is how much control may wait, in time on the air: devices repeat what is not answered by then.
	controlTime = instant(5 * time.Second)
	// controlLeast and controlMost bound how many frames may.
	controlLeast, controlMost = 16, 1024
)

// controlFrame is one that waits.
type controlFrame struct {
	to        peer
	data      []byte
	t         mqttsn.Type
	since     instant // when it was last asked for
	broadcast bool
	radius    uint8
}

// control is the queue of what goes before deliveries.
type control struct {
	frames []controlFrame
	octets int
}

// full reports whether there is no place for one more message of n octets.
func (q *control) full(a *budget, n int) bool {
	frames := len(q.frames) + 1
	return frames > controlMost || frames > controlLeast && a.takes(q.octets+n+(frames-1)*a.overhead) > controlTime
}

func (q *control) push(f controlFrame) {
	q.frames = append(q.frames, f)
	q.octets += len(f.data)
}

func (q *control) pop() controlFrame {
	f := q.frames[0]
	q.frames[0] = controlFrame{}
	q.frames = q.frames[1:]
	q.octets -= len(f.data)
	return f
}

// supersede puts f in the place of what it makes needless: the same answer to the same device, which has asked again, or an earlier word on its
// CONNECT or its sleep, of which only the last counts. It reports whether there was such a frame.
//
// The place is kept, because a device whose answer went to the end with each repetition would never have it where the queue is longer than T_retry.
func (q *control) supersede(f *controlFrame) bool {
	for i := range q.frames {
		old := &q.frames[i]
		if old.to != f.to || old.broadcast || f.broadcast || !(tellsState(old.t) && tellsState(f.t)) && !bytes.Equal(old.data, f.data) {
			continue
		}
		q.octets += len(f.data) - len(old.data)
		*old = *f
		return true
	}
	return false
}

// holds reports whether a message of that type waits for a peer.
func (q *control) holds(to *peer, t mqttsn.Type) bool {
	for i := range q.frames {
		if q.frames[i].t == t && q.frames[i].to == *to {
			return true
		}
	}
	return false
}

// owesPuback reports whether PUBACK for a publish that c has just repeated waits to leave.
func (l *link) owesPuback(c *client, p *mqttsn.Publish) bool {
	if len(l.control.frames) == 0 {
		return false
	}
	ack := mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID}.Append(nil)
	for i := range l.control.frames {
		if f := &l.control.frames[i]; f.t == mqttsn.TypePuback && f.to == c.peer && bytes.HasSuffix(f.data, ack) {
			f.since = l.t
			return true
		}
	}
	return false
}

// tellsState reports whether a message tells a client what it is to the gateway.
func tellsState(t mqttsn.Type) bool {
	switch t {
	case mqttsn.TypeConnack, mqttsn.TypeWillTopicReq, mqttsn.TypeWillMsgReq, mqttsn.TypeDisconnect:
		return true
	}
	return false
}

// depart has a frame that was appended to buf leave now if there is room. Otherwise it waits, or, when too much waits already, is dropped. It reports
// whether it has left, and whether there is now one more that has or will.
func (l *link) depart(s sending, to *peer, t mqttsn.Type) (left, more bool) {
	if !l.air.limited() {
		l.sends = append(l.sends, s)
		return true, true
	}
	f := controlFrame{t: t, since: l.t, broadcast: s.broadcast, radius: s.radius}
	if to != nil {
		f.to = *to
	}
	if l.hasRoom() {
		l.air.sent(l.t, s.end-s.start)
		l.sends = append(l.sends, s)
		l.departed(&f)
		return true, true
	}
	f.data = bytes.Clone(l.buf[s.start:s.end])
	l.buf = l.buf[:s.start]
	l.dropStale()
	switch {
	case l.control.supersede(&f):
		return false, false
	case l.control.full(&l.air, len(f.data)):
		l.dropOf(l.peers[f.to], AirFull)
		return false, false
	}
	l.control.push(f)
	return false, true
}

// departed takes note that a frame leaves which its device is to answer within T_retry: that is its time, and not one for a queue of ours.
func (l *link) departed(f *controlFrame) {
	switch f.t {
	case mqttsn.TypeConnack, mqttsn.TypeWillTopicReq, mqttsn.TypeWillMsgReq, mqttsn.TypePingreq:
	default:
		return
	}
	c := l.peers[f.to]
	if c == nil {
		return
	}
	if f.t == mqttsn.TypePingreq {
		c.spare(l.t + instant(l.cfg.RetryInterval) - c.lostAt(&l.cfg))
		l.schedule(c)
		return
	}
	c.untold = false
	if c.prompted() {
		c.prompt.retryAt = l.t + instant(l.cfg.RetryInterval)
		l.schedule(c)
	}
}

// staleAfter is how long an answer may wait, in T_retry, which devices have one and a half of (10 to 15 s, §7.2): by then its device has asked again
// or has given up. When there is more to be said than there is time for, devices would hear nothing but what they have long given up.
func (l *link) staleAfter() instant { return instant(l.cfg.RetryInterval) * 3 / 2 }

// dropStale drops what has waited for too long and was not asked for again.
func (l *link) dropStale() {
	kept := l.control.frames[:0]
	for i := range l.control.frames {
		f := &l.control.frames[i]
		if f.broadcast || l.t-f.since < l.staleAfter() {
			kept = append(kept, *f)
			continue
		}
		l.control.octets -= len(f.data)
		l.dropOf(l.peers[f.to], AirFull)
	}
	clear(l.control.frames[len(kept):])
	l.control.frames = kept
}
