package client

import (
	"time"

	"midge/mqttsn"
)

// lane is a kind of exchange. Of each kind at most one is on the air.
type lane uint8

const (
	laneConnect lane = iota
	laneRegister
	laneSubscribe
	lanePublish
	laneWill
	lanePing
	laneDisconnect
	laneSearch
	numLanes
)

// exchange is a message that waits for its answer.
type exchange struct {
	open   bool
	packet mqttsn.Packet // sent again when due
	tries  int           // transmissions so far
	due    time.Time     // next repetition
}

// begin sends p and supervises it.
func (c *Client) begin(now time.Time, l lane, p mqttsn.Packet) {
	c.lanes[l] = exchange{open: true, packet: p, tries: 1, due: now.Add(c.cfg.Retry)}
	c.send(now, p)
}

func (c *Client) end(l lane) { c.lanes[l] = exchange{} }

// endAll ends every exchange with the gateway. The search for one is none.
func (c *Client) endAll() {
	for l := range laneSearch {
		c.end(l)
	}
}

// postpone restarts T_retry after a sign that the gateway is at work on the exchange.
func (c *Client) postpone(now time.Time, l lane) { c.lanes[l].due = now.Add(c.cfg.Retry) }

// expire repeats an unanswered message, or gives up after N_retry repetitions (§6.13).
func (c *Client) expire(now time.Time, l lane) {
	x := &c.lanes[l]
	if x.tries > c.cfg.Retries {
		c.giveUp(now, l)
		return
	}
	if x.tries > 0 {
		x.packet = again(x.packet)
		c.counters.Retransmissions++
	}
	x.tries++
	x.due = now.Add(c.cfg.Retry)
	c.send(now, x.packet)
}

// again is p as it is repeated: with DUP where there is one (§5.3.4).
func again(p mqttsn.Packet) mqttsn.Packet {
	switch p := p.(type) {
	case mqttsn.Publish:
		p.Dup = true
		return p
	case mqttsn.Subscribe:
		p.Dup = true
		return p
	}
	return p
}

func (c *Client) giveUp(now time.Time, l lane) {
	packet := c.lanes[l].packet
	switch {
	case l == laneSearch:
		c.end(l)
		c.emit(SearchFailed{})
	case l == laneDisconnect && c.state == Leaving:
		// Nothing is left to be done with the gateway: its keep-alive timer ends the session.
		c.ended()
	default:
		c.lost(now, "no answer to "+packet.Type().String())
	}
}

// Advance does what is due at now.
func (c *Client) Advance(now time.Time) {
	for l := range numLanes {
		if x := &c.lanes[l]; x.open && !now.Before(x.due) {
			c.expire(now, l)
		}
	}
	if due(now, c.reconnectAt) {
		c.connect(now)
	}
	if due(now, c.heldUntil) {
		c.heldUntil = time.Time{}
	}
	if c.state == Asleep && due(now, c.wakeAt) {
		c.wake(now)
	}
	if at, ok := c.pingAt(); ok && !now.Before(at) {
		c.begin(now, lanePing, mqttsn.Pingreq{})
	}
	c.pump(now)
}

// due reports whether the timer t, zero when off, has run out.
func due(now, t time.Time) bool { return !t.IsZero() && !now.Before(t) }

// Deadline is when Advance must be called next; ok is false when only a frame or a request can bring news.
// After Advance(now) it is later than now.
func (c *Client) Deadline() (at time.Time, ok bool) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	for l := range c.lanes {
		if c.lanes[l].open {
			sooner(c.lanes[l].due)
		}
	}
	sooner(c.reconnectAt)
	sooner(c.heldUntil)
	if c.state == Asleep {
		sooner(c.wakeAt)
	}
	if t, is := c.pingAt(); is {
		sooner(t)
	}
	return at, ok
}
