package gateway

import (
	"midge/broker"
	"midge/broker/mqtt"
	"midge/mqttsn"
)

// phase is how far the exchange towards a client has come.
type phase uint8

const (
	registering phase = iota // REGISTER is out, REGACK awaited, PUBLISH follows
	publishing               // PUBLISH is out, PUBACK or PUBREC awaited
	releasing                // PUBREL is out, PUBCOMP awaited
)

// exchange is the one delivery that is open towards a client. One at a time: many devices have a single receive
// buffer. The broker hands a delivery out once; repeating it is done here.
type exchange struct {
	out       broker.Outbound
	phase     phase
	kind      mqttsn.TopicIDType
	published bool // PUBLISH was out before, so it is a duplicate now
	dup       bool // the last PUBLISH carried DUP
	plain     bool // the client does not understand DUP
	corrected bool // the client has called the topic id invalid, and has had a REGISTER since
	parked    bool // out of tries, or the client sleeps: go on when it is heard
	delayed   bool // there was no room for it on the air: it goes when the client has its turn
	held      bool // parked until CONNACK is out, or its topic id is safe
	tries     uint8
	doubts    uint8 // refusals since plain or corrected that were not believed
	rounds    uint8 // how often REGISTER ran out of tries
	topicID   uint16
	regID     uint16
	retryAt   instant // 0 = not due by time
	waitUntil instant // the client said «congestion»
}

func (x *exchange) park() { x.parked, x.delayed, x.retryAt = true, false, 0 }

func (x *exchange) hold() {
	x.park()
	x.held = true
}

// deliver begins the exchange for one message.
func (l *link) deliver(c *client, out *broker.Outbound) {
	x := &exchange{out: *out}
	if c.takenUp && out.QoS > 0 {
		// After a crash the broker has to call everything a duplicate that waited then. One at a time was sent, so only the first can be one, and there
		// are devices that refuse DUP.
		x.out.Dup = out.Dup && !c.resent
		c.resent = true
	}
	if why, ok := l.address(c, x); !ok {
		l.giveUp(c, out, why)
		return
	}
	if !l.fits(c, x) {
		l.tooLong(c, out)
		return
	}
	c.out++
	l.transmit(c, x)
	if x.phase == registering || out.QoS > 0 || x.held || x.delayed {
		c.x = x
		l.schedule(c)
	}
}

// fits reports whether the link carries what is to be sent. It is asked again with each repetition: a radio that has refused a frame for its length carries less.
func (l *link) fits(c *client, x *exchange) bool {
	room := l.room(&c.peer)
	switch x.phase {
	case releasing:
		return true
	case registering:
		if (mqttsn.Register{TopicName: l.nameOf(c, x)}).Size() > room {
			return false
		}
	}
	return l.publishOf(x).Size() <= room
}

// tooLong gives a message up that the link cannot carry. The subscriber is not told: "silently abort" (§6.6); the operator is.
func (l *link) tooLong(c *client, out *broker.Outbound) {
	l.complain("message too long for link", c.id, "topic", out.Message.Topic, "octets", len(out.Message.Payload), "mtu", l.room(&c.peer))
	l.sp.b.Dropped(broker.PacketTooLarge)
	l.giveUp(c, out, TooLong)
}

// address chooses how PUBLISH names its topic. An id that was registered goes first, because the client itself chose to know the topic so; then one
// that was agreed beforehand; then the name itself, if it has two octets; else a new id is given and REGISTER comes before PUBLISH.
func (l *link) address(c *client, x *exchange) (why DropReason, ok bool) {
	name := l.nameOf(c, x)
	if id, ok := c.topics.find(name); ok {
		return l.byEntry(c, x, id)
	}
	if id, ok := l.sp.predefined.id(c.id, l.name, name); ok {
		x.phase, x.kind, x.topicID = publishing, mqttsn.Predefined, id
		return 0, true
	}
	if id, ok := mqttsn.ShortTopic(name); ok {
		x.phase, x.kind, x.topicID = publishing, mqttsn.Short, id
		return 0, true
	}
	return l.byNewEntry(c, x)
}

func (l *link) byNewEntry(c *client, x *exchange) (why DropReason, ok bool) {
	given := len(c.topics.entries)
	id, ok := c.topics.add(l.nameOf(c, x), l.sp.cfg.Limits.TopicIDs)
	if !ok {
		return TopicIDsFull, false
	}
	if len(c.topics.entries) > given {
		l.sp.keepTopic(c, id)
		l.promise(c, nil, id) // the client is told when it is out
	}
	return l.byEntry(c, x, id)
}

func (l *link) byEntry(c *client, x *exchange, id uint16) (why DropReason, ok bool) {
	e := c.topics.get(id)
	if e.refused {
		return TopicRefused, false
	}
	x.phase, x.kind, x.topicID = registering, mqttsn.Normal, id
	if e.known {
		x.phase = publishing
	}
	return 0, true
}

func (l *link) publishOf(x *exchange) mqttsn.Publish {
	o := &x.out
	return mqttsn.Publish{Dup: o.QoS > 0 && !x.plain && (o.Dup || x.published), Retain: o.Retain, QoS: mqttsn.QoS(o.QoS),
		TopicIDType: x.kind, TopicID: x.topicID, MsgID: o.ID, Data: o.Message.Payload}
}

