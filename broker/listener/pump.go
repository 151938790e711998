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
	full                    // the wire takes no more now
	more                    // the rounds are used up
)

// firstPull is how many deliveries the first round asks for. Later rounds ask for more while messages are small, so that what is pulled and
// finds the wire full stays small too.
const firstPull = 8

// drain pulls and writes until nothing waits, the wire is full or the rounds are used up. The caller has claimed the pump.
func (c *conn) drain(rounds int) progress {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	o := outboxes.Get().(*outbox)
	defer o.giveBack()
	o.buf = append(o.buf[:0], c.pend...)
	c.pend = nil
	if c.session == nil {
		return c.flushOut(o)
	}
	now := time.Now()
	for size := firstPull; ; rounds-- {
		if rounds == 0 {
			return max(c.flushOut(o), more)
		}
		n, err := c.session.Next(now, o.pull[:size])
		if err != nil {
			c.cut(mqtt.SessionTakenOver)
			return drained
		}
		if !c.encodeAll(o, now, n) {
			return full
		}
		if n < size {
			return c.flushOut(o)
		}
		if len(o.buf) < writeSize/4 {
			size = min(size*4, len(o.pull))
		}
	}
}

// encodeAll encodes what was pulled and writes each time that enough for one write is together. It reports whether the wire took it.
func (c *conn) encodeAll(o *outbox, now time.Time, n int) bool {
	pulled := o.pull[:n]
	defer clear(pulled)
	for i := range pulled {
		o.buf = c.encode(o.buf, now, &pulled[i])
		if len(o.buf) < writeSize || c.flushOut(o) != full {
			continue
		}
		for ; i+1 < n; i++ { // pulled is pulled: it waits behind the rest
			c.pend = c.encode(c.pend, now, &pulled[i+1])
		}
		return false
	}
	return true
}

// flushOut writes o.buf; what the wire does not take is kept in pend.
func (c *conn) flushOut(o *outbox) progress {
	if len(o.buf) == 0 || c.broken {
		return drained
	}
	rest, err := c.wire.write(o.buf)
	if err != nil {
		c.broken = true
		c.wire.close() // the reader notices
		return drained
	}
	c.pend = append(c.pend, rest...)
	o.buf = o.buf[:0]
	if len(rest) > 0 {
		return full
	}
	return drained
}

// send queues a packet that is not a delivery. The reader calls it; the pump that follows every batch carries it.
func (c *conn) send(appendTo func(b []byte) []byte) {
	c.wmu.Lock()
	c.pend = appendTo(c.pend)
	c.wmu.Unlock()
}

var ackTypes = [...]mqtt.PacketType{
	broker.Puback: mqtt.TypePuback, broker.Pubrec: mqtt.TypePubrec, broker.Pubrel: mqtt.TypePubrel, broker.Pubcomp: mqtt.TypePubcomp,
}

func (c *conn) encode(b []byte, now time.Time, o *broker.Outbound) []byte {
	if o.Kind != broker.Publish {
		if o.Reason == mqtt.QuotaExceeded && c.version != mqtt.V5 {
			// MQTT 3 has no answer but success. Without one the client keeps the message and brings it again.
			c.cut(o.Reason)
			return b
		}
		return mqtt.AppendAck(b, ackTypes[o.Kind], o.ID, o.Reason, c.version)
	}
	m := o.Message
	d := mqtt.Delivery{Topic: m.Topic, Payload: m.Payload, Props: m.Properties,
		QoS: o.QoS, Retain: o.Retain, Dup: o.Dup, ID: o.ID, SubIDs: o.SubscriptionIDs}
	if !m.Expires.IsZero() {
		d.Expiry = max(1, uint32((m.Expires.Sub(now)+time.Second-1)/time.Second))
	}
	if c.packetMax != 0 && d.Size(c.version) > int(c.packetMax) {
		// "Where a Packet is too large to send, the Server MUST discard it without sending it and then behave as if it had
		// completed sending that Application Message" [MQTT-3.1.2-25]
		c.server.broker.Dropped(broker.PacketTooLarge)
		c.session.Discard(o.ID)
		return b
	}
	return d.Append(b, c.version)
}
