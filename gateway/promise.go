package gateway

import "midge/mqttsn"

// promise is an answer that says that something will hold, a restart of the gateway between included. It goes through the client's session
// ([broker.Session.Reply]) and comes out of it once that is safe.
type promise struct {
	p       mqttsn.Packet // nil: nothing is sent, the topic id only had to become safe
	topicID uint16        // that the answer gives to the client, or the gateway is about to; 0 = none
}

// promisedMax bounds the answers that one client is owed. A device has one or two requests open; what comes beyond this is not handled, and the device repeats it.
const promisedMax = 64

// promise has p sent to c, wherever it is then, when all that was done for it so far is safe. Every request has an answer of its own, also when it
// repeats one that waits: the first does not speak for what the second has changed. Of those that tell a client its state only the last is sent.
func (l *link) promise(c *client, p mqttsn.Packet, topicID uint16) {
	r := &promise{p, topicID}
	if c.s.Reply(r) != nil {
		return // the session is somebody else's: pump finds out
	}
	c.promised++
	switch p.(type) {
	case mqttsn.Connack, mqttsn.Disconnect:
		c.turn = r
	}
}

// owedTooMuch reports whether a request of c cannot be handled now because too many answers wait to become safe.
func (l *link) owedTooMuch(c *client) bool {
	if c == nil || c.promised < promisedMax {
		return false
	}
	l.dropOf(c, Congested)
	return true
}

// kept sends a promise that is safe now.
func (l *link) kept(c *client, r *promise) {
	c.promised--
	if e := c.topics.get(r.topicID); e != nil {
		e.safe = true
	}
	switch r.p.(type) {
	case nil:
		return
	case mqttsn.Connack, mqttsn.Disconnect:
		if r != c.turn {
			return // the client has asked for another state meanwhile
		}
		c.turn = nil
	}
	left := l.send(&c.peer, r.p)
	if _, ok := r.p.(mqttsn.Connack); ok {
		c.untold = !left
	}
	if r.topicID != 0 {
		l.knewMeanwhile(c, r.topicID)
	}
}

// owed forgets what a session that is closed, or somebody else's, will not answer any more.
func (c *client) owed() { c.promised, c.turn = 0, nil }
