package serial

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"midge/transports"
)

// FLAGS of a packet; those for applications are ignored.
const (
	rhFlagAck   = 0x80 // acknowledges the packet with this ID
	rhFlagRetry = 0x40 // repeats one that was not acknowledged
)

// The addresses, and the habits of RHReliableDatagram.
const (
	rhEveryone = 255
	rhNodeMost = 254
	rhGateway  = 1 // the gateway's own, unless configured
	rhDevice   = 2 // of a far end that is one device
	rhAck      = '!'
	rhTimeout  = 200 * time.Millisecond // for an acknowledgement, and up to as much again by chance
	rhTries    = 4
	rhWindow   = 4                 // nodes that are sent something at once
	rhSeenFor  = 4 * 4 * rhTimeout // an ID that comes again after this is another packet's
)

var rhReasons = []string{transports.ReasonAddress, transports.ReasonNoAck, transports.ReasonRepeated}

// rhNode is what is remembered of one node: the ID that it was last sent, and the last packet from it.
type rhNode struct {
	sent byte
	seen []byte // headers and message
	at   time.Time
}

// rhOpen is a frame that waits for its acknowledgement.
type rhOpen struct {
	*Parcel
	node  byte
	id    byte
	until time.Time
}

// radiohead is RH_Serial with RHReliableDatagram on it. One address is ours, the other is the node's, which is the frame's Addr: at the gateway's end ours is
// its own, at the far end it is the gateway's too, and the nodes are those that the far end plays.
type radiohead struct {
	gateway  byte
	far      bool
	reliable bool // acknowledge, and wait for acknowledgements
	mtu      int
	octet    time.Duration
	counters *transports.Counters
	rng      *rand.Rand

	now     time.Time // of the last Feed
	decoder rhDecoder
	counted Lost
	nodes   map[byte]*rhNode
	answers []byte // TO FROM ID of acknowledgements not yet written
	out     Outbox
	open    []rhOpen
	flush   bool
}

func newRadioHead(s settings, c *transports.Counters) Machine {
	m := &radiohead{gateway: s.Node, far: s.Far, reliable: !s.NoAcks, mtu: s.MTU, octet: s.octet, counters: c,
		rng: rand.New(rand.NewPCG(uint64(s.Node), 0)), nodes: map[byte]*rhNode{}, out: NewOutbox(s.octet, s.MTU)}
	m.decoder.gap = s.Gap
	m.End()
	return m
}

func (m *radiohead) Begin(time.Time) {}

func (m *radiohead) End() int {
	m.decoder, m.counted = rhDecoder{gap: m.decoder.gap}, Lost{}
	m.answers, m.open = nil, nil
	return m.out.Clear()
}

func (m *radiohead) Feed(now time.Time, octets []byte) {
	m.now = now
	m.decoder.feed(now, octets)
}

func (m *radiohead) Partial() bool { return m.decoder.state != rhIdle }

func (m *radiohead) Next() (transports.Frame, bool) {
	for p := m.decoder.next(); p != nil; p = m.decoder.next() {
		if f, ok := m.receive(p); ok {
			return f, true
		}
	}
	m.counted.count(m.decoder.sum, m.counters)
	return transports.Frame{}, false
}

// receive takes one packet; ok when it brings a new message for us.
func (m *radiohead) receive(p []byte) (f transports.Frame, ok bool) {
	to, from, id, flags := p[0], p[1], p[2], p[3]
	node, mine := from, to == m.gateway
	if m.far {
		node, mine = to, from == m.gateway
	}
	switch {
	case !mine && to != rhEveryone || from == rhEveryone:
		m.counters.Count(transports.ReasonAddress, 1)
		return f, false
	case flags&rhFlagAck != 0:
		m.acknowledged(node, id)
		return f, false
	case m.reliable && to != rhEveryone:
		m.answer(from, to, id)
	}
	if m.reliable && m.repeated(node, p) {
		m.counters.Count(transports.ReasonRepeated, 1)
		return f, false
	}
	if len(p) < rhHeaders+messageLeast {
		m.counters.Count(transports.ReasonMalformed, 1)
		return f, false
	}
	return transports.Frame{Addr: transports.MakeAddr([]byte{node}), Data: p[rhHeaders:], Broadcast: to == rhEveryone}, true
}

func (m *radiohead) answer(to, from, id byte) {
	if len(m.answers) < 3*answersMax {
		m.answers = append(m.answers, to, from, id)
	}
}

// repeated reports whether a packet is one that was heard before, and remembers it. RadioHead says so since it has a flag for it; older versions repeat the same
// packet, soon. An ID alone does not tell: a node that restarts for each message always begins with the same.
func (m *radiohead) repeated(node byte, p []byte) bool {
	n := m.node(node)
	soon := m.now.Sub(n.at) < rhSeenFor
	again := len(n.seen) > 0 && n.seen[2] == p[2] && soon && (p[3]&rhFlagRetry != 0 || bytes.Equal(n.seen, p))
	if !again {
		n.seen = append(n.seen[:0], p...)
	}
	n.at = m.now
	return again
}

