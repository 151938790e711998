package client

import (
	"time"

	"midge/mqttsn"
)

// Client is one device. Make it with New. It is not safe for concurrent use.
type Client struct {
	cfg   Config
	state State
	lanes [numLanes]exchange

	// Topic ids of the session, both ways; one space for both directions (§5.3.11).
	ids   map[string]uint16
	names map[uint16]string

	// Requests in order; a head is on the air while its lane is open.
	pubs  []*publication
	subs  []subscription
	regs  []registration
	wills []willUpdate
	reg   registration // the one on the air, which a publish may have asked for
	leave leaving      // what to do when all of them are done

	received []uint16 // MsgIds of QoS 2 messages reported and not yet released
	lastQoS1 uint16   // MsgId of the last QoS 1 message, to count repetitions

	lastSent, lastHeard time.Time // the keep-alive timer runs from these
	heldUntil           time.Time // congestion: nothing new before; zero = none
	reconnectAt         time.Time // zero = not by itself
	wakeAt              time.Time // zero = not by itself
	leftAt              time.Time // when the last DISCONNECT was acknowledged

	lastMsgID uint16
	lastToken Token

	out      []byte // encoded frames, one behind the other
	frames   []outFrame
	drained  bool // out was given away and is overwritten by the next frame
	events   []Event
	counters Counters
}

// Frame is one message to send.
type Frame struct {
	Data      []byte // valid until the next call of any other method
	Broadcast bool   // to everyone in reach rather than to the gateway
	Radius    uint8  // hops of a broadcast, 0 = the whole network
}

// outFrame is a Frame by its place in Client.out.
type outFrame struct {
	from, to  int
	broadcast bool
	radius    uint8
}

// New makes a disconnected client.
func New(cfg Config) *Client {
	cfg = cfg.withDefaults()
	return &Client{cfg: cfg, ids: map[string]uint16{}, names: map[uint16]string{}, lastMsgID: cfg.FirstMsgID - min(cfg.FirstMsgID, 1)}
}

// State tells where the client stands.
func (c *Client) State() State { return c.state }

// Counters returns a copy of the counters.
func (c *Client) Counters() Counters { return c.counters }

// Queued is the number of requests that are not done.
func (c *Client) Queued() int { return len(c.pubs) + len(c.subs) + len(c.regs) + len(c.wills) }

// Output appends the frames to send to dst, in order, and forgets them. Their Data is valid until the next call of
// another method.
func (c *Client) Output(dst []Frame) []Frame {
	for _, f := range c.frames {
		dst = append(dst, Frame{Data: c.out[f.from:f.to:f.to], Broadcast: f.broadcast, Radius: f.radius})
	}
	c.frames, c.drained = c.frames[:0], true
	return dst
}

// Events appends what happened to dst, in order, and forgets it.
func (c *Client) Events(dst []Event) []Event {
	dst = append(dst, c.events...)
	clear(c.events)
	c.events = c.events[:0]
	return dst
}

func (c *Client) emit(e Event) { c.events = append(c.events, e) }

// send puts p out.
func (c *Client) send(now time.Time, p mqttsn.Packet) {
	if c.drained {
		c.out, c.drained = c.out[:0], false
	}
	from := len(c.out)
	c.out = p.Append(c.out)
	f := outFrame{from: from, to: len(c.out)}
	if s, ok := p.(mqttsn.SearchGw); ok {
		f.broadcast, f.radius = true, s.Radius
	} else {
		c.lastSent = now
	}
	c.frames = append(c.frames, f)
	c.counters.Sent[p.Type()]++
}

// Receive handles one frame from the gateway. The frame is not kept.
func (c *Client) Receive(now time.Time, frame []byte) {
	p, err := mqttsn.Decode(frame)
	if err != nil {
		c.counters.Malformed++
		return
	}
	c.counters.Received[p.Type()]++
	if !c.handle(now, p) {
		c.counters.Unexpected++
		return
	}
	c.pump(now)
}

// handle dispatches p. It reports false when p means nothing in the present state.
func (c *Client) handle(now time.Time, p mqttsn.Packet) bool {
	switch p := p.(type) {
	case mqttsn.Advertise:
		return c.found(GatewayFound{ID: p.GwID, Advertised: time.Duration(p.Duration) * time.Second})
	case mqttsn.GwInfo:
		return c.found(GatewayFound{ID: p.GwID, Address: append([]byte(nil), p.GwAdd...)})
	}
	if c.state == Disconnected {
		return false
	}
	c.lastHeard = now
	switch p := p.(type) {
	case mqttsn.Connack:
		return c.connack(now, p)
	case mqttsn.WillTopicReq:
		return c.willTopicReq(now)
	case mqttsn.WillMsgReq:
		return c.willMsgReq(now)
	case mqttsn.Publish:
		return c.listens(now) && c.message(now, p)
	case mqttsn.Register:
		return c.listens(now) && c.registerFromGateway(now, p)
	case mqttsn.Pubrel:
		return c.listens(now) && c.pubrel(now, p)
	case mqttsn.Puback:
		return c.puback(now, p)
	case mqttsn.Pubrec:
		return c.pubrec(now, p)
	case mqttsn.Pubcomp:
		return c.pubcomp(p)
	case mqttsn.Regack:
		return c.regack(now, p)
	case mqttsn.Suback:
		return c.suback(now, p)
	case mqttsn.Unsuback:
		return c.unsuback(p)
	case mqttsn.WillTopicResp:
		return c.willResp(now, p.Code, mqttsn.TypeWillTopicUpd)
	case mqttsn.WillMsgResp:
		return c.willResp(now, p.Code, mqttsn.TypeWillMsgUpd)
	case mqttsn.Pingreq:
		return c.pingreq(now)
	case mqttsn.Pingresp:
		return c.pingresp(now)
	case mqttsn.Disconnect:
		return c.disconnect(now)
	}
	return false // what only a client sends
}

// nextMsgID returns an id that no exchange uses. It is never 0, which stands for «none».
func (c *Client) nextMsgID() uint16 {
	for {
		c.lastMsgID++
		id := c.lastMsgID
		busy := len(c.pubs) > 0 && c.pubs[0].msgID == id ||
			c.lanes[laneRegister].open && c.reg.msgID == id ||
			len(c.subs) > 0 && c.subs[0].msgID == id
		if id != 0 && !busy {
			return id
		}
	}
}

func (c *Client) nextToken() Token {
	c.lastToken++
	if c.lastToken == 0 {
		c.lastToken = 1
	}
	return c.lastToken
}
