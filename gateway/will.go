package gateway

import (
	"bytes"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/broker/topic"
	"midge/mqttsn"
)

// will is a client's will as MQTT-SN has it: topic and message are set apart and outlive the session.
type will struct {
	topic   string
	payload []byte
	qos     mqtt.QoS
	retain  bool
}

// message is the will in the broker's words; nil for no will.
func (w *will) message() *broker.Will {
	if w == nil {
		return nil
	}
	return &broker.Will{Message: &broker.Message{Topic: w.topic, Payload: w.payload, QoS: w.qos, Retain: w.retain}}
}

// prompt is the will handshake: CONNECT has come, WILLTOPICREQ or WILLMSGREQ is out (§6.3).
type prompt struct {
	connect mqttsn.Connect
	user    string
	will    *will // nil until WILLTOPIC has come
	tries   int   // repeats of the present request
	again   bool  // CONNECT was heard once more while the message was awaited
	aside   bool  // the client goes on as before its CONNECT, see setAside; at retryAt the handshake is over
	retryAt instant
}

// asked is what became of the last will handshake.
type asked uint8

const (
	unasked   asked = iota // there was none since the gateway began, or it is under way
	satisfied              // it ended with the will; CONNACK follows
	inVain                 // it ended without: the CONNECT was never accepted
)

// prompted reports whether the client is being asked for its will, and is nothing else meanwhile.
func (c *client) prompted() bool { return c.prompt != nil && !c.prompt.aside }

// promptFor begins or continues the will handshake. What the client was before is kept until it is through.
func (l *link) promptFor(c *client, p mqttsn.Connect, user string) {
	switch {
	case c.prompt == nil:
		c.prompt = new(prompt)
		l.prompts++
	case c.untold && !c.prompt.aside && p == c.prompt.connect: // it cannot have answered yet, so it has asked again for what waits to leave
	case c.prompt.will != nil && !c.prompt.again && !c.prompt.aside:
		c.prompt.again = true // a late copy, unless it comes again: then the device has started anew
	default:
		c.prompt.will, c.prompt.again = nil, false
	}
	c.prompt.connect, c.prompt.user = p, user
	c.prompt.tries, c.asked = 0, unasked
	c.turn = nil // the answer to this CONNECT comes after the will
	l.promptOut(c)
	l.schedule(c)
}

// repeats reports whether a CONNECT with a will is once more the one whose will handshake has just ended, because CONNACK has not left yet: it is not
// safe, or there is no room on the air. Asking for the will again would never end where that takes longer than T_retry.
func (l *link) repeats(c *client, p *mqttsn.Connect, user string) bool {
	if c.asked != satisfied || !c.connected() || c.state != Active || c.clean != p.CleanSession || c.keepAlive != p.Duration || c.user != user {
		return false
	}
	return c.untold || c.turn != nil
}

// connackAgain answers such a CONNECT, when that is safe.
func (l *link) connackAgain(c *client) {
	if c.turn == nil {
		c.untold = !l.send(&c.peer, mqttsn.Connack{Code: mqttsn.Accepted})
	}
	l.schedule(c)
}

// promptOut sends the request that is due. T_retry runs from when it leaves, see departed.
func (l *link) promptOut(c *client) {
	c.prompt.aside = false
	c.prompt.retryAt = l.t + instant(l.cfg.RetryInterval)
	if c.prompt.will == nil {
		c.untold = !l.send(&c.peer, mqttsn.WillTopicReq{})
		return
	}
	c.untold = !l.send(&c.peer, mqttsn.WillMsgReq{})
}

// promptAgain repeats the request, or gives up: then the client is again what it was before CONNECT.
func (l *link) promptAgain(c *client) {
	if !c.prompt.aside && c.untold {
		l.promptOut(c) // nobody has missed it: it keeps its place, or finds one now
		return
	}
	if !c.prompt.aside && c.prompt.tries < l.cfg.RetryCount {
		c.prompt.tries++
		l.retransmitted(c)
		l.promptOut(c)
		return
	}
	l.promptFailed(c)
}

// promptOver ends the handshake, if there is one.
func (l *link) promptOver(c *client) {
	if c.prompt != nil {
		c.prompt = nil
		l.prompts--
	}
}

// promptFailed ends the handshake without a connection: the client is again what it was before, if it was anything.
func (l *link) promptFailed(c *client) {
	l.promptOver(c)
	c.asked, c.untold = inVain, false
	switch {
	case c.connected():
		l.schedule(c)
		l.pump(c)
	case c.clean:
		l.sp.forget(c)
	default:
		l.unschedule(c)
		l.sp.rest(c)
	}
}

