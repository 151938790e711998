package xbee

import (
	"encoding/binary"
	"time"

	"midge/transports"
	"midge/transports/serial"
)

// shortsMax bounds the short addresses that are remembered; a ZigBee network has fewer nodes.
const shortsMax = 4096

// machine is one radio as a serial.Machine.
type machine struct {
	cfg      Config
	counters *transports.Counters

	now     time.Time // of the last Feed
	parser  Parser
	counted Lost
	inquiry inquiry

	fifteen bool // 802.15.4 firmware
	joined  bool
	mtu     int               // of one packet now
	shorts  map[uint64]uint16 // last known short addresses

	outgoing
}

func newMachine(c Config, counters *transports.Counters) *machine {
	octet := time.Duration(0)
	if c.Baud > 0 {
		octet = 10 * time.Second / time.Duration(c.Baud)
	}
	m := &machine{cfg: c, counters: counters, shorts: map[uint64]uint16{}}
	m.outgoing = outgoing{box: serial.NewOutbox(octet, mtuMost), flights: map[byte]*flight{}, window: windowMost}
	m.parser = NewParser(false, gapDefault)
	m.mtu = m.cautiousMTU()
	return m
}

// cautiousMTU is what any radio carries, or what the configuration says.
func (m *machine) cautiousMTU() int {
	switch {
	case m.cfg.MTU > 0:
		return m.cfg.MTU
	case m.fifteen:
		return mtu15
	}
	return mtuZigBee
}

func (m *machine) Begin(now time.Time) {
	m.parser, m.counted = NewParser(m.cfg.AP == 2, gapDefault), Lost{}
	m.parser.Either = m.cfg.AP == 0
	m.fifteen, m.joined = m.cfg.Network == Networks[1], true
	m.mtu = m.cautiousMTU()
	m.inquire(now)
}

func (m *machine) End() (queued int) {
	m.inquiry.failed = ""
	m.forget()
	return m.box.Clear()
}

func (m *machine) Feed(now time.Time, octets []byte) {
	m.now = now
	if m.inquiry.commanding() {
		m.inquiry.heard(now, octets)
		return
	}
	m.parser.Feed(now, octets)
}

func (m *machine) Partial() bool { return !m.inquiry.commanding() && m.parser.Partial() }

func (m *machine) Next() (f transports.Frame, ok bool) {
	for b := m.parser.Next(); b != nil; b = m.parser.Next() {
		if f, ok = m.handle(b); ok {
			return f, true
		}
	}
	lost := m.parser.Lost()
	m.counters.Count(transports.ReasonCRC, lost.Checksum-m.counted.Checksum)
	m.counters.Count(transports.ReasonMalformed, lost.Malformed-m.counted.Malformed)
	m.counters.Count(transports.ReasonGarbageBytes, lost.GarbageBytes-m.counted.GarbageBytes)
	m.counted = lost
	return f, false
}

// handle takes one API frame; ok when it brings a message.
func (m *machine) handle(b []byte) (f transports.Frame, ok bool) {
	m.spoke = m.now
	short := false
	switch b[0] {
	case TypeRx, TypeRxExplicit, TypeRx64, TypeRx16:
		return m.receive(b)
	case TypeTxStatusLong:
		if short = len(b) < 7; !short {
			m.status(b[1], binary.BigEndian.Uint16(b[2:]), b[5])
		}
	case TypeTxStatus:
		if short = len(b) < 3; !short {
			m.status15(b[1], b[2])
		}
	case TypeModemStatus:
		if short = len(b) < 2; !short {
			m.modem(b[1])
		}
	case TypeATResponse:
		if short = len(b) < 5; !short {
			m.answer(string(b[2:4]), b[1], b[4], b[5:])
		}
	default: // 0x92, 0x95, 0x97 and others: samples, names, remote answers
		m.counters.Count(transports.ReasonIgnored, 1)
	}
	if short {
		m.counters.Count(transports.ReasonMalformed, 1)
	}
	return f, false
}

func (m *machine) receive(b []byte) (f transports.Frame, ok bool) {
	r, known, ok := parseReceived(b)
	switch {
	case !known:
		m.counters.Count(transports.ReasonIgnored, 1)
		return f, false
	case !ok:
		m.counters.Count(transports.ReasonMalformed, 1)
		return f, false
	}
	f.Data, f.Broadcast, f.RSSI = r.data, r.broadcast, r.rssi
	if r.long == unknownLong {
		f.Addr = transports.MakeAddr(binary.BigEndian.AppendUint16(nil, r.short))
		return f, true
	}
	m.know(r.long, r.short)
	f.Addr = LongAddr(r.long)
	return f, true
}

// know remembers the short address of a node, which saves the radio a search. It changes when the node joins anew.
func (m *machine) know(long uint64, short uint16) {
	if short >= UnknownShort {
		return
	}
	if _, known := m.shorts[long]; !known && len(m.shorts) >= shortsMax {
		for other := range m.shorts {
			delete(m.shorts, other)
			break
		}
	}
	m.shorts[long] = short
}

// modem takes the radio's own news.
func (m *machine) modem(status byte) {
	switch status {
	case ModemReset, ModemWatchdog: // it has forgotten what it had, and may be set otherwise
		m.counters.Count(transports.ReasonRadioReset, uint64(m.forget()))
		m.parser.Either = m.cfg.AP == 0
		m.inquire(m.now)
	case ModemLeft:
		m.watch()
	case ModemJoined, ModemCoordinator:
		m.joined = true
	}
}

// watch asks now and then whether there is a network again; the radio tells by itself too, unless that is lost.
func (m *machine) watch() {
	if m.inquiry.ready() && !m.fifteen {
		m.joined = false
		m.inquiry.values["AI"] = 0xFF // searching
		m.inquiry.due = m.now.Add(watchEvery)
	}
}

// FormatAddr is the address in hexadecimal digits.
func (m *machine) FormatAddr(a transports.Addr) string { return FormatAddr(a) }

func (m *machine) MTU() int { return m.mtu }
