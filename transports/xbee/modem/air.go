package modem

import (
	"encoding/binary"
	"slices"
	"time"

	"midge/transports"
	"midge/transports/xbee"
)

// Send lets a node send to the host.
func (m *machine) Send(now time.Time, f *transports.Frame) (drop string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.node(f.Addr)
	if m.cfg.AI != 0 || m.cfg.Mute {
		return transports.ReasonNotSent
	}
	m.poll(n)
	options := byte(1)
	if f.Broadcast {
		options = 2
	}
	var b []byte
	switch {
	case m.cfg.Dumb:
		m.octets, m.messages = append(m.octets, slices.Clone(f.Data)), append(m.messages, len(f.Data))
		return ""
	case m.fifteen():
		b = binary.BigEndian.AppendUint64([]byte{xbee.TypeRx64}, n.long)
		b = append(b, hears, options)
	case m.cfg.AO == 1:
		b = m.sender(xbee.TypeRxExplicit, n)
		b = append(b, 0xE8, 0xE8, 0x00, 0x11, 0xC1, 0x05, options)
	default:
		b = append(m.sender(xbee.TypeRx, n), options)
	}
	m.frame(len(f.Data), append(b, f.Data...)...)
	return ""
}

func (m *machine) sender(kind byte, n *node) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64([]byte{kind}, n.long), n.short)
}

// poll gives a node what was kept for it.
func (m *machine) poll(n *node) {
	for i := range m.waiting {
		if p := &m.waiting[i]; p.to == n && p.data != nil {
			m.late(transports.Frame{Addr: xbee.LongAddr(n.long), Data: p.data})
			p.data, p.status, p.at = nil, xbee.StatusOK, time.Time{}
		}
	}
}

// hear gives a message to a node, nil = to all.
func (m *machine) hear(n *node, data []byte) {
	f := transports.Frame{Data: data, Broadcast: n == nil}
	if n != nil {
		f.Addr = xbee.LongAddr(n.long)
	}
	m.heard = append(m.heard, f)
}

// Next is for serial.Machine.
func (m *machine) Next() (f transports.Frame, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.heard) == 0 {
		return f, false
	}
	f = m.heard[0]
	m.heard = m.heard[1:]
	return f, true
}

// Feed takes what the host writes.
func (m *machine) Feed(now time.Time, octets []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
	switch {
	case m.cfg.Mute:
	case m.cfg.Dumb:
		m.typed(octets)
	default:
		m.parser.Feed(now, octets)
		for b := m.parser.Next(); b != nil; b = m.parser.Next() {
			m.command(slices.Clone(b))
		}
	}
}

// typed is command mode. It is entered without looking at the silence before.
func (m *machine) typed(octets []byte) {
	m.text = append(m.text, octets...)
	for ask, answer := range map[string]string{"+++": "OK\r", "ATAP\r": "0\r", "ATCN\r": "OK\r"} {
		if n := len(m.text) - len(ask); n >= 0 && string(m.text[n:]) == ask {
			m.text = nil
			m.octets, m.messages = append(m.octets, []byte(answer)), append(m.messages, 0)
			return
		}
	}
}

// command takes one API frame of the host.
func (m *machine) command(b []byte) {
	switch {
	case b[0] == xbee.TypeAT && len(b) >= 4:
		m.setting(b[1], string(b[2:4]))
	case b[0] == xbee.TypeTx && len(b) >= 14 && !m.fifteen():
		long, short := binary.BigEndian.Uint64(b[2:]), binary.BigEndian.Uint16(b[10:])
		m.transmit(b[1], long, short, b[14:])
	case b[0] == xbee.TypeTx64 && len(b) >= 11 && m.fifteen():
		m.transmit(b[1], binary.BigEndian.Uint64(b[2:]), xbee.UnknownShort, b[11:])
	case b[0] == xbee.TypeTx16 && len(b) >= 5 && m.fifteen():
		if short := binary.BigEndian.Uint16(b[2:]); short == 0xFFFF {
			m.transmit(b[1], 0xFFFF, xbee.UnknownShort, b[5:])
		} else {
			m.transmit(b[1], ^uint64(0), short, b[5:])
		}
	}
}

