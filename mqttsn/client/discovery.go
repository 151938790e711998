package client

import (
	"time"

	"midge/mqttsn"
)

// SearchGateway broadcasts SEARCHGW after delay, which §6.1 wants random between 0 and 5 s so that devices which were
// switched on together do not shout together. GatewayFound or SearchFailed ends the search. It needs no session.
func (c *Client) SearchGateway(now time.Time, radius uint8, delay time.Duration) {
	c.lanes[laneSearch] = exchange{open: true, packet: mqttsn.SearchGw{Radius: radius}, due: now.Add(max(0, delay))}
	if delay <= 0 {
		c.expire(now, laneSearch)
	}
}

// found reports a gateway. Any that is heard of ends the search, ADVERTISE as well.
func (c *Client) found(e GatewayFound) bool {
	c.end(laneSearch)
	c.emit(e)
	return true
}
