package serial

import (
	"time"

	"midge/transports"
)

// slipBridge is the far end: an Aquila bridge with its nodes. The address of a frame is the node's, the zero Addr that of node 1.
type slipBridge struct {
	bridged
	answers []byte // ACK or NACK, not yet written
}

func newSlipBridge(s settings, c *transports.Counters) Machine {
	m := &slipBridge{bridged: bridged{mtu: s.MTU, counters: c, out: NewOutbox(s.octet, s.MTU)}}
	m.End()
	return m
}

func (m *slipBridge) Begin(time.Time) {}

func (m *slipBridge) End() int {
	m.answers = nil
	return m.forget()
}

func (m *slipBridge) Next() (transports.Frame, bool) {
	for p := m.packet(); p != nil; p = m.packet() {
		if len(p) >= slipHeader+messageLeast && p[1] == typeEncapsulated {
			if f, ok := m.message(p[1:]); ok {
				m.answer(slipAck)
				f.Broadcast = f.Addr == slipEveryone
				return f, true
			}
		}
		m.answer(slipNack)
	}
	return transports.Frame{}, false
}

// answersMax bounds what waits on a line that takes nothing.
const answersMax = 64

func (m *slipBridge) answer(with byte) {
	if len(m.answers) < answersMax {
		m.answers = append(m.answers, with)
	}
}

func (m *slipBridge) Send(_ time.Time, f *transports.Frame) (drop string) {
	from := *f
	if from.Broadcast = false; from.Addr == (transports.Addr{}) {
		from.Addr = slipFirst
	}
	if !m.out.Push(&from) {
		return transports.ReasonQueueFull
	}
	return ""
}

// How well the nodes of a played bridge or modem are heard.
const (
	farLQI  = 200
	farRSSI = -60 // dBm
	farSNR  = 9   // dB
)

func (m *slipBridge) Output(_ time.Time, dst []byte) ([]byte, int, bool) {
	if len(m.answers) > 0 {
		answer := m.answers[0]
		m.answers = m.answers[1:]
		return appendSlip(dst, []byte{0, 0, 2, answer}), 0, true
	}
	p := m.out.Take()
	if p == nil {
		return dst, 0, false
	}
	m.out.Done(p)
	rssi := int8(farRSSI)
	body := []byte{farLQI, byte(rssi), byte(slipHeader + len(p.Data)), typeEncapsulated, slipCtrl}
	node, _ := m.node(p.To)
	body = append(append(body, node...), p.Data...)
	return appendSlip(dst, body), len(p.Data), true
}

func (m *slipBridge) Deadline() (time.Time, bool) {
	return time.Time{}, len(m.answers) > 0 || m.out.Ready()
}

func (m *slipBridge) Flush() {}
