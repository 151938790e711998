package bridge

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// echoes recognises messages that the upstream sends back to the bridge that brought them.
//
// MQTT 3.1.1 has no No Local. A broker that knows the bridge bit of the protocol level sends no echo; one that ignores it
// echoes every message once. So the first copy of a message sent within echoKeep is taken for the echo. The
// limits of that: somebody else upstream who publishes the same payload to the same topic in that time is taken for the echo (once, and only
// while the upstream may be one that echoes: after echoProof messages without an echo it is known not to be); and an echo that is
// later than echoKeep, or one of more than echoMax messages, comes through and is published locally a second time. It
// cannot go round: the local session has No Local. Where two bridges join the same two brokers both ways, a loop is beyond what either can see.
type echoes struct {
	ring    []echo // in order of time
	quiet   int    // messages whose time passed without an echo
	heard   bool   // this connection has seen an echo
	trusted bool   // this connection is taken to send none
}

type echo struct {
	digest [sha256.Size]byte
	until  time.Time
}

// digest leaves QoS and Retain out: an upstream may lower the one and clears the other on a live message.
func digest(topic string, payload []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(topic))))
	h.Write([]byte(topic))
	h.Write(payload)
	h.Sum(sum[:0])
	return sum
}

// connected starts the observation of another connection, which may have another broker at its end. What was sent is still known.
func (e *echoes) connected() { e.quiet, e.heard, e.trusted = 0, false, false }

// sent notes a message that may come back.
func (e *echoes) sent(now time.Time, topic string, payload []byte) {
	e.expire(now)
	if e.trusted {
		return
	}
	if len(e.ring) == echoMax {
		e.ring = append(e.ring[:0], e.ring[1:]...)
	}
	e.ring = append(e.ring, echo{digest(topic, payload), now.Add(echoKeep)})
}

// isEcho reports whether the message is the first copy of one that was sent; the next copy is not.
func (e *echoes) isEcho(now time.Time, topic string, payload []byte) bool {
	e.expire(now)
	if len(e.ring) == 0 {
		return false
	}
	d := digest(topic, payload)
	for i := range e.ring {
		if e.ring[i].digest == d {
			e.ring = append(e.ring[:i], e.ring[i+1:]...)
			e.heard = true
			return true
		}
	}
	return false
}

func (e *echoes) expire(now time.Time) {
	n := 0
	for n < len(e.ring) && !now.Before(e.ring[n].until) {
		n++
	}
	if n == 0 {
		return
	}
	e.ring = append(e.ring[:0], e.ring[n:]...)
	e.quiet += n
	if e.quiet >= echoProof && !e.heard {
		e.trusted = true
		e.ring = e.ring[:0]
	}
}
