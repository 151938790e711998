package gateway

import "time"

// Airtime says how much a link may send, towards its devices. The zero value is a link that takes what it is given.
//
// While there is no room for a frame, answers and other control wait in a short queue of the link (control.go); deliveries are not pulled from their sessions, so
// that what waits for a device waits where all its bounds and policies are. When there is room, control goes first, then the devices that something waits for, one
// frame each in turn. An exchange's T_retry runs from when its frame has left.
type Airtime struct {
	Rate     float64 // octets a second, 0 = without limit
	Overhead int     // octets that the link adds to each message
	Duty     float64 // percent of any hour that may be sent; 0 means 100
}

const (
	// airSlack is how far sending may run ahead of the air, so that it does not idle between a timer and the next frame.
	airSlack = instant(20 * time.Millisecond)
	// dutyBurst is the time whose share may be sent at once.
	dutyBurst = instant(time.Minute)
	// dutyHour spreads an hour's share over what of it is left after a burst, and one more for the last frame: in no hour more is sent than the share.
	dutyHour = float64(time.Hour) / float64(time.Hour-2*time.Minute)
)

// budget knows when there is room on the link. It is two token buckets: one of the rate with some slack, one of the duty cycle with a minute's share.
type budget struct {
	octet    float64 // nanoseconds, 0 = no limit
	mean     float64 // nanoseconds from one octet to the next by the duty cycle
	overhead int
	busy     instant // until when the link has something to send
	spent    instant // until when the duty cycle is used up, a minute's share in advance
}

func (a *budget) configure(c Airtime) {
	a.octet, a.mean, a.overhead = 0, 0, c.Overhead
	if c.Rate <= 0 {
		return
	}
	a.octet = float64(time.Second) / c.Rate
	if c.Duty > 0 && c.Duty < 100 {
		a.mean = a.octet * 100 / c.Duty * dutyHour
	}
}

// limited reports whether there is a limit at all.
func (a *budget) limited() bool { return a.octet > 0 }

// takes is how long a message of n octets is on the air.
func (a *budget) takes(n int) instant { return instant(float64(n+a.overhead) * a.octet) }

// freeAt is when there is room for the next frame.
func (a *budget) freeAt() instant {
	return max(a.busy-airSlack, a.spent-dutyBurst)
}

// sent notes a message of n octets.
func (a *budget) sent(t instant, n int) {
	a.busy = max(a.busy, t) + a.takes(n)
	if a.mean > 0 {
		a.spent = max(a.spent, t) + instant(float64(n+a.overhead)*a.mean)
	}
}

// hasRoom reports whether a frame may leave now. Control does not wait for deliveries.
func (l *link) hasRoom() bool { return len(l.control.frames) == 0 && l.air.freeAt() <= l.t }

// slot reports whether a frame of an exchange with c may leave now. If not, c has its turn when it comes.
func (l *link) slot(c *client) bool {
	if !l.air.limited() || l.hasRoom() && (l.serving == c || len(l.turns) == 0) {
		return true
	}
	if !c.queued {
		c.queued = true
		l.turns = append(l.turns, c)
	}
	return false
}

// breathe lets go what waits, as far as there is room: control, then one frame for each device in turn.
func (l *link) breathe() {
	for l.dropStale(); len(l.control.frames) > 0 && l.air.freeAt() <= l.t; {
		f := l.control.pop()
		start := len(l.buf)
		l.buf = append(l.buf, f.data...)
		l.air.sent(l.t, len(f.data))
		l.sends = append(l.sends, sending{addr: f.to.addr, start: start, end: len(l.buf), broadcast: f.broadcast, radius: f.radius})
		l.departed(&f)
	}
	for len(l.turns) > 0 && l.hasRoom() {
		c := l.turns[0]
		l.turns[0] = nil
		l.turns = l.turns[1:]
		c.queued = false
		if c.link.Load() != l {
			c.Wake() // it is elsewhere now
			continue
		}
		l.serving = c
		if c.x != nil && c.x.delayed {
			l.undelay(c)
		} else {
			l.pump(c)
		}
		l.serving = nil
	}
}

// undelay sends what an exchange had no room for.
func (l *link) undelay(c *client) {
	l.transmit(c, c.x)
	l.schedule(c)
	if c.x == nil { // at QoS 0 nothing is awaited
		l.pump(c)
	}
}

// silence forgets what waits to be sent, because nobody serves the link any more.
func (l *link) silence() {
	l.control = control{}
	for _, c := range l.turns {
		c.queued = false
	}
	l.turns = nil
}

// roomAt is when something that waits may go, never if nothing does.
func (l *link) roomAt() instant {
	if len(l.control.frames) == 0 && len(l.turns) == 0 {
		return never
	}
	return l.air.freeAt()
}
