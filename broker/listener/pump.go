package listener

import (
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// States of conn.pumping.
const (
	idle    uint32 = iota
	running        // one goroutine pumps
	again          // and must look once more before it stops
)

// claim takes the pump if it is free; otherwise it makes whoever has it look again.
func (c *conn) claim() bool {
	for {
		switch c.pumping.Load() {
		case idle:
			if c.pumping.CompareAndSwap(idle, running) {
				return true
			}
		case running:
			if c.pumping.CompareAndSwap(running, again) {
				return false
			}
		default:
			return false
		}
	}
}

// release gives the pump back, or reports that it must go round once more.
func (c *conn) release() bool {
	if c.pumping.CompareAndSwap(running, idle) {
		return true
	}
	c.pumping.Store(running)
	return false
}

// Wake is called by the core when the session has something to send, in the goroutine of whoever gave it, and by the reader after
// each batch.
func (c *conn) Wake() {
	if c.claim() {
		c.wire.pump()
	}
}

// progress is how far drain came.
type progress uint8

const (
	drained progress = iota // nothing waits
	more                    // the rounds are used up
	full                    // the wire takes no more now
)

// firstPull is how many deliveries the first round asks for. Later rounds ask for more while messages are small, so that what is pulled and
// finds the wire full stays small too.
const firstPull = 8

// pullBytes is about how many octets of deliveries one pull brings, so that what has been pulled for a client that does not read is bounded by it and
// two messages.
const pullBytes = writeSize

// drain pulls and writes until nothing waits, the wire is full or the rounds are used up. The caller has claimed the pump.
func (c *conn) drain(rounds int) progress {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.drainHeld(rounds)
}

// drainHeld is drain for whoever holds wmu.
func (c *conn) drainHeld(rounds int) progress {
	if p := c.flush(&c.rest); p == full || c.broken {
		return p
	}
	o := outboxes.Get().(*outbox)
	defer o.giveBack()
	o.buf = o.buf[:0]
	now := time.Now()
	for size := firstPull; ; rounds-- {
		if rounds == 0 {
			return c.flushOut(o, more)
		}
		n, err := c.pull(o, now, size)
		if err != nil {
			c.flushOut(o, drained)
			c.cut(mqtt.SessionTakenOver, "")
			return drained
		}
		octets, taken := c.encodeAll(o, now, n)
		switch {
		case !taken:
			return full
		case c.broken, n < size && octets < pullBytes:
			return c.flushOut(o, drained)
		case len(o.buf) < writeSize/4:
			size = min(size*4, len(o.pull))
		}
	}
}

// pull takes the answers that wait and up to size things of the session. Both under one lock: a subscription's retained messages cannot overtake its SUBACK.
func (c *conn) pull(o *outbox, now time.Time, size int) (n int, err error) {
	c.amu.Lock()
	defer c.amu.Unlock()
	o.buf = append(o.buf, c.pend...)
	c.pend = nil
	if c.session == nil {
		return 0, nil
	}
	n, err = c.session.Next(now, o.pull[:size])
	c.greeted = c.greeted || n > 0
	return n, err
}

// answerHeld writes the answers that wait, and no deliveries: the client goes. The caller holds wmu.
func (c *conn) answerHeld() {
	if c.flush(&c.rest) == full || c.broken {
		return
	}
	o := outboxes.Get().(*outbox)
	defer o.giveBack()
	c.amu.Lock()
	o.buf, c.pend = append(o.buf[:0], c.pend...), nil
	c.amu.Unlock()
	for n := len(o.pull); n == len(o.pull) && c.session != nil; {
		n, _ = c.session.Acks(o.pull[:]) // an error is for whoever uses the session next
		c.greeted = c.greeted || n > 0
		c.server.traffic.packetsOut.Add(uint64(n))
		for i := range n {
			o.buf = c.encode(o, time.Time{}, &o.pull[i])
		}
	}
	c.flushOut(o, drained)
}

// encodeAll encodes what was pulled and writes each time that enough for one write is together. It returns the octets that count for
// pullBytes and whether the wire took what was written.
func (c *conn) encodeAll(o *outbox, now time.Time, n int) (octets int, taken bool) {
	pulled := o.pull[:n]
	defer clear(pulled)
	if n > 0 {
		c.server.traffic.packetsOut.Add(uint64(n))
	}
	for i := range pulled {
		octets += pulled[i].Octets()
		o.buf = c.encode(o, now, &pulled[i])
		if len(o.buf) < writeSize || c.flushOut(o, drained) != full {
			continue
		}
		for i++; i < n; i++ { // pulled is pulled: it waits behind the rest
			o.buf = c.encode(o, now, &pulled[i])
		}
		c.rest = append(c.rest, o.buf...)
		o.buf = o.buf[:0]
		return octets, false
	}
	return octets, true
}

// flushOut writes o.buf; what the wire does not take is kept in rest. When the wire takes all it returns otherwise.
func (c *conn) flushOut(o *outbox, otherwise progress) progress {
	if len(o.buf) == 0 {
		c.caughtUp()
		return otherwise
	}
	b := o.buf
	o.buf = o.buf[:0]
	p := c.flush(&b)
	c.rest = append(c.rest, b...)
	return max(p, otherwise)
}

// flush writes b and leaves in it what the wire does not take.
func (c *conn) flush(b *[]byte) progress {
	if c.broken {
		*b = nil
	}
	if len(*b) == 0 {
		return drained
	}
	rest, err := c.wire.write(*b)
	c.server.traffic.bytesOut.Add(uint64(len(*b) - len(rest)))
	*b = rest
	switch {
	case err != nil:
		c.broken, *b = true, nil
		c.wire.fail()
	case len(rest) > 0:
		return full
	}
	c.caughtUp()
	return drained
}

// caughtUp notes that the wire has taken all that we had for it.
func (c *conn) caughtUp() {
	if c.unanswered.Load() != 0 && c.unanswered.Swap(0) > answersMax {
		c.wire.heed()
	}
}

// send queues a packet that is not a delivery. The reader calls it; the pump that follows every batch carries it.
func (c *conn) send(appendTo func(b []byte) []byte) {
	c.amu.Lock()
	defer c.amu.Unlock()
	if c.session != nil && !c.greeted {
		c.session.Reply(appendTo(nil)) // an error is for whoever uses the session next
		return
	}
	c.pend = appendTo(c.pend)
	c.server.traffic.packetsOut.Add(1)
}

var ackTypes = [...]mqtt.PacketType{
	broker.Puback: mqtt.TypePuback, broker.Pubrec: mqtt.TypePubrec, broker.Pubrel: mqtt.TypePubrel, broker.Pubcomp: mqtt.TypePubcomp,
}

// encode appends a packet to what waits in the outbox.
func (c *conn) encode(box *outbox, now time.Time, o *broker.Outbound) []byte {
	b := box.buf
	switch o.Kind {
	case broker.Publish:
	case broker.Reply:
		return append(b, o.Value.([]byte)...)
	default:
		if o.Reason == mqtt.QuotaExceeded && c.version != mqtt.V5 {
			// MQTT 3 has no answer but success. Without one the client keeps the message and brings it again.
			c.flushOut(box, drained)
			c.cut(o.Reason, "")
			return box.buf
		}
		if o.Reason.Failed() {
			return append(b, c.ackPacket(ackTypes[o.Kind], o.ID, o.Reason)...)
		}
		return mqtt.AppendAck(b, ackTypes[o.Kind], o.ID, o.Reason, c.version)
	}
	m := o.Message
	d := mqtt.Delivery{Topic: c.mount.Strip(m.Topic), Payload: m.Payload, Props: m.Properties,
		QoS: o.QoS, Retain: o.Retain, Dup: o.Dup, ID: o.ID, SubIDs: o.SubscriptionIDs}
	if !m.Expires.IsZero() {
		d.Expiry = uint32(max(1, (m.Expires.Sub(now)+time.Second-1)/time.Second)) // it may be over for what is sent again
	}
	if c.told.max > 0 {
		if d.Alias = c.told.find(m.Topic); d.Alias != 0 {
			d.Topic = ""
		}
	}
	if c.packetMax != 0 && d.Size(c.version) > int(c.packetMax) {
		// "Where a Packet is too large to send, the Server MUST discard it without sending it and then behave as if it had
		// completed sending that Application Message" [MQTT-3.1.2-25]
		c.server.broker.Dropped(broker.PacketTooLarge)
		c.session.Discard(o.ID)
		return b
	}
	if c.told.max > 0 && d.Alias == 0 && (c.packetMax == 0 || d.Size(c.version)+aliasCost <= int(c.packetMax)) {
		d.Alias = c.told.learn(m.Topic)
	}
	return d.Append(b, c.version)
}
