package gateway

import "midge/mqttsn"

// disconnect handles DISCONNECT: with a duration the client goes to sleep, without or with zero it leaves (§6.12, §6.14).
func (l *link) disconnect(c *client, p mqttsn.Disconnect) {
	switch {
	case c == nil:
		l.drop(UnknownSender) // never answered: two gateways could go on for ever
	case c.prompt != nil && p.Duration > 0 && !l.setAside(c): // nobody goes to sleep in the middle of CONNECT: an old packet
	case !c.connected() && c.prompt == nil:
		l.goneAgain(c, p)
	case p.Duration > 0:
		l.goToSleep(c, p.Duration)
	default:
		l.leave(c)
	}
}

func (l *link) leave(c *client) {
	c.heard = l.t
	l.send(&c.peer, mqttsn.Disconnect{})
	if !c.connected() {
		l.over(c, Disconnected) // it is remembered, so that a late packet of the handshake is not answered by a second DISCONNECT
		return
	}
	l.log.Info("client disconnected", "client", c.id)
	l.quit(c, Disconnected)
}

// goneAgain answers the DISCONNECT of a client that has gone already: it has missed the answer. One that wants to sleep is not answered, because
// it would believe that somebody keeps its messages; its next PINGREQ tells it.
func (l *link) goneAgain(c *client, p mqttsn.Disconnect) {
	if p.Duration > 0 {
		l.drop(UnknownSender)
		return
	}
	c.heard = l.t
	l.send(&c.peer, mqttsn.Disconnect{})
}

func (l *link) goToSleep(c *client, seconds uint16) {
	if l.debug {
		l.log.Debug("client asleep", "client", c.id, "seconds", seconds)
	}
	c.heard = l.t
	if l.owedTooMuch(c) {
		return
	}
	c.sleep = seconds
	l.fallAsleep(c)
	l.sp.keep(c)
	l.promise(c, mqttsn.Disconnect{}, 0) // without duration (§5.4.21)
	l.pump(c)
}

// fallAsleep stops everything towards the client. An exchange that is open stays open and is taken up at the next wake.
func (l *link) fallAsleep(c *client) {
	c.state, c.pinged = Asleep, false
	l.showState(c)
	if l.cfg.RegisterAfterSleep && c.topics.unlearn() {
		c.doubts++
		l.sp.keep(c)
	}
	c.s.Rest(l.now) // an error means that the session is another's, which its next use tells
	if c.x != nil {
		c.x.park()
	}
	l.schedule(c)
}

// ping handles PINGREQ. A sleeping client wakes with it, whether or not it gives its client id; with a client id it may come from a new
// address (§6.14). It returns the client that it came from.
func (l *link) ping(c *client, from peer, p mqttsn.Pingreq) *client {
	if p.ClientID != "" && (c == nil || c.id != p.ClientID) {
		c = l.rebind(from, p.ClientID)
	}
	if c == nil || !c.connected() {
		l.unknown(c, from)
		return nil
	}
	c.heard = l.t
	l.setAside(c)
	c.pinged = true
	switch {
	case c.state == Asleep:
		l.wakeUp(c)
	case c.state == Awake && c.x != nil && !l.justSent(c.x):
		l.retransmitted(c)
		l.transmit(c, c.x) // its PINGREQ was a repeat: what it has not answered again, and nothing from the beginning
	}
	l.pump(c)
	return c
}

// justSent reports whether what is open was sent so lately that its answer is still to be expected. A PINGREQ that is repeated then, by the device's own T_retry or by
// the radio, does not mean that it was lost, and a device with one buffer would be sent it twice at once.
func (l *link) justSent(x *exchange) bool {
	return x.delayed || !x.parked && l.t < x.retryAt-instant(l.cfg.RetryInterval)*3/4
}

// rebind finds the client that pings from an address that is not its own. Only one that sleeps may have moved, or one whose link is not served any
// more: one that is active would have said CONNECT.
func (l *link) rebind(from peer, id string) *client {
	c := l.sp.clients[id]
	if c == nil || !c.connected() || c.prompted() || c.state == Active && !c.link.Load().away || !l.serves(id, &from) || !l.mayMove(c, from, l.provenBy(from)) {
		return nil
	}
	l.counters.rebound++
	l.log.Info("client has a new address", "client", c.id, "peer", l.format(from.addr))
	l.bind(c, from)
	l.schedule(c)
	return c
}

// wakeUp makes a sleeping client awake: what waits now is what PINGRESP waits for.
func (l *link) wakeUp(c *client) {
	mark, err := c.s.Mark()
	if err != nil {
		l.takenOver(c)
		return
	}
	c.state, c.mark = Awake, mark
	c.turn = nil // it did not wait for the answer to its DISCONNECT
	c.awakeUntil = l.t + instant(l.cfg.RetryInterval)*instant(l.cfg.RetryCount+1)
	if c.x != nil {
		c.x.waitUntil = 0
		l.resume(c)
	}
	l.schedule(c)
}

// flushed reports whether PINGRESP may go out: to an active client at once, to an awake one when it has answered for all that waited when
// it woke.
func (l *link) flushed(c *client) bool {
	if !c.pinged || c.state == Active {
		return c.pinged // keep-alive: «are you alive?» and no more
	}
	if c.x != nil {
		return false
	}
	pending, err := c.s.Pending(c.mark)
	return err == nil && !pending
}
