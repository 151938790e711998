package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"midge/broker/mqtt"
)

// publisher is an MQTT client that publishes at QoS 1 or 2 with a persistent session. What is not acknowledged when its connection ends it sends
// again on the next, with the same packet identifier and DUP, in the old order, before anything new [MQTT-4.4.0-1].
type publisher struct {
	mqttClient
	src    *source
	rng    *rand.Rand
	window int           // most messages open
	every  time.Duration // between looks at what to send
	burst  int           // most messages at a time
	prefix string        // of the topics as this publisher's broker names them
	next   func(rng *rand.Rand, number int) message

	open     []*flight // in the order in which they were first sent
	lastID   uint16
	mustKnow bool // the broker has acknowledged something that only a session can hold
	allowance
	done chan struct{} // closed when run has ended
}

// allowance is what a publisher may still send.
type allowance struct {
	left   atomic.Int64
	ending atomic.Bool
}

// granted is how many messages a publisher may send at a time: about what it sends between two kills.
const granted = 80

func (a *allowance) grant() { a.left.Store(granted) }

// finish lets the publisher end when its last message is acknowledged.
func (a *allowance) finish() { a.ending.Store(true) }

// spend reports whether one more message may go out.
func (a *allowance) spend() bool { return !a.ending.Load() && a.left.Add(-1) >= 0 }

// flight is a message that is not acknowledged.
type flight struct {
	number   int
	id       uint16
	released bool // QoS 2: PUBREC came
	topic    string
	payload  []byte
	retain   bool
}

// run publishes until finish was called and everything is acknowledged, or ctx ends.
func (p *publisher) run(ctx context.Context) {
	defer close(p.done)
	for ctx.Err() == nil {
		w, present := p.connect(ctx)
		if w == nil {
			return
		}
		if p.mustKnow && !present {
			p.h.fault("%s: the broker has forgotten the session (session present is 0)", p.id)
		}
		finished := p.session(ctx, w)
		if finished {
			w.leave()
			return
		}
		w.close()
	}
}

// session serves one connection. It reports whether all is done.
func (p *publisher) session(ctx context.Context, w *wire) bool {
	p.resend(w)
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		w.flush()
		select {
		case in, ok := <-w.in:
			if !ok || !p.take(w, in) {
				return false
			}
		case <-tick.C:
			p.publish(w)
			if p.ending.Load() && len(p.open) == 0 {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

func (p *publisher) resend(w *wire) {
	for _, f := range p.open {
		if f.released {
			w.ack(mqtt.TypePubrel, f.id)
			continue
		}
		p.src.again(f.number, 1)
		p.write(w, f, true)
	}
}

func (p *publisher) write(w *wire, f *flight, dup bool) {
	d := mqtt.Publish{Dup: dup, QoS: p.src.qos, Retain: f.retain, ID: f.id, Topic: []byte(f.topic), Payload: f.payload}
	w.out = d.Append(w.out, w.v)
}

// publish sends some messages, as far as the window allows.
func (p *publisher) publish(w *wire) {
	for range 1 + p.rng.IntN(p.burst) {
		if len(p.open) >= min(p.window, p.serverMaximum) || !p.spend() {
			return
		}
		m := p.next(p.rng, len(p.src.sent)) // only this goroutine makes sent longer
		number, payload := p.src.send(m)
		f := &flight{number: number, id: p.freeID(), topic: p.prefix + m.topic, payload: payload, retain: m.retain}
		p.open = append(p.open, f)
		p.write(w, f, false)
	}
}

func (p *publisher) freeID() uint16 {
	for {
		p.lastID++
		if p.lastID != 0 && p.find(p.lastID) < 0 {
			return p.lastID
		}
	}
}

func (p *publisher) find(id uint16) int {
	return slices.IndexFunc(p.open, func(f *flight) bool { return f.id == id })
}

// take handles one packet from the broker. It reports false when the connection is of no more use.
func (p *publisher) take(w *wire, in packet) bool {
	switch in.kind() {
	case mqtt.TypePuback, mqtt.TypePubrec, mqtt.TypePubcomp:
	case mqtt.TypePingresp:
		return true
	case mqtt.TypeDisconnect:
		return false
	default:
		p.h.fault("%s, a publisher, got %v", p.id, in.kind())
		return false
	}
	a, err := mqtt.ParseAck(in.first, in.body, w.v)
	if err != nil || a.Reason.Failed() {
		p.h.fault("%s got %v with %v %v", p.id, in.kind(), a.Reason, err)
		return false
	}
	p.mustKnow = true
	i := p.find(a.ID)
	if i < 0 {
		p.h.fault("%s got %v for packet %d, which is not open", p.id, a.Type, a.ID)
		return false
	}
	return p.answered(w, a.Type, i)
}

// answered handles an acknowledgement of the open message i.
func (p *publisher) answered(w *wire, t mqtt.PacketType, i int) bool {
	f := p.open[i]
	if p.src.qos == mqtt.AtLeastOnce && t == mqtt.TypePuback || t == mqtt.TypePubcomp && f.released {
		// "It MUST send PUBACK packets in the order in which the corresponding PUBLISH packets were received" [MQTT-4.6.0-2]
		if t == mqtt.TypePuback && i != 0 {
			p.h.fault("%s got PUBACK for %v before that for %v", p.id, key{p.src, f.number}, key{p.src, p.open[0].number})
		}
		p.src.acked(f.number)
		p.open = slices.Delete(p.open, i, i+1)
		return true
	}
	if p.src.qos != mqtt.ExactlyOnce || t != mqtt.TypePubrec {
		p.h.fault("%s got %v for %v, which waits for another (released %v)", p.id, t, key{p.src, f.number}, f.released)
		return false
	}
	f.released = true
	p.src.taken(f.number)
	w.ack(mqtt.TypePubrel, f.id)
	return true
}
