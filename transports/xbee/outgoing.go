package xbee

import (
	"encoding/binary"
	"slices"
	"time"

	"midge/transports"
	"midge/transports/serial"
)

// How many frames a radio has at once, and how long what it does not report holds others up. A frame to a node that sleeps is reported after up to a minute: only
// for a moment does it take a place that others want, and only for a few seconds does the same node wait for it.
const (
	windowMost   = 4
	windowHeld   = time.Second
	nodeHeld     = 6 * time.Second
	statusMost   = 2 * time.Minute // then the radio has forgotten it
	noBufferMost = 5               // times that a frame is offered to a radio without room
	backoffLeast = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
)

// flight is a frame that the radio has.
type flight struct {
	*serial.Parcel
	id   byte
	at   time.Time
	held bool // its node is sent nothing else
}

// outgoing is what is on its way out.
type outgoing struct {
	box     serial.Outbox
	flights map[byte]*flight // by Frame ID
	last    byte             // Frame ID
	window  int              // frames that the radio is given at once, 1 to windowMost: halved when it has no room, one more with each success
	pause   time.Time        // no frame before: the radio has no room
	backoff time.Duration
	spoke   time.Time // when the radio was heard last
	flush   bool
}

// forget drops what the radio has and returns how many frames that were.
func (o *outgoing) forget() int {
	n := len(o.flights)
	clear(o.flights)
	o.box.Release()
	o.window, o.pause, o.backoff = windowMost, time.Time{}, 0
	return n
}

func (m *machine) Send(_ time.Time, f *transports.Frame) (drop string) {
	to := *f
	switch n := len(to.Addr.Bytes()); {
	case m.inquiry.failed != "" || !m.joined:
		return transports.ReasonDown
	case to.Broadcast:
	case n == 0:
		to.Addr = m.gateway()
	case n != 8 && n != 2:
		return transports.ReasonAddress
	}
	if to.Broadcast && to.Radius == 0 {
		to.Radius = m.cfg.Radius
	}
	if !m.box.Push(&to) {
		return transports.ReasonQueueFull
	}
	return ""
}

// gateway is the address that the zero Addr stands for.
func (m *machine) gateway() transports.Addr {
	switch {
	case m.cfg.Gateway != transports.Addr{}:
		return m.cfg.Gateway
	case m.fifteen:
		return transports.MakeAddr([]byte{0, 0})
	}
	return LongAddr(0)
}

func (m *machine) Output(now time.Time, dst []byte) (encoded []byte, message int, ok bool) {
	if encoded, ok = m.ask(now, dst); ok {
		return encoded, 0, true
	}
	m.expire(now)
	if !m.inquiry.ready() || !m.flush && (now.Before(m.pause) || m.busy(now) >= m.window) {
		return dst, 0, false
	}
	p := m.box.Take()
	if p == nil {
		return dst, 0, false
	}
	f := &flight{p, m.freeID(), now, true}
	m.flights[f.id] = f
	if p.Tries == 1 {
		message = len(p.Data)
	}
	return AppendFrame(dst, m.request(f), m.parser.Escaped), message, true
}

// busy is how many frames the radio is busy with, those that it is slow to report left out.
func (m *machine) busy(now time.Time) (n int) {
	for _, f := range m.flights {
		if now.Sub(f.at) < windowHeld {
			n++
		}
	}
	return n
}

// expire lets go of nodes that were waited for long enough, and of frames that the radio will never report.
func (m *machine) expire(now time.Time) {
	mute := false
	for id, f := range m.flights {
		age := now.Sub(f.at)
		if f.held && age >= nodeHeld {
			f.held = false
			m.box.Done(f.Parcel)
		}
		if age >= statusMost {
			m.counters.Count(transports.ReasonNoStatus, 1)
			delete(m.flights, id)
			mute = mute || m.spoke.Before(f.at)
		}
	}
	if mute { // nothing at all was heard meanwhile: is there still a radio?
		m.inquire(now)
	}
}

// freeID returns the next Frame ID, 1 to 255, that no frame in flight has; 0 would ask for no report.
func (m *machine) freeID() byte {
	oldest := m.last
	for range 255 {
		m.last = m.last%255 + 1
		f := m.flights[m.last]
		if f == nil {
			return m.last
		}
		if old := m.flights[oldest]; old == nil || f.at.Before(old.at) {
			oldest = m.last
		}
	}
	m.counters.Count(transports.ReasonNoStatus, 1)
	m.drop(m.flights[oldest])
	m.last = oldest
	return oldest
}