func (m *radiohead) node(node byte) *rhNode {
	n := m.nodes[node]
	if n == nil {
		n = &rhNode{}
		m.nodes[node] = n
	}
	return n
}

// acknowledged ends the wait for one node.
func (m *radiohead) acknowledged(node, id byte) {
	for i, o := range m.open {
		if o.node == node && o.id == id {
			m.out.Done(o.Parcel)
			m.open = slices.Delete(m.open, i, i+1)
			return
		}
	}
}

func (m *radiohead) Send(_ time.Time, f *transports.Frame) (drop string) {
	to := *f
	if m.far {
		to.Broadcast = false // it leaves from a node, and the packet says to whom
		if to.Addr == (transports.Addr{}) {
			to.Addr = transports.MakeAddr([]byte{rhDevice})
		}
		to.Radius = 0
		if f.Broadcast {
			to.Radius = 1
		}
	}
	if n := to.Addr.Bytes(); !to.Broadcast && (len(n) != 1 || n[0] > rhNodeMost) {
		return transports.ReasonAddress
	}
	if !m.out.Push(&to) {
		return transports.ReasonQueueFull
	}
	return ""
}

func (m *radiohead) Output(now time.Time, dst []byte) ([]byte, int, bool) {
	if len(m.answers) > 0 {
		to, from, id := m.answers[0], m.answers[1], m.answers[2]
		m.answers = m.answers[3:]
		return appendRadioHead(dst, []byte{to, from, id, rhFlagAck, rhAck}), 0, true
	}
	if encoded, ok := m.repeat(now, dst); ok {
		return encoded, 0, true
	}
	if len(m.open) >= rhWindow && !m.flush {
		return dst, 0, false
	}
	p := m.out.Take()
	if p == nil {
		return dst, 0, false
	}
	encoded, o := m.encode(now, dst, p)
	if m.reliable && o.node != rhEveryone && !m.flush {
		m.open = append(m.open, o)
	} else {
		m.out.Done(p)
	}
	return encoded, len(p.Data), true
}

// repeat writes a frame again whose acknowledgement is overdue, or gives it up.
func (m *radiohead) repeat(now time.Time, dst []byte) ([]byte, bool) {
	for i := 0; i < len(m.open); i++ {
		o := &m.open[i]
		if now.Before(o.until) && !m.flush {
			continue
		}
		if o.Tries < rhTries && !m.flush {
			o.Tries++
			encoded, again := m.encode(now, dst, o.Parcel)
			*o = again
			return encoded, true
		}
		if !m.flush {
			m.counters.Count(transports.ReasonNoAck, 1)
		}
		m.out.Done(o.Parcel)
		m.open = slices.Delete(m.open, i, i+1)
		i--
	}
	return dst, false
}

// encode appends the packet of a frame.
func (m *radiohead) encode(now time.Time, dst []byte, p *Parcel) ([]byte, rhOpen) {
	node := byte(rhEveryone)
	if !p.To.Broadcast {
		node = p.To.Addr.Bytes()[0]
	}
	n := m.node(node)
	flags := byte(rhFlagRetry)
	if p.Tries == 1 {
		n.sent++
		flags = 0
	}
	to, from := node, m.gateway
	if m.far {
		to, from = m.gateway, node
		if p.Radius > 0 {
			to, node = rhEveryone, rhEveryone // nobody acknowledges it
		}
	}
	before := len(dst)
	dst = appendRadioHead(dst, append([]byte{to, from, n.sent, flags}, p.Data...))
	wait := rhTimeout + time.Duration(m.rng.Int64N(int64(rhTimeout)))
	return dst, rhOpen{p, node, n.sent, now.Add(time.Duration(len(dst)-before)*m.octet + wait)}
}

func (m *radiohead) Deadline() (at time.Time, ok bool) {
	if len(m.answers) > 0 || (len(m.open) < rhWindow || m.flush) && m.out.Ready() || m.flush && len(m.open) > 0 {
		return time.Time{}, true
	}
	for _, o := range m.open {
		if !ok || o.until.Before(at) {
			at, ok = o.until, true
		}
	}
	return at, ok
}

func (m *radiohead) Flush() { m.flush = true }

func (m *radiohead) Down() string { return "" }

func (m *radiohead) MTU() int { return m.mtu }

// FormatAddr is "node" and its number.
func (m *radiohead) FormatAddr(a transports.Addr) string { return formatNode(a, "gateway") }

// formatNode is for addresses of one octet; other is what one that is none stands for.
func formatNode(a transports.Addr, other string) string {
	if n := a.Bytes(); len(n) == 1 {
		return fmt.Sprintf("node %d", n[0])
	}
	return other
}
