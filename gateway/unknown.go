package gateway

import (
	"time"

	"midge/mqttsn"
)

// bucket bounds a rate: bucketBurst at once, then one each bucketInterval. The zero bucket is full.
type bucket struct {
	full instant // when it will be full again
}

// What a link sends unasked to senders it does not know, and GWINFO, each: ten a second, twenty at once. A whole field of
// devices that comes back after a power cut is told within a minute; a spoofed source gains nothing.
const (
	bucketBurst    = 20
	bucketInterval = instant(100 * time.Millisecond)
)

func (b *bucket) take(t instant) bool {
	full := max(b.full, t) + bucketInterval
	if full > t+bucketBurst*bucketInterval {
		return false
	}
	b.full = full
	return true
}

// unknown tells a sender that has no session to connect. c is the client that has gone from this address, or nil.
//
// "If … a GW … receives a message which cannot be mapped to a client, it … sends a DISCONNECT" in the field's reading; the
// specification leaves it to the client's timers (§6.14).
func (l *link) unknown(c *client, from peer) {
	l.drop(UnknownSender)
	switch {
	case l.broadcast:
		return // an answer to everyone's packet would come from everyone's gateway
	case c != nil && c.state == Disconnected && l.t-c.heard < instant(l.cfg.RetryInterval):
		return // it would take this for a second answer to its own DISCONNECT
	case !l.refusals.take(l.t):
		l.drop(RateLimited)
		return
	}
	if l.debug {
		l.log.Debug("unknown sender told to connect", "peer", l.format(from.addr))
	}
	l.send(&from, mqttsn.Disconnect{})
}
