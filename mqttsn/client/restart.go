package client

import "time"

// Restart is a device whose power was cut, if it keeps its session where that does not matter: topic ids, requests that are not done and how far each has come, and
// the QoS 2 messages that are not released. What was under way is forgotten; Connect takes it up again. A device that keeps nothing is a new Client instead.
func (c *Client) Restart() {
	for l := range numLanes {
		c.end(l)
	}
	c.state = Disconnected
	c.leave = leaving{}
	c.heldUntil, c.reconnectAt, c.wakeAt, c.leftAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	c.frames = c.frames[:0]
}
