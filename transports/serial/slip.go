package serial

import (
	"fmt"
	"time"

	"midge/transports"
)

// What is in the SLIP packets of an Aquila bridge (altair-mqtt-sn-bridge, rfm-mqtt-sn-bridge):
//
//	bridge → gateway   LQI RSSI Length 0xFE Ctrl node(2) message     Length is 5 + the message's in some versions: not to be trusted
//	                   0    0   2      0x00 NACK | 0x01 ACK | 0x02 it has started and asks for its settings | 0x03 pairing
//	gateway → bridge            5      0xFE Ctrl node(2) message
//
// The node's address has its low octet first. The bridge answers each message with ACK once the radio is done with it, whatever became of it, or with NACK
// when it could not read the packet. It is not answered.
const (
	slipNack     = 0x00
	slipAck      = 0x01
	slipConfig   = 0x02
	slipPair     = 0x03
	slipHeader   = 5 // octets: Length, 0xFE, Ctrl, node
	slipHeard    = 2 // octets before them from the bridge: LQI, RSSI
	slipCtrl     = 1 // radius of what is for one node; the bridges do not look at it
	slipMTU      = 100
	slipMTUMost  = slipMostBody - slipHeard - slipHeader - crcOctets
	slipPatience = 5 * time.Second
	slipTries    = 2 // a packet that was damaged on the line is sent once more
)

var (
	slipEveryone = transports.MakeAddr([]byte{0xFF, 0xFF})
	slipNobody   = transports.MakeAddr([]byte{0, 0}) // a node that is being paired
	slipFirst    = transports.MakeAddr([]byte{1, 0})
	slipReasons  = []string{transports.ReasonAddress, transports.ReasonNotSent, transports.ReasonNoStatus, transports.ReasonIgnored}
)

// bridged is what both ends of a line to a bridge have.
type bridged struct {
	mtu      int
	counters *transports.Counters
	decoder  slipDecoder
	counted  Lost
	out      Outbox
}

func (b *bridged) forget() int {
	b.decoder, b.counted = slipDecoder{hunting: true}, Lost{}
	return b.out.Clear()
}

func (b *bridged) Feed(_ time.Time, octets []byte) { b.decoder.feed(octets) }

// Partial is always false: silence means nothing here.
func (b *bridged) Partial() bool { return false }

func (b *bridged) Down() string { return "" }

func (b *bridged) MTU() int { return b.mtu }

// FormatAddr is the node's address in hexadecimal.
func (b *bridged) FormatAddr(a transports.Addr) string {
	if n := a.Bytes(); len(n) == 2 {
		return fmt.Sprintf("0x%02X%02X", n[1], n[0])
	}
	return "bridge"
}

// packet returns the next good packet, nil when there is none.
func (b *bridged) packet() []byte {
	p := b.decoder.next()
	if p == nil {
		b.counted.count(b.decoder.sum, b.counters)
	}
	return p
}

// message cuts the message out of what follows Length. Only its own Length says where it ends.
func (b *bridged) message(p []byte) (f transports.Frame, ok bool) {
	data := p[slipHeader-1:]
	n := int(data[0])
	if n == 1 && len(data) > 3 {
		n = int(data[1])<<8 | int(data[2])
	}
	if n < messageLeast || n > len(data) {
		b.counters.Count(transports.ReasonMalformed, 1)
		return f, false
	}
	if data[typeAt(data)] == typeEncapsulated {
		n = len(data) // the message in the envelope is not in its Length (§5.5)
	}
	return transports.Frame{Addr: transports.MakeAddr(p[2:4]), Data: data[:n]}, true
}

// node is an address as it stands in a packet.
func (b *bridged) node(d Destination) (n []byte, ok bool) {
	if d.Broadcast {
		return slipEveryone.Bytes(), true
	}
	n = d.Addr.Bytes()
	return n, len(n) == 2
}

// slip is the gateway's end.
type slip struct {
	bridged
	open  *Parcel // written and not answered
	until time.Time
	flush bool
}

func newSlip(s settings, c *transports.Counters) Machine {
	m := &slip{bridged: bridged{mtu: s.MTU, counters: c, out: NewOutbox(s.octet, s.MTU)}}
	m.End()
	return m
}

func (m *slip) Begin(time.Time) {}

func (m *slip) End() int {
	m.open = nil
	return m.forget()
}

func (m *slip) Next() (transports.Frame, bool) {
	for p := m.packet(); p != nil; p = m.packet() {
		if len(p) < slipHeard+2 {
			m.counters.Count(transports.ReasonMalformed, 1)
			continue
		}
		switch lqi, rssi, p := p[0], p[1], p[slipHeard+1:]; {
		case p[0] == typeEncapsulated && len(p) >= slipHeader-1+messageLeast:
			f, ok := m.message(p)
			switch {
			case !ok:
			case f.Addr == slipNobody || f.Addr == slipEveryone:
				m.counters.Count(transports.ReasonAddress, 1)
			default:
				f.LQI, f.RSSI = lqi, int8(rssi)
				return f, true
			}
		case p[0] == slipAck:
			m.answered()
		case p[0] == slipNack:
			m.refused()
		case p[0] == slipConfig: // what it had before it started is lost
			m.counters.Count(transports.ReasonIgnored, 1)
			m.refused()
		case p[0] == slipPair:
			m.counters.Count(transports.ReasonIgnored, 1)
		default:
			m.counters.Count(transports.ReasonMalformed, 1)
		}
	}
	return transports.Frame{}, false
}

// answered ends the wait for the bridge's answer.
func (m *slip) answered() {
	if m.open != nil {
		m.out.Done(m.open)
		m.open = nil
	}
}

// refused is a packet that did not reach the radio.
func (m *slip) refused() {
	p := m.open
	m.answered()
	switch {
	case p == nil:
	case p.Tries < slipTries:
		m.out.Return(p)
	default:
		m.counters.Count(transports.ReasonNotSent, 1)
	}
}

func (m *slip) Send(_ time.Time, f *transports.Frame) (drop string) {
	if _, ok := m.node(Destination{f.Addr, f.Broadcast}); !ok {
		return transports.ReasonAddress
	}
	if !m.out.Push(f) {
		return transports.ReasonQueueFull
	}
	return ""
}

func (m *slip) Output(now time.Time, dst []byte) ([]byte, int, bool) {
	if m.open != nil && (m.flush || !now.Before(m.until)) {
		if !m.flush {
			m.counters.Count(transports.ReasonNoStatus, 1)
		}
		m.answered()
	}
	if m.open != nil {
		return dst, 0, false
	}
	p := m.out.Take()
	if p == nil {
		return dst, 0, false
	}
	m.open, m.until = p, now.Add(slipPatience)
	ctrl := byte(slipCtrl)
	if p.To.Broadcast {
		ctrl = min(p.Radius, 3) // two bits; 0 = the whole network (§5.5)
	}
	node, _ := m.node(p.To)
	body := append([]byte{slipHeader, typeEncapsulated, ctrl}, node...)
	message := len(p.Data)
	if p.Tries > 1 {
		message = 0
	}
	return appendSlip(dst, append(body, p.Data...)), message, true
}

func (m *slip) Deadline() (time.Time, bool) {
	switch {
	case m.open != nil && !m.flush:
		return m.until, true
	case m.out.Ready() || m.open != nil:
		return time.Time{}, true
	}
	return time.Time{}, false
}

func (m *slip) Flush() { m.flush = true }
