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
	cfg   LinkConfig
	air   medium
	book  airBook
	queue answers
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
	cfg := p.cfg
	cfg.RetryInterval = p.w.plan.retry
	switch p.w.plan.sabotage {
	case wasteful:
		cfg.Airtime = Airtime{}
	case greedy:
		cfg.Airtime.Duty = 0
	}
	p.book.begins(p)
	p.queue = answers{}
	p.l = g.open(p.name, cfg, longest, func(a transports.Addr) string { return hex.EncodeToString(a.Bytes()) }, p.w.now)
	p.l.carries = p.air.mtu
	p.air.begin()
	p.fed = true
}

// maxQoS is the highest QoS that the link takes.
func (p *place) maxQoS() int {
	if p.cfg.MaxQoS == 0 {
		return 2
	}
	return p.cfg.MaxQoS
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
	if d != nil && d.beacon != nil {
		p.heard[from] = d
		d.beacon.heard++
		if p.w.sabotaged(p, d, f, raw) {
			return
		}
	} else if d != nil {
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
	if p.w.plan.sabotage == impatient && p.cfg.Airtime.Rate == 0 {
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
	p.queue.look(p)
	p.alarm.at(p.l.Deadline())
	return true
}

func (p *place) send(f *transports.Frame) {
	p.w.count.frames++
	p.book.spends(p, len(f.Data))
	if !p.queue.left(f.Addr, f.Data) {
		p.decided(f.Addr, f.Data)
	}
	p.air.down(f)
}

// decided is a frame that the gateway sends, or will send when there is room.
func (p *place) decided(to transports.Addr, data []byte) {
	from, raw := peer{addr: to}, data
	if e, inner, err := mqttsn.ParseEncapsulated(data); err == nil {
		from, raw = peer{to, string(e.NodeID), true}, inner
	}
	switch d := p.heard[from]; {
	case d == nil:
	case d.beacon != nil:
		p.w.fault(d, "it has no session, and is sent %x", raw)
	default:
		d.shadow.sent(raw)
	}
}