// setting answers a question about the radio.
func (m *machine) setting(id byte, letters string) {
	b := []byte{xbee.TypeATResponse, id, letters[0], letters[1], 0}
	switch {
	case letters == "AP":
		b = append(b, byte(m.ap()))
	case letters == "AO" && !m.fifteen():
		b = append(b, byte(m.cfg.AO))
	case letters == "NP":
		b = binary.BigEndian.AppendUint16(b, uint16(m.np()))
	case letters == "VR":
		b = append(b, 0x40, 0x5F)
	case letters == "HV":
		b = append(b, 0x22, 0x4D)
	case letters == "SH":
		b = binary.BigEndian.AppendUint32(b, coordinator>>32)
	case letters == "SL":
		b = binary.BigEndian.AppendUint32(b, coordinator&0xFFFFFFFF)
	case letters == "MM" && m.fifteen():
		b = append(b, 0)
	case letters == "AI":
		b = append(b, m.cfg.AI)
	default:
		b[4] = statusFailed
	}
	m.frame(0, b...)
}

// transmit takes a frame of the host to a node, or to all.
func (m *machine) transmit(id byte, long uint64, short uint16, data []byte) {
	p := parcel{id: id, at: m.now.Add(m.cfg.Delay)}
	buffers := m.cfg.Buffers
	if buffers == 0 {
		buffers = bufferMost
	}
	if long == 0xFFFF {
		if m.cfg.AI == 0 {
			m.hear(nil, data)
		}
		m.waiting = append(m.waiting, p)
		return
	}
	p.to = m.find(long, short)
	var told byte
	if p.to != nil && m.cfg.Status != nil && len(m.waiting) < buffers && m.cfg.AI == 0 && len(data) <= m.np() {
		told = m.cfg.Status(xbee.LongAddr(p.to.long), data)
	}
	switch {
	case len(m.waiting) >= buffers:
		p.status, p.at = xbee.StatusNoResources, m.now
	case m.cfg.AI != 0:
		p.status = xbee.StatusNotJoined
	case len(data) > m.np():
		p.status = xbee.StatusTooLarge
	case p.to == nil:
		p.status = xbee.StatusNoAddress
	case told != 0:
		p.status = told
	case m.rng.Float64() < m.cfg.Loss:
		p.status = xbee.StatusNetworkAck
	case p.to.asleep:
		poll := m.cfg.Poll
		if poll == 0 {
			poll = pollDefault
		}
		p.status, p.data, p.at = xbee.StatusNotPolled, data, m.now.Add(poll)
	default:
		m.hear(p.to, data)
	}
	m.waiting = append(m.waiting, p)
}

// find looks an address up in the table of nodes.
func (m *machine) find(long uint64, short uint16) *node {
	if long != ^uint64(0) {
		return m.nodes[long]
	}
	for _, n := range m.nodes {
		if n.short == short {
			return n
		}
	}
	return nil
}

// report tells the host what has become of its frames by now.
func (m *machine) report(now time.Time) {
	kept := m.waiting[:0]
	for _, p := range m.waiting {
		if p.at.After(now) {
			kept = append(kept, p)
			continue
		}
		if p.id == 0 {
			continue
		}
		if m.fifteen() {
			m.frame(0, xbee.TypeTxStatus, p.id, p.status)
			continue
		}
		short := uint16(xbee.UnknownShort)
		if p.to != nil && p.status == xbee.StatusOK {
			short = p.to.short
		}
		m.frame(0, xbee.TypeTxStatusLong, p.id, byte(short>>8), byte(short), 0, p.status, 0)
	}
	m.waiting = kept
}
