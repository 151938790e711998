package serial

import (
	"time"

	"midge/transports"
)

// loraModem is the far end: a modem with its nodes. The address of a frame is the node's, the zero Addr that of node 1. The radio of a played modem takes no time.
type loraModem struct {
	loraEnd
	answers int // not yet written
}

func newLoRaModem(s settings, c *transports.Counters) Machine {
	return &loraModem{loraEnd: newLoRaEnd(s, c, loraSent)}
}

func (m *loraModem) End() int {
	m.answers = 0
	return m.forget()
}

func (m *loraModem) Feed(_ time.Time, octets []byte) { m.decoder.feed(octets) }

func (m *loraModem) Next() (transports.Frame, bool) {
	for p := m.packet(); p != nil; p = m.packet() {
		m.answers = min(m.answers+1, answersMax)
		switch node, message := p[0], p[loraSent:]; {
		case p[1] != loraMQTTSN:
			m.counters.Count(transports.ReasonIgnored, 1)
		case node == 0:
			m.counters.Count(transports.ReasonAddress, 1)
		case len(message) < messageLeast:
			m.counters.Count(transports.ReasonMalformed, 1)
		default:
			return transports.Frame{Addr: transports.MakeAddr([]byte{node}), Data: message, Broadcast: node == loraEveryone}, true
		}
	}
	return transports.Frame{}, false
}

// Send takes a frame from a node. Of whom it was for the gateway's modem tells nothing.
func (m *loraModem) Send(_ time.Time, f *transports.Frame) (drop string) {
	from := *f
	if from.Broadcast = false; from.Addr == (transports.Addr{}) {
		from.Addr = transports.MakeAddr([]byte{loraFirst})
	}
	return m.push(&from)
}

func (m *loraModem) Output(_ time.Time, dst []byte) ([]byte, int, bool) {
	if m.answers > 0 {
		m.answers--
		return appendLoRaLink(dst, []byte{loraModemAddr, 0, 0, 0, 0, loraAck}, nil), 0, true
	}
	p := m.out.Take()
	if p == nil {
		return dst, 0, false
	}
	m.out.Done(p)
	rssi := int16(farRSSI)
	header := []byte{p.To.Addr.Bytes()[0], byte(rssi >> 8), byte(rssi), 0, farSNR, loraMQTTSN}
	return appendLoRaLink(dst, header, p.Data), len(p.Data), true
}

func (m *loraModem) Deadline() (time.Time, bool) {
	return time.Time{}, m.answers > 0 || m.out.Ready()
}

func (m *loraModem) Flush() {}
