package gateway

import (
	"container/heap"
	"time"

	"midge/mqttsn"
)

// deadlines orders a link's clients by the time at which something may be due: one entry a client. An entry moves forward at once and
// backward only when it comes up, so that a message, which pushes the keep-alive deadline back, costs nothing here.
type deadlines []*client

// Len, Less, Swap, Push and Pop are heap.Interface.
func (d deadlines) Len() int { return len(d) }

// Less reports whether i is due before j.
func (d deadlines) Less(i, j int) bool { return d[i].due < d[j].due }

// Swap exchanges two entries.
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = int32(i), int32(j)
}

// Push appends a *client.
func (d *deadlines) Push(v any) {
	c := v.(*client)
	c.place = int32(len(*d))
	*d = append(*d, c)
}

// Pop removes the last entry.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	c := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	c.place = -1
	return c
}

// never is later than everything.
const never = instant(1<<63 - 1)

// unheard is when a client was heard that has not been heard since the gateway began.
const unheard = -never / 2

// next is when something is due for c.
func (l *link) next(c *client) instant {
	if c.prompted() {
		return c.prompt.retryAt // while it is being asked it is not lost; the handshake has an end of its own
	}
	at := never
	if c.prompt != nil {
		at = c.prompt.retryAt
	}
	if c.connected() {
		at = min(at, c.lostAt(&l.cfg))
	}
	if x := c.x; x != nil && x.retryAt != 0 {
		at = min(at, x.retryAt)
	}
	if c.state == Awake {
		at = min(at, c.awakeUntil)
	}
	if c.own != 0 {
		at = min(at, c.ownUntil)
	}
	return at
}

// schedule makes sure that c is looked at when its next deadline comes.
func (l *link) schedule(c *client) {
	at := l.next(c)
	switch {
	case at == never:
		l.unschedule(c)
	case c.place < 0:
		c.due = at
		heap.Push(&l.deadlines, c)
	case at < c.due:
		c.due = at
		heap.Fix(&l.deadlines, int(c.place))
	}
}

func (l *link) unschedule(c *client) {
	if c.place >= 0 {
		heap.Remove(&l.deadlines, int(c.place))
	}
}

// Advance does what is due by now: losses, retransmissions, ADVERTISE.
func (l *link) Advance(now time.Time) {
	l.enter(now)
	if l.advertiseAt != never && l.t >= l.advertiseAt {
		l.advertise()
	}
	l.endLogins()
	l.breathe()
	for len(l.deadlines) > 0 && l.deadlines[0].due <= l.t {
		c := l.deadlines[0]
		l.expire(c)
		if c.place < 0 {
			continue
		}
		if c.due = l.next(c); c.due == never {
			l.unschedule(c)
			continue
		}
		heap.Fix(&l.deadlines, int(c.place))
	}
}

// expire does what is due for one client.
func (l *link) expire(c *client) {
	asked := c.prompted()
	if c.prompt != nil && l.t >= c.prompt.retryAt {
		l.promptAgain(c)
	}
	if asked {
		return
	}
	if c.connected() && l.t >= c.lostAt(&l.cfg) && !l.probe(c) {
		l.lose(c)
	}
	if x := c.x; x != nil && x.retryAt != 0 && l.t >= x.retryAt {
		l.retransmit(c)
	}
	if c.own != 0 && l.t >= c.ownUntil {
		c.own = 0
		l.pump(c)
	}
	if c.state == Awake && l.t >= c.awakeUntil {
		l.fallAsleep(c) // it stopped answering, or what it waits for does not become safe
	}
}

// probe asks a client that has been silent for too long whether it is there, if the link is to; false means that it counts as lost. "A … GW … may …
// send PINGREQ" to a client as well (§6.11).
func (l *link) probe(c *client) bool {
	switch {
	case !l.cfg.Probe || c.state != Active || c.displaced || l.away:
		return false
	case l.control.holds(&c.peer, mqttsn.TypePingreq):
		c.spare(instant(l.cfg.RetryInterval)) // it cannot answer what has not left
		return true
	case int(c.probes) >= max(1, l.cfg.RetryCount):
		return false
	}
	c.probes++
	l.send(&c.peer, mqttsn.Pingreq{})
	return true
}

// Deadline is when Advance must be called next; ok is false while nothing is due ever. It may be early, never late.
func (l *link) Deadline() (at time.Time, ok bool) {
	first := l.advertiseAt
	if len(l.deadlines) > 0 {
		first = min(first, l.deadlines[0].due)
	}
	if len(l.awaited) > 0 {
		first = min(first, l.awaited[0].until)
	}
	first = min(first, l.roomAt())
	return l.sp.time(first), first != never
}
