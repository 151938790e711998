package bridge

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// central is an upstream that keeps its session, as a receiver and as a sender, over any number of connections. It does what MQTT 3.1.1 §4.3 says and no more.
type central struct {
	t     *testing.T
	known bool            // it has a session
	open  map[uint16]bool // QoS 2 identifiers received and not released
	got   []string
	out   []*outgoing
	cut   func(packet int) (moment, bool)
	seen  int // packets from the bridge
}

// outgoing is a message for the bridge.
type outgoing struct {
	id      uint16
	qos     byte
	topic   string
	payload string
	state   outgoingState
}

type outgoingState int

const (
	unsent outgoingState = iota
	unanswered
	taken // PUBREC came
	finished
)

// moment is how far a packet from the bridge gets when its side loses its power.
type moment int

const (
	unseen    moment = iota // upstream never sees the packet
	unheard                 // upstream takes it, but its answer is lost
	answered                // the answer may or may not be seen
	digested                // the answer was seen and all that follows from it at once was done
	momentMax = digested
)

func (m moment) String() string {
	return [...]string{"unseen", "unheard", "answered", "digested"}[m]
}

// newCentral returns an upstream with something to send. cut says whether the bridge's side loses its power at the packet of this number, 0 being the first.
func newCentral(t *testing.T, cut func(int) (moment, bool), out ...*outgoing) *central {
	for i, o := range out {
		o.id = uint16(i + 1)
	}
	return &central{t: t, open: make(map[uint16]bool), cut: cut, out: out}
}

// serve plays one connection until the power is cut, or nothing more comes. turn is called before each packet that is waited for.
func (c *central) serve(p *peer, turn func()) (powerCut bool) {
	c.t.Helper()
	for {
		turn()
		var line string
		select {
		case got, ok := <-p.in:
			if !ok {
				c.t.Fatal("the bridge has no reason to close a connection")
			}
			line = got
		case <-time.After(30 * time.Second): // less than a keep-alive
			return false
		}
		when, here := c.cut(c.seen)
		c.seen++
		if here && when == unseen {
			return true
		}
		answer := c.take(p, line)
		if here && when == unheard {
			return true
		}
		for _, f := range answer {
			f()
		}
		if here {
			if when == digested {
				synctest.Wait()
				turn()
			}
			return true
		}
	}
}

// take changes the state as the packet says and returns what is to be sent.
func (c *central) take(p *peer, line string) (answer []func()) {
	c.t.Helper()
	say := func(kind byte, id uint16) { answer = append(answer, func() { p.ack(kind, id) }) }
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "CONNECT":
		flag := byte(0)
		if c.known {
			flag = 1
		}
		c.known = true
		return []func(){func() { p.write(0x20, 2, flag, 0) }}
	case "SUBSCRIBE":
		var n int
		fmt.Sscanf(line[strings.Index(line, "filters="):], "filters=%d", &n)
		id := packetID(line)
		suback := append([]byte{0x90, byte(2 + n), byte(id >> 8), byte(id)}, slices.Repeat([]byte{2}, n)...)
		return append([]func(){func() { p.write(suback...) }}, c.send(p)...)
	case "PUBLISH":
		message, _, _ := strings.Cut(rest, " id=")
		switch id := packetID(line); {
		case strings.HasSuffix(message, " q1"):
			c.got = append(c.got, message)
			say(4, id)
		default:
			if !c.open[id] {
				c.open[id] = true
				c.got = append(c.got, message)
			}
			say(5, id)
		}
	case "PUBREL":
		delete(c.open, packetID(line))
		say(7, packetID(line))
	case "PUBACK", "PUBCOMP":
		c.outgoing(line).state = finished
	case "PUBREC":
		if o := c.outgoing(line); o.state < taken {
			o.state = taken
		}
		say(6, packetID(line))
	case "PINGREQ":
		return []func(){func() { p.write(0xD0, 0) }}
	case "DISCONNECT":
	default:
		c.t.Fatalf("the bridge sends what a client may send: got %q", line)
	}
	return answer
}

// send sends, or sends again, what the bridge has not acknowledged.
func (c *central) send(p *peer) (packets []func()) {
	for _, o := range c.out {
		switch o.state {
		case unsent:
			packets = append(packets, func() { p.publish(o.qos, o.id, o.topic, o.payload) })
			o.state = unanswered
		case unanswered:
			packets = append(packets, func() { p.publish(o.qos, o.id, o.topic, o.payload, "dup") })
		case taken:
			packets = append(packets, func() { p.ack(6, o.id) })
		}
	}
	return packets
}

func (c *central) outgoing(line string) *outgoing {
	c.t.Helper()
	for _, o := range c.out {
		if o.id == packetID(line) {
			return o
		}
	}
	c.t.Fatalf("the bridge acknowledges what it was sent: got %q", line)
	return nil
}
