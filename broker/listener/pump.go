package listener

import (
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// inlineRounds is how often a goroutine that has other work pulls before it leaves the rest to one that has not.
const inlineRounds = 2

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

// Wake is called by the core when the session has something to send, in the goroutine of whoever gave it: for a single message that
// costs less than starting one.
func (c *conn) Wake() { c.pump() }

// pump sends what waits as far as the socket takes it at once; the rest is left to a goroutine. Readers call it, their own connection's
// and others': they must not stand still because a client does not read, or the two could wait for each other for ever.
func (c *conn) pump() {
	if !c.claim() {
		return
	}
	for {
		rest, more := c.drain(false)
		if more {
			go c.pumpAll(rest)
			return
		}
		if c.release() {
			return
		}
	}
}

// pumpAll has claimed the pump. It sends rest and then all that waits, however long the socket takes.
func (c *conn) pumpAll(rest []byte) {
	if rest != nil {
		c.wmu.Lock()
		c.write(rest, true)
		c.wmu.Unlock()
	}
	for {
		c.drain(true)
		if c.release() {
			return
		}
	}
}

// drain pulls and writes until nothing waits. Unless it may wait, it stops when the socket is full, and returns what it could not write,
// or after a few rounds, so that no reader becomes the servant of another client.
func (c *conn) drain(wait bool) (rest []byte, more bool) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	o := outboxes.Get().(*outbox)
	defer o.giveBack()
	o.buf = append(o.buf[:0], c.pend...)
	c.pend = c.pend[:0]
	if c.session == nil {
		rest = c.write(o.buf, wait)
		return rest, rest != nil
	}
	now := time.Now()
	for round := 0; ; round++ {
		n, err := c.session.Next(now, o.pull[:])
		if err != nil {
			c.cut(mqtt.SessionTakenOver)
			return nil, false
		}
		for i := range o.pull[:n] {
			o.buf = c.encode(o.buf, now, &o.pull[i])
			if len(o.buf) < writeSize {
				continue
			}
			if rest := c.write(o.buf, wait); rest != nil {
				return c.encodeRest(rest, now, o.pull[i+1:n]), true
			}
			o.buf = o.buf[:0]
		}
		clear(o.pull[:n])
		if n < len(o.pull) {
			break
		}
		if !wait && round >= inlineRounds {
			more = true
			break
		}
	}
	rest = c.write(o.buf, wait)
	return rest, more || rest != nil
}

// encodeRest joins what the socket did not take with what has been pulled behind it.
func (c *conn) encodeRest(rest []byte, now time.Time, pulled []broker.Outbound) []byte {
	for i := range pulled {
		rest = c.encode(rest, now, &pulled[i])
	}
	clear(pulled)
	return rest
}

// write sends b and returns a copy of what is left of it: nothing, if it may wait or the connection is broken.
func (c *conn) write(b []byte, wait bool) (rest []byte) {
	if len(b) == 0 || c.broken {
		return nil
	}
	rest, err := c.src.tryToWrite(b)
	if err == nil && len(rest) > 0 {
		if !wait {
			return append([]byte(nil), rest...)
		}
		_, err = c.src.Write(rest)
	}
	if err != nil {
		c.broken = true
		c.src.Close() // the reader notices
	}
	return nil
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