// drop ends a flight.
func (m *machine) drop(f *flight) {
	delete(m.flights, f.id)
	if f.held {
		m.box.Done(f.Parcel)
	}
}

// request is the data of the API frame that sends a message.
func (m *machine) request(f *flight) []byte {
	to := f.To.Addr.Bytes()
	if m.fifteen {
		switch {
		case f.To.Broadcast:
			return append([]byte{TypeTx16, f.id, 0xFF, 0xFF, txOptionsNormal}, f.Data...)
		case len(to) == 2:
			return append([]byte{TypeTx16, f.id, to[0], to[1], txOptionsNormal}, f.Data...)
		}
		b := append([]byte{TypeTx64, f.id}, to...)
		return append(append(b, txOptionsNormal), f.Data...)
	}
	long, short, radius := uint64(everyoneLong), uint16(UnknownShort), byte(txWholeNetwork)
	switch {
	case f.To.Broadcast:
		radius = f.Radius
	case len(to) == 2:
		long, short = unknownLong, binary.BigEndian.Uint16(to)
	default:
		long = binary.BigEndian.Uint64(to)
		if s, known := m.shorts[long]; known {
			short = s
		}
	}
	b := binary.BigEndian.AppendUint64([]byte{TypeTx, f.id}, long)
	b = binary.BigEndian.AppendUint16(b, short)
	return append(append(b, radius, txOptionsNormal), f.Data...)
}

// status takes what became of a frame in a ZigBee network.
func (m *machine) status(id byte, short uint16, status byte) {
	f := m.flights[id]
	if f == nil {
		return // one that was given up
	}
	long := unknownLong
	if to := f.To.Addr.Bytes(); len(to) == 8 {
		long = binary.BigEndian.Uint64(to)
	}
	switch status {
	case StatusOK:
		if long != unknownLong {
			m.know(long, short)
		}
	case StatusNetworkAck, StatusNoAddress, StatusNoRoute:
		delete(m.shorts, long)
	}
	if status == StatusOK {
		m.delivered(f)
	} else {
		m.failed(f, reasonOf(status))
	}
}

// status15 is the same of 802.15.4.
func (m *machine) status15(id, status byte) {
	switch f := m.flights[id]; {
	case f == nil:
	case status == StatusOK:
		m.delivered(f)
	default:
		m.failed(f, reason15(status))
	}
}

func (m *machine) delivered(f *flight) {
	m.drop(f)
	m.backoff, m.window = 0, min(m.window+1, windowMost)
}

// failed is a frame that was not delivered. One that the radio had no room for is offered again, later and in its place, unless others to the same
// node have left meanwhile.
func (m *machine) failed(f *flight, reason string) {
	held := f.held
	m.drop(f)
	switch reason {
	case transports.ReasonNoBuffer:
		m.backoff = min(max(2*m.backoff, backoffLeast), backoffMost)
		m.pause = m.now.Add(m.backoff)
		m.window = max(m.window/2, 1)
		if held && f.Tries < noBufferMost {
			m.box.Return(f.Parcel)
			return
		}
	case transports.ReasonTooLarge:
		m.mtu = min(m.mtu, shorter(len(f.Data)))
	}
	m.counters.Count(reason, 1)
}

// shorter is the next length to be tried after a message of n octets was too long: those that radios have, by firmware and security.
func shorter(n int) int {
	for _, length := range []int{mtu15Most, mtu15, 95, 84, 66, 57, 49} {
		if length < n {
			return length
		}
	}
	return max(n-1, mtuLeast)
}

func (m *machine) Deadline() (at time.Time, ok bool) {
	earliest := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if t, asks := m.inquiry.deadline(); asks {
		earliest(t)
	}
	ready := m.inquiry.ready() && m.box.Ready()
	var places []time.Time // when the frames in flight take none any more
	for _, f := range m.flights {
		if f.held {
			earliest(f.at.Add(nodeHeld))
		}
		earliest(f.at.Add(statusMost))
		places = append(places, f.at.Add(windowHeld))
	}
	if !ready {
		return at, ok
	}
	free := m.pause
	if len(places) >= m.window {
		slices.SortFunc(places, func(a, b time.Time) int { return b.Compare(a) })
		if p := places[m.window-1]; p.After(free) {
			free = p
		}
	}
	if m.flush {
		free = time.Time{}
	}
	earliest(free)
	return at, ok
}

func (m *machine) Flush() { m.flush = true }
