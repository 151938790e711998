package client

import (
	"time"

	"midge/mqttsn"
)

// pingAt is when an active client must ping. It sends so early that one lost PINGREQ and its repetition still
// reach the gateway within the keep-alive period, and it listens: when nothing was heard for a whole period, for
// instance because only QoS 0 goes out, a ping finds out whether the gateway is there (§6.11).
func (c *Client) pingAt() (time.Time, bool) {
	if c.state != Active || c.cfg.KeepAlive <= 0 || c.lanes[lanePing].open {
		return time.Time{}, false
	}
	period := c.cfg.KeepAlive
	speak := c.lastSent.Add(max(period/2, period-2*c.cfg.Retry))
	listen := c.lastHeard.Add(period)
	if listen.Before(speak) {
		return listen, true
	}
	return speak, true
}

// pingreq answers a gateway that asks whether the client is there.
func (c *Client) pingreq(now time.Time) bool {
	if c.state != Active && c.state != Awake {
		return false
	}
	c.send(now, mqttsn.Pingresp{})
	return true
}

// pingresp ends the ping of an active client or the wake-up of a sleeping one.
func (c *Client) pingresp(now time.Time) bool {
	if !c.lanes[lanePing].open {
		return false
	}
	c.end(lanePing)
	if c.state == Awake {
		c.sleepOn(now)
		c.emit(AwakeEnded{})
	}
	return true
}
