package gateway

import (
	"midge/mqttsn"
	"midge/transports"
)

// sending is one frame in link.buf that waits to be taken.
type sending struct {
	addr       transports.Addr
	start, end int
	broadcast  bool
	radius     uint8
}

// send appends p for a peer, in an envelope if the peer is behind a forwarder. It reports whether it leaves now: on a link with little time it may
// have to wait, or be left out.
func (l *link) send(to *peer, p mqttsn.Packet) (left bool) {
	if l.debug {
		l.log.Debug("packet out", "peer", l.format(to.addr), "packet", p.String())
	}
	start := l.open(to)
	l.buf = p.Append(l.buf)
	return l.close(to, p.Type(), start)
}

// sendPuback is send for the packet that follows every publish, without boxing it.
func (l *link) sendPuback(to *peer, p mqttsn.Puback) {
	if l.debug {
		l.send(to, p)
		return
	}
	start := l.open(to)
	l.buf = p.Append(l.buf)
	l.close(to, mqttsn.TypePuback, start)
}

// open begins a frame to a peer and returns where it starts.
func (l *link) open(to *peer) (start int) {
	start = len(l.buf)
	if to.wrapped {
		l.buf = mqttsn.Encapsulated{NodeID: []byte(to.node)}.Append(l.buf, nil)
		l.counters.encapsulatedOut++
	}
	return start
}

func (l *link) close(to *peer, t mqttsn.Type, start int) (left bool) {
	left, more := l.depart(sending{addr: to.addr, start: start, end: len(l.buf)}, to, t)
	if more {
		l.counters.out[t]++
	}
	return left
}

// sendAll appends p for everyone in reach. radius is in hops, 0 = the whole network.
func (l *link) sendAll(radius uint8, p mqttsn.Packet) {
	if l.debug {
		l.log.Debug("packet out", "peer", "everyone", "packet", p.String())
	}
	start := len(l.buf)
	l.buf = p.Append(l.buf)
	if _, more := l.depart(sending{start: start, end: len(l.buf), broadcast: true, radius: radius}, nil, p.Type()); more {
		l.counters.out[p.Type()]++
	}
}

// frames returns what is to be sent, in order, and forgets it. The frames hold until the next input.
func (l *link) frames() []transports.Frame {
	l.batch = l.batch[:0]
	for _, s := range l.sends {
		l.batch = append(l.batch, transports.Frame{Addr: s.addr, Data: l.buf[s.start:s.end:s.end], Broadcast: s.broadcast, Radius: s.radius})
	}
	l.sends = l.sends[:0]
	l.buf = l.buf[:0]
	if cap(l.buf) > bufKeep {
		l.buf = nil // the frames above still hold the old one
	}
	return l.batch
}

// bufKeep is the largest output buffer that is kept between two batches, in octets.
const bufKeep = 256 << 10

// room is the longest message for a peer: the link's, less the forwarder's envelope.
func (l *link) room(to *peer) int {
	room := l.cfg.MTU
	if l.carries != nil {
		room = min(room, l.carries())
	}
	if to.wrapped {
		return room - len(to.node) - envelopeSize
	}
	return room
}

// envelopeSize is Length, MsgType and Ctrl of a forwarder's envelope (§5.5).
const envelopeSize = 3
