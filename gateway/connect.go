package gateway

import (
	"errors"
	"time"

	"midge/broker"
	"midge/mqttsn"
)

// Protocol is the gateway's name in the broker's counters.
const Protocol = "mqttsn"

// connect handles CONNECT (§6.2). It is idempotent: whatever the client was before, it gets its CONNACK.
func (l *link) connect(from peer, p mqttsn.Connect) *client {
	if p.ClientID == "" && l.cfg.EmptyClientID {
		p.ClientID = l.assignedID(&from)
	}
	user := l.provenBy(from)
	if fault := l.sp.faultOf(&p); fault != "" {
		l.turnAway(&from, p.ClientID, NotSupported, mqttsn.NotSupported, fault)
		return nil
	}
	switch {
	case !l.allow.client(p.ClientID):
		l.turnAway(&from, p.ClientID, NotAllowed, l.sp.refused(), "the link does not serve this client id")
	case l.stranger(&from):
		l.turnAway(&from, p.ClientID, NotAllowed, l.sp.refused(), "the link does not serve this address")
	case l.elsewhere(p.ClientID, &from):
		l.turnAway(&from, p.ClientID, NotAllowed, l.sp.refused(), "the link serves this client id at other addresses only")
	case user == "" && l.cfg.Auth != nil:
		l.await(from, p)
	default:
		return l.letIn(from, p, user)
	}
	return nil
}

// letIn goes on with CONNECT when it is known who says it: user, or "" for nobody known.
func (l *link) letIn(from peer, p mqttsn.Connect, user string) *client {
	c := l.sp.clients[p.ClientID]
	if l.owedTooMuch(c) {
		return nil
	}
	if l.live+l.prompts >= l.cfg.Clients && !(c != nil && c.link.Load() == l && (c.connected() || c.prompt != nil)) {
		l.turnAway(&from, p.ClientID, Congested, mqttsn.Congestion, "as many clients are connected on the link as it may have")
		return nil
	}
	if c != nil && !l.mayMove(c, from, user) {
		l.turnAway(&from, c.id, AddressRefused, l.sp.refused(), "it is connected at "+c.link.Load().formatPeer(&c.peer)+" and may not move from there")
		return nil
	}
	if c == nil {
		c = &client{id: p.ClientID, place: -1, clean: true}
		l.sp.clients[c.id] = c
	}
	l.sp.back(c)
	l.bind(c, from)
	c.heard = l.t
	switch {
	case p.Will && l.repeats(c, &p, user):
		l.connackAgain(c)
		return c
	case p.Will:
		l.promptFor(c, p, user)
		return c
	}
	l.promptOver(c)
	c.asked = unasked
	l.admit(c, p, nil, user)
	return c
}

// admit ends CONNECT: the session is opened or kept as the flags say, CONNACK goes out, then what waits for the client.
//
// The flags count whatever state the client was in, asleep included (§6.3): with CleanSession=0 queue, subscriptions, topic
// ids and will are kept, with CleanSession=1 all are gone. The will is the new one, if w is not nil.
func (l *link) admit(c *client, p mqttsn.Connect, w *will, user string) {
	if p.CleanSession {
		c.topics, c.will = topicTable{}, nil
	}
	if w != nil {
		c.will = w
	}
	held := c.s
	if err := l.acquire(c, p.CleanSession, user); err != nil {
		l.refuse(c, err)
		return
	}
	c.clean, c.keepAlive = p.CleanSession, p.Duration
	c.state, c.pinged, c.lastSub = Active, false, 0
	if c.topics.doubt() {
		c.doubts++
	}
	l.sp.keep(c)
	if c.s != held {
		l.sp.keepTopics(c)
	}
	l.log.Info("client connected", "client", c.id, "peer", l.format(c.peer.addr))
	l.showState(c)
	if c.x != nil {
		c.x.hold() // after CONNACK
	}
	l.promise(c, mqttsn.Connack{Code: mqttsn.Accepted}, 0)
	l.schedule(c)
	l.pump(c)
}

// acquire gives c a session of the broker. One that it holds already is kept if it may be: opening it anew would publish the will
// and drop what waits at QoS 0.
func (l *link) acquire(c *client, clean bool, user string) error {
	same := c.user == user // another one has other rights
	c.user = user
	if c.connected() {
		if !clean && same && c.s.SetWill(c.will.message()) == nil {
			return nil
		}
		c.s.SetWill(nil) // it is not lost; an error means that the session is another's already
		c.s, c.x, c.unanswered, c.own = nil, nil, nil, 0
		l.live--
	}
	present, err := l.sp.open(l.now, c, clean, clean)
	if err != nil {
		return err
	}
	c.receives = present
	l.live++
	return nil
}

// open opens the session of c, which has none. cleanStart forgets what there is of it; clean has it end with its client.
func (sp *space) open(now time.Time, c *client, cleanStart, clean bool) (present bool, err error) {
	c.owed()
	c.noted, c.takenUp, c.resent = 0, false, false
	s, present, err := sp.b.Open(now, broker.Options{
		ClientID:       c.id,
		Username:       c.user,
		Protocol:       Protocol,
		CleanStart:     cleanStart,
		SessionExpiry:  sp.expiry(clean),
		ReceiveMaximum: 1, // "many devices have a single receive buffer": one exchange at a time
		Will:           c.will.message(),
		Waker:          c,
		Wakes:          &sp.wakes,
		Connectionless: true,
		Access:         sp.cfg.Access(c.user, c.id),
	})
	if err == nil {
		c.s = s
	}
	return present, err
}

// expiry is the session expiry interval that CleanSession stands for.
func (sp *space) expiry(clean bool) uint32 {
	if clean {
		return 0
	}
	return sp.cfg.SessionExpiry
}

// refuse answers a CONNECT for which the broker has no session.
func (l *link) refuse(c *client, err error) {
	code := mqttsn.NotSupported
	if errors.Is(err, broker.ErrTooManySessions) {
		code = mqttsn.Congestion
		l.dropOf(c, Congested)
	} else {
		l.dropOf(c, NotSupported)
	}
	l.complain("client refused", c.id, "peer", l.formatPeer(&c.peer), "reason", err.Error())
	l.send(&c.peer, mqttsn.Connack{Code: code})
	l.over(c, Disconnected)
}

// lose ends a client that was silent for longer than it had promised. "… the GW … considers that client as lost and
// activates … the Will feature" (§6.13, §6.14).
func (l *link) lose(c *client) {
	l.log.Info("client lost", "client", c.id, "reason", c.state.String()+" and silent")
	l.quit(c, Lost)
}

// quit closes the session. What is kept beyond it, of a client that may come back to it, is noted before.
func (l *link) quit(c *client, s State) {
	c.state = s
	if !c.clean {
		l.sp.keep(c)
	}
	expiry := l.sp.expiry(c.clean)
	c.s.Close(l.now, broker.Closing{Lost: s == Lost, SessionExpiry: &expiry}) // an error means that it is another's already
	l.over(c, s)
}
