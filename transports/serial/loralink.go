package serial

import (
	"time"

	"midge/transports"
)

// What is in the packets of a LoRaLink modem (ty4tw/MQTT-SN-LoRa), two octets with the high one first:
//
//	gateway → modem   node Type message            node 0xFF: everyone
//	modem → gateway   node RSSI(2) SNR(2) Type message    RSSI in dBm and SNR in dB, both with a sign
//
// The modem answers each packet that it could read once the radio is done with it: with its own address, RSSI and SNR 0, one of the types below and no message. It says nothing of a packet
// that was damaged on the line. It listens before it talks, for up to 20 s, and keeps a duty cycle of a tenth by waiting nine times as long as it has sent: an answer after some seconds is
// usual. Whether a node has heard anything it does not know.
const (
	loraMQTTSN    = 0x40
	loraAck       = 0x80 // sent
	loraNoChannel = 0x81 // others were always sending
	loraTimeout   = 0x82 // the radio did not come to an end; the known firmware stops for good instead of saying so
	loraHeard     = 6    // octets before a message from the modem: node, RSSI, SNR, Type
	loraSent      = 2    // and to it: node, Type
	loraEveryone  = 0xFF
	loraModemAddr = 0xFE // the modem's own address, as it is shipped
	loraFirst     = 1    // of a far end that is one device
	loraMTU       = 57   // octets: what the firmware as shipped may send, spreading factor 9 for at most 400 ms
	loraMTUMost   = 244  // of its faster modes
	loraPatience  = 10 * time.Second
	loraTries     = 5
	loraBackoff   = 250 * time.Millisecond // before the second try, and twice as long before each further one
)

var loraReasons = []string{transports.ReasonAddress, transports.ReasonChannelBusy, transports.ReasonNotSent, transports.ReasonNoStatus, transports.ReasonIgnored}

// loraEnd is what both ends of a line to a modem have.
type loraEnd struct {
	mtu      int
	counters *transports.Counters
	decoder  loraDecoder
	counted  Lost
	out      Outbox
}

func newLoRaEnd(s settings, c *transports.Counters, header int) loraEnd {
	return loraEnd{mtu: s.MTU, counters: c, decoder: loraDecoder{header: header}, out: NewOutbox(s.octet, s.MTU)}
}

func (e *loraEnd) Begin(time.Time) {}

func (e *loraEnd) forget() int {
	e.decoder, e.counted = loraDecoder{header: e.decoder.header}, Lost{}
	return e.out.Clear()
}

// Partial is always false: silence means nothing here.
func (e *loraEnd) Partial() bool { return false }

func (e *loraEnd) Down() string { return "" }

func (e *loraEnd) MTU() int { return e.mtu }

// FormatAddr is "node" and its number.
func (e *loraEnd) FormatAddr(a transports.Addr) string { return formatNode(a, "modem") }

// packet returns the next good packet, nil when there is none.
func (e *loraEnd) packet() []byte {
	p := e.decoder.next()
	if p == nil {
		e.counted.count(e.decoder.sum, e.counters)
	}
	return p
}

// push queues a frame, if its address is a node's.
func (e *loraEnd) push(f *transports.Frame) (drop string) {
	n := f.Addr.Bytes()
	switch {
	case !f.Broadcast && (len(n) != 1 || !loraNode(n[0])):
		return transports.ReasonAddress
	case !e.out.Push(f):
		return transports.ReasonQueueFull
	}
	return ""
}

func loraNode(n byte) bool { return n != 0 && n != loraEveryone }

// loraLink is the gateway's end. The modem has one frame at a time.
type loraLink struct {
	loraEnd
	now   time.Time // of the last Feed
	open  *Parcel   // written and not answered
	until time.Time
	pause time.Time // nothing before: the channel was busy
	flush bool
}

func newLoRaLink(s settings, c *transports.Counters) Machine {
	return &loraLink{loraEnd: newLoRaEnd(s, c, loraHeard)}
}

func (m *loraLink) End() int {
	m.open, m.pause = nil, time.Time{}
	return m.forget()
}

func (m *loraLink) Feed(now time.Time, octets []byte) {
	m.now = now
	m.decoder.feed(octets)
}

func (m *loraLink) Next() (transports.Frame, bool) {
	for p := m.packet(); p != nil; p = m.packet() {
		switch p[loraHeard-1] {
		case loraMQTTSN:
			if f, ok := m.heard(p); ok {
				return f, true
			}
		case loraAck:
			m.answered()
		case loraNoChannel:
			m.busy()
		case loraTimeout:
			if m.answered() != nil {
				m.counters.Count(transports.ReasonNotSent, 1)
			}
		default: // the modem's clock and tasks
			m.counters.Count(transports.ReasonIgnored, 1)
		}
	}
	return transports.Frame{}, false
}

// heard takes a message from a node.
func (m *loraLink) heard(p []byte) (f transports.Frame, ok bool) {
	switch node, message := p[0], p[loraHeard:]; {
	case !loraNode(node):
		m.counters.Count(transports.ReasonAddress, 1)
	case len(message) < messageLeast:
		m.counters.Count(transports.ReasonMalformed, 1)
	default:
		rssi := int16(p[1])<<8 | int16(p[2])
		return transports.Frame{Addr: transports.MakeAddr([]byte{node}), Data: message, RSSI: int8(min(max(rssi, -128), 127))}, true
	}
	return f, false
}

// answered ends the wait for the modem's answer and returns what was waited for, nil if nothing was. An answer does not say to what: one that comes after loraPatience counts for the
// frame that the modem was given since, whose own answer then lets the one after it go, a little early. The modem has room for a kilobyte.
func (m *loraLink) answered() *Parcel {
	p := m.open
	if p != nil {
		m.out.Done(p)
		m.open = nil
	}
	return p
}

// busy is a frame for which the channel was not free: it is given to the modem again, a little later.
func (m *loraLink) busy() {
	switch p := m.answered(); {
	case p == nil:
	case p.Tries < loraTries:
		m.pause = m.now.Add(loraBackoff << (p.Tries - 1))
		m.out.Return(p)
	default:
		m.counters.Count(transports.ReasonChannelBusy, 1)
	}
}

func (m *loraLink) Send(_ time.Time, f *transports.Frame) (drop string) { return m.push(f) }

func (m *loraLink) Output(now time.Time, dst []byte) ([]byte, int, bool) {
	if m.open != nil && (m.flush || !now.Before(m.until)) {
		if !m.flush {
			m.counters.Count(transports.ReasonNoStatus, 1)
		}
		m.answered()
	}
	if m.open != nil || now.Before(m.pause) && !m.flush {
		return dst, 0, false
	}
	p := m.out.Take()
	if p == nil {
		return dst, 0, false
	}
	m.open, m.until = p, now.Add(loraPatience)
	node, message := byte(loraEveryone), len(p.Data)
	if !p.To.Broadcast {
		node = p.To.Addr.Bytes()[0]
	}
	if p.Tries > 1 {
		message = 0
	}
	return appendLoRaLink(dst, []byte{node, loraMQTTSN}, p.Data), message, true
}

func (m *loraLink) Deadline() (time.Time, bool) {
	switch {
	case m.open != nil && !m.flush:
		return m.until, true
	case m.open == nil && !m.out.Ready():
		return time.Time{}, false
	case m.flush:
		return time.Time{}, true
	}
	return m.pause, true
}

func (m *loraLink) Flush() { m.flush = true }
