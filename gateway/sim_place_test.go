package gateway

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"midge/mqttsn"
	"midge/transports"
)

// medium is what lies between the gateway's link and the devices on it.
type medium interface {
	// up carries what a device sends; data is its own from then on.
	up(d *dev, data []byte)
	// down carries a frame of the gateway, which is not kept.
	down(f *transports.Frame)
	// join gives a device an address on the medium, leave takes it away.
	join(d *dev)
	leave(d *dev)
	// begin and end are those of the gateway's process.
	begin()
	end()
	// mtu is the longest message that the link carries now, in octets.
	mtu() int
	// inOrder says that frames keep their order.
	inOrder() bool
}

// place is a link of the gateway, its medium, and who was heard on it.
type place struct {
	w     *world
	name  string
	l     *link // nil: the process is down
	air   medium
	heard map[peer]*dev // who in truth sent from there, as the gateway has heard it last
	alarm alarm
	fed   bool // its machine has had an input since it was pulled
}

func (w *world) newPlace(name string, air func(*place) medium) *place {
	p := &place{w: w, name: name, heard: map[peer]*dev{}}
	p.alarm = alarm{w: w, ring: p.advance}
	p.air = air(p)
	w.places = append(w.places, p)
	return p
}

func (p *place) open(g *Gateway) {
	p.l = g.open(p.name, LinkConfig{RetryInterval: p.w.plan.retry}, longest, func(a transports.Addr) string { return hex.EncodeToString(a.Bytes()) }, p.w.now)
	p.l.carries = p.air.mtu
	p.air.begin()
	p.fed = true
}

func (p *place) close() {
	p.l = nil
	p.alarm.at(time.Time{}, false)
	p.air.end()
}

// receive is a frame that reaches the gateway. d has sent it.
func (p *place) receive(d *dev, from peer, f *transports.Frame, raw []byte) {
	if p.l == nil {
		return
	}
	if d != nil {
		p.heard[from] = d
		d.shadow.heard(p, from, raw)
		if p.w.sabotaged(p, d, f, raw) {
			return
		}
	}
	p.l.Receive(p.w.now, f)
	p.fed = true
	p.w.box.settle()
}

func (p *place) advance() {
	now := p.w.now
	if p.w.plan.sabotage == impatient {
		now = now.Add(10 * time.Minute)
	}
	p.l.Advance(now)
	p.fed = true
	p.w.box.settle()
}

// pull takes from the machine what it wants sent. It reports whether there was reason to look.
func (p *place) pull() bool {
	select {
	case <-p.l.ready.signal:
	default:
		if !p.fed {
			return false
		}
	}
	p.fed = false
	slices.SortFunc(p.l.ready.clients, func(a, b *client) int { return strings.Compare(a.id, b.id) }) // a message's receivers have no order
	p.l.Pull(p.w.now)
	for _, f := range p.l.frames() {
		p.send(&f)
	}
	p.alarm.at(p.l.Deadline())
	return true
}

func (p *place) send(f *transports.Frame) {
	p.w.count.frames++
	from, raw := peer{addr: f.Addr}, f.Data
	if e, inner, err := mqttsn.ParseEncapsulated(f.Data); err == nil {
		from, raw = peer{f.Addr, string(e.NodeID), true}, inner
	}
	if d := p.heard[from]; d != nil {
		d.shadow.sent(raw)
	}
	p.air.down(f)
}