// receivePrompted handles what comes from a client that was asked for its will. Nothing else is taken before the end of it, unless that end is now.
func (l *link) receivePrompted(c *client, p mqttsn.Packet) {
	switch p := p.(type) {
	case mqttsn.WillTopic:
		l.willTopic(c, p)
	case mqttsn.WillMsg:
		l.willMessage(c, p)
	default:
		if l.setAside(c) {
			l.receiveConnected(c, p)
			l.pump(c)
		}
	}
}

// setAside has a client that was connected before its CONNECT go on with that session, because it has sent something else than its will. It reports
// whether that may be handled.
//
// One of two packets came late. Mostly it is CONNECT, repeated while CONNACK was on its way: the device has long gone on, and would find itself
// unheard until the handshake gives up. But it may also be the other one, from before a true CONNECT. So the handshake is not over: for T_retry the
// will takes it up again where it was.
func (l *link) setAside(c *client) bool {
	switch {
	case !c.prompted():
		return true
	case !c.connected():
		l.dropOf(c, Unexpected)
		return false
	}
	c.prompt.aside = true
	c.prompt.retryAt = l.t + instant(l.cfg.RetryInterval)
	l.schedule(c)
	return true
}

// willTopic handles WILLTOPIC.
func (l *link) willTopic(c *client, p mqttsn.WillTopic) {
	pr := c.prompt
	switch {
	case p.Empty: // "… indicates that the client wishes to delete the Will topic and the Will message" (§5.4.7)
		c.will = nil
		l.promptOver(c)
		c.asked = satisfied
		l.admit(c, pr.connect, nil, pr.user)
		return
	case !validWill(p):
		l.dropOf(c, InvalidTopic)
		l.send(&c.peer, mqttsn.Connack{Code: mqttsn.NotSupported})
		l.promptFailed(c)
		return
	}
	pr.will = l.willOf(c, pr.user, p)
	pr.tries, pr.again = 0, false
	l.promptOut(c)
	l.schedule(c)
}

// willMessage handles WILLMSG.
func (l *link) willMessage(c *client, p mqttsn.WillMsg) {
	pr := c.prompt
	if pr.will == nil {
		l.dropOf(c, Unexpected)
		l.promptOut(c) // it has not understood what is asked
		return
	}
	pr.will.payload = bytes.Clone(p.Data)
	l.promptOver(c)
	c.asked = satisfied
	l.admit(c, pr.connect, pr.will, pr.user)
}

// willOf is a will without its message, as the link takes it from c, behind whom user is.
func (l *link) willOf(c *client, user string, p mqttsn.WillTopic) *will {
	return &will{topic: l.mount(c.id, user).Name(p.Topic), qos: l.capped(p.QoS), retain: p.Retain}
}

func validWill(p mqttsn.WillTopic) bool {
	return p.QoS >= mqttsn.AtMostOnce && topic.ValidName(p.Topic) == nil
}

// updateWillTopic handles WILLTOPICUPD; the empty one deletes topic and message (§6.4).
func (l *link) updateWillTopic(c *client, p mqttsn.WillTopic) {
	var w *will
	if !p.Empty {
		if !validWill(p) {
			l.dropOf(c, InvalidTopic)
			l.send(&c.peer, mqttsn.WillTopicResp{Code: mqttsn.NotSupported})
			return
		}
		w = l.willOf(c, c.user, p)
		if c.will != nil {
			w.payload = c.will.payload
		}
	}
	if l.setWill(c, w) {
		l.promise(c, mqttsn.WillTopicResp{Code: mqttsn.Accepted}, 0)
		l.pump(c)
	}
}

// updateWillMessage handles WILLMSGUPD. Without a topic there is no will whose message could change.
func (l *link) updateWillMessage(c *client, p mqttsn.WillMsgUpd) {
	if c.will == nil {
		l.send(&c.peer, mqttsn.WillMsgResp{Code: mqttsn.NotSupported})
		return
	}
	w := *c.will
	w.payload = bytes.Clone(p.Data)
	if l.setWill(c, &w) {
		l.promise(c, mqttsn.WillMsgResp{Code: mqttsn.Accepted}, 0)
		l.pump(c)
	}
}

func (l *link) setWill(c *client, w *will) bool {
	if err := c.s.SetWill(w.message()); err != nil {
		l.takenOver(c)
		return false
	}
	c.will = w
	l.sp.keep(c)
	return true
}
