package client

import (
	"time"

	"midge/mqttsn"
)

// leaving is a Sleep or Disconnect that waits for earlier requests.
type leaving struct {
	wanted bool
	sleep  time.Duration // 0 = disconnect for good
}

// Sleep tells the gateway that the client goes to sleep and will be heard of within d, whole seconds, once all
// earlier requests are done (§6.14). A sleeping client may call it to change d.
func (c *Client) Sleep(now time.Time, d time.Duration) error {
	if d < time.Second || d > 0xFFFF*time.Second || d%time.Second != 0 {
		return ErrDuration
	}
	return c.goAway(now, leaving{wanted: true, sleep: d})
}

// Disconnect ends the session's connection once all earlier requests are done. The will is not published.
func (c *Client) Disconnect(now time.Time) error { return c.goAway(now, leaving{wanted: true}) }

func (c *Client) goAway(now time.Time, l leaving) error {
	if c.state != Active && c.state != Asleep && c.state != Awake {
		return ErrState
	}
	c.leave = l
	c.pump(now)
	return nil
}

// depart sends DISCONNECT for c.leave.
func (c *Client) depart(now time.Time) {
	c.endAll()
	c.wakeAt = time.Time{}
	c.state = Leaving
	p := mqttsn.Disconnect{}
	if c.leave.sleep > 0 {
		c.state = FallingAsleep
		p = mqttsn.Disconnect{HasDuration: true, Duration: seconds(c.leave.sleep)}
	}
	c.begin(now, laneDisconnect, p)
}

// disconnect handles DISCONNECT: the acknowledgement of our own, or the gateway's word that it knows us no more.
func (c *Client) disconnect(now time.Time) bool {
	switch c.state {
	case Leaving:
		c.leftAt = now
		c.ended()
	case FallingAsleep:
		c.leftAt = now
		c.end(laneDisconnect)
		d := c.leave.sleep
		c.leave = leaving{}
		c.sleepOn(now)
		c.emit(FellAsleep{Duration: d})
	case Active, Asleep, Awake:
		// The acknowledgement may come twice, and looks like a dismissal then. A dismissal that is meant is repeated.
		if !c.leftAt.IsZero() && now.Sub(c.leftAt) < c.cfg.Retry {
			c.counters.Duplicates++
			return true
		}
		c.lost(now, "the gateway sent DISCONNECT")
	default:
		return false
	}
	return true
}

func (c *Client) ended() {
	c.endAll()
	c.state = Disconnected
	c.leave = leaving{}
	c.emit(Ended{})
}

// sleepOn enters Asleep.
func (c *Client) sleepOn(now time.Time) {
	c.state = Asleep
	c.wakeAt = time.Time{}
	if c.cfg.WakeEvery > 0 {
		c.wakeAt = now.Add(c.cfg.WakeEvery)
	}
}

// Wake asks for what the gateway has buffered. AwakeEnded tells that all of it has come.
func (c *Client) Wake(now time.Time) error {
	if c.state != Asleep {
		return ErrState
	}
	c.wake(now)
	return nil
}

func (c *Client) wake(now time.Time) {
	c.state = Awake
	c.wakeAt = time.Time{}
	c.begin(now, lanePing, mqttsn.Pingreq{ClientID: c.cfg.ClientID})
}
