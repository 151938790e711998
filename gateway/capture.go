package gateway

import (
	"fmt"
	"slices"
	"time"

	"midge/mqttsn"
	"midge/transports"
)

// A Recorder is given a frame that a link has received or is about to send. It is called with the gateway's lock held: it must not wait, and keeps nothing
// of the frame.
type Recorder func(now time.Time, f *transports.Frame, received bool)

// Bounds of traces.
const (
	tracesMax = 8    // of one link at a time: each costs a copy of every frame
	claimsMax = 4096 // addresses that a trace of some clients remembers
)

// Trace gives record what a link that is served receives and sends until end is called: all of it, or, if clients are named, what comes from and goes to
// clients of these ids ('*' and '?' as in LinkConfig.AllowClients).
func (g *Gateway) Trace(name string, clients []string, record Recorder) (end func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.links[name]
	if l == nil || !g.runs[name] {
		return nil, fmt.Errorf("link %s is not being served", name)
	}
	if len(l.taps) >= tracesMax {
		return nil, fmt.Errorf("link %s is traced %d times already", name, tracesMax)
	}
	t := &tap{clients: clients, record: record, claims: map[peer]bool{}}
	l.taps = append(l.taps, t)
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		l := g.links[name] // the link may have been served anew
		l.taps = slices.DeleteFunc(l.taps, func(other *tap) bool { return other == t })
	}, nil
}

// tap is one trace of a link.
type tap struct {
	clients []string // patterns of client ids; none = all frames
	record  Recorder
	claims  map[peer]bool // where CONNECT or PINGREQ with one of these ids came from last
}

// received gives a frame to the traces, before the machine takes it.
func (l *link) received(now time.Time, f *transports.Frame) {
	for _, t := range l.taps {
		if t.wants(l, f, true) {
			t.record(now, f, true)
		}
	}
}

// sent gives frames to the traces.
func (l *link) sent(now time.Time, frames []transports.Frame) {
	for _, t := range l.taps {
		for i := range frames {
			if t.wants(l, &frames[i], false) {
				t.record(now, &frames[i], false)
			}
		}
	}
}

// wants reports whether the trace is of a client that the frame comes from or goes to. Who that is says the client's last address and, because a client that is turned away
// never has one, what the frames from there have claimed.
func (t *tap) wants(l *link, f *transports.Frame, received bool) bool {
	if len(t.clients) == 0 {
		return true
	}
	if f.Broadcast && !received {
		return false
	}
	at, raw := peer{addr: f.Addr}, f.Data
	if e, inner, err := mqttsn.ParseEncapsulated(f.Data); err == nil {
		at.node, at.wrapped, raw = string(e.NodeID), true, inner
	}
	if received {
		t.claim(at, raw)
	}
	c := l.peers[at]
	return t.claims[at] || c != nil && matchesAny(t.clients, c.id)
}

// claim notes whose client id a message from there gives, if it gives one.
func (t *tap) claim(at peer, raw []byte) {
	kind, err := mqttsn.PeekType(raw)
	if err != nil || kind != mqttsn.TypeConnect && kind != mqttsn.TypePingreq {
		return
	}
	p, err := mqttsn.Decode(raw)
	if err != nil {
		return
	}
	id := ""
	switch p := p.(type) {
	case mqttsn.Connect:
		id = p.ClientID
	case mqttsn.Pingreq:
		if id = p.ClientID; id == "" {
			return
		}
	}
	switch {
	case !matchesAny(t.clients, id):
		delete(t.claims, at)
	case len(t.claims) < claimsMax:
		t.claims[at] = true
	}
}