// safe reports whether the topic id of x, if it has one, will mean the same after a restart. A device that was told of one that is then given to another
// topic would publish there.
func (c *client) safe(x *exchange) bool {
	if x.phase == releasing || x.kind != mqttsn.Normal {
		return true
	}
	e := c.topics.get(x.topicID)
	return e == nil || e.safe
}

// transmit sends what the exchange's phase asks for and sets its timer. A client that does not listen gets it when it does.
func (l *link) transmit(c *client, x *exchange) {
	if c.turn != nil || !c.safe(x) {
		x.hold() // pump goes on
		return
	}
	if !c.listens() {
		x.park()
		return
	}
	if !l.slot(c) {
		x.parked, x.delayed, x.retryAt = false, true, 0
		return
	}
	x.delayed, l.serving = false, nil
	switch x.phase {
	case registering:
		if x.regID == 0 {
			c.lastReg++
			if c.lastReg == 0 {
				c.lastReg = 1
			}
			x.regID = c.lastReg
		}
		l.send(&c.peer, mqttsn.Register{TopicID: x.topicID, MsgID: x.regID, TopicName: l.nameOf(c, x)})
	case publishing:
		p := l.publishOf(x)
		l.send(&c.peer, p)
		x.published, x.dup = true, p.Dup
		if x.out.QoS == mqtt.AtMostOnce {
			c.x = nil // nothing is awaited
			return
		}
	case releasing:
		l.send(&c.peer, mqttsn.Pubrel{MsgID: x.out.ID})
	}
	x.parked, x.retryAt = false, l.t+instant(l.cfg.RetryInterval)
	if c.state == Awake {
		c.awakeUntil = x.retryAt + 1 // retransmit decides
	}
}

// retransmit repeats what was not answered within T_retry. When N_retry repeats have not helped, the client is left alone
// until it is heard again: what it has not acknowledged stays, and its keep-alive timer says whether it is lost.
func (l *link) retransmit(c *client) {
	x := c.x
	switch {
	case x.waitUntil != 0:
		l.resume(c)
	case !l.fits(c, x):
		c.x = nil
		l.tooLong(c, &x.out)
		l.pump(c)
	case int(x.tries) < l.cfg.RetryCount:
		x.tries++
		l.retransmitted(c)
		l.transmit(c, x)
		l.schedule(c)
	case x.phase == registering && x.rounds+1 >= registerRounds:
		// It is heard again and again and never answers a REGISTER: there are devices without one (RIOT's emcute). Nothing else would ever reach it.
		l.complain("client does not answer REGISTER", c.id, "topic", x.out.Message.Topic)
		c.topics.get(x.topicID).refused = true
		c.x = nil
		l.giveUp(c, &x.out, TopicRefused)
		l.pump(c)
	case c.state == Awake:
		x.rounds++
		l.fallAsleep(c)
	default:
		x.rounds++
		l.counters.exhausted++
		x.park()
	}
}

// registerRounds is how often a client may let a REGISTER run out of tries and be heard afterwards, before it counts as one that cannot be registered with. So many
// that no radio does it by loss: with four repeats each it is forty REGISTER without an answer.
const registerRounds = 8

// knewMeanwhile goes on with an exchange whose REGISTER has become unnecessary, because the client has been given the id in answer to a request of its own.
func (l *link) knewMeanwhile(c *client, id uint16) {
	x := c.x
	if x == nil || x.phase != registering || x.parked || x.topicID != id || !c.topics.get(id).known {
		return
	}
	x.phase, x.tries, x.rounds = publishing, 0, 0
	x.corrected = false // unless that answer is lost: then it knows the id no better than before
	l.transmit(c, x)
	l.schedule(c)
}

func (l *link) retransmitted(c *client) {
	c.retransmitted++
	l.counters.retransmitted++
}

// resume takes an exchange up again: after sleep, after silence, after CONNECT. What the client knows of the topic may have changed.
func (l *link) resume(c *client) {
	x := c.x
	if x.phase != releasing {
		if why, ok := l.address(c, x); !ok {
			c.x = nil
			l.giveUp(c, &x.out, why)
			l.pump(c)
			return
		}
	}
	if !l.fits(c, x) {
		c.x = nil
		l.tooLong(c, &x.out)
		l.pump(c)
		return
	}
	if x.published || x.regID != 0 {
		l.retransmitted(c)
	}
	x.tries, x.waitUntil, x.held, x.corrected = 0, 0, false, false
	l.transmit(c, x)
	l.schedule(c)
	if c.x == nil {
		l.pump(c)
	}
}

// wait leaves a client that said «congestion» alone for T_WAIT. If it is awake it may sleep on: PINGRESP would promise that nothing is left.
func (l *link) wait(c *client, x *exchange) {
	x.tries = 0
	x.park()
	x.waitUntil = l.t + instant(congestionWait)
	if c.state == Awake {
		l.fallAsleep(c)
		return
	}
	x.retryAt = x.waitUntil
	l.schedule(c)
}

// giveUp drops a delivery that will not reach the client. For the broker it is done.
func (l *link) giveUp(c *client, out *broker.Outbound, why DropReason) {
	l.dropOf(c, why)
	if out.QoS == 0 {
		return
	}
	done := c.s.Refused
	if why == TooLong {
		done = c.s.Discard // counted as PacketTooLarge already
	}
	if done(out.ID) != nil {
		l.takenOver(c)
	}
}
