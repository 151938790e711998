package client

import (
	"time"

	"midge/mqttsn"
)

// Every request goes through here: it is refused when the queue is full or its message p too long for the link.
func (c *Client) admit(p mqttsn.Packet) (Token, error) {
	if c.Queued() >= c.cfg.QueueMax {
		return 0, ErrQueueFull
	}
	if !c.fits(p) {
		return 0, ErrTooLong
	}
	return c.nextToken(), nil
}

// fits reports whether the link carries p. What the codec refuses to append has no octets.
func (c *Client) fits(p mqttsn.Packet) bool {
	n := len(p.Append(nil))
	return n > 0 && n <= c.cfg.MTU
}

// pump sends what may go out now: the head of each queue whose lane is free, and DISCONNECT after the last.
func (c *Client) pump(now time.Time) {
	if c.state == Active && c.heldUntil.IsZero() {
		c.pumpWill(now)
		c.pumpPublish(now)
		c.pumpRegister(now)
		c.pumpSubscribe(now)
	}
	if !c.leave.wanted || c.lanes[laneDisconnect].open {
		return
	}
	// Asleep and awake no request goes out, and congestion may last longer than a battery: then do not wait.
	if c.state == Asleep || c.state == Awake || c.state == Active && (c.Queued() == 0 && !c.lanes[laneRegister].open || !c.heldUntil.IsZero()) {
		c.depart(now)
	}
}

// hold keeps new requests back for T_WAIT after return code congestion (§5.3.10).
func (c *Client) hold(now time.Time) {
	c.heldUntil = now.Add(c.cfg.CongestionWait)
	c.emit(Congested{Wait: c.cfg.CongestionWait})
}
