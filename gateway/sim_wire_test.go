package gateway

import (
	"fmt"
	"math/rand/v2"
	"time"

	"midge/mqttsn"
	"midge/transports"
	"midge/transports/serial"
	"midge/transports/xbee"
	"midge/transports/xbee/modem"
)

// wire is a serial line with a radio at its far end: a forwarder (hdlc), an Aquila bridge (slip) or an XBee modem. Both ends speak with the product's machines, octet
// for octet; damaged octets are found by their checksums.
type wire struct {
	p      *place
	rng    *rand.Rand
	baud   int
	octet  time.Duration
	damage float64 // probability that a packet on the line is hit
	kind   wireKind
	radio  airtime
	near   wireEnd // the gateway's
	far    wireEnd
	nodes  map[transports.Addr]*dev // by address, or node id of the forwarder
	last   int
	out    bool // unplugged
}

type wireKind uint8

const (
	rawLine wireKind = iota // one device, and no checksum: it is only wanted that nothing else suffers
	forwarder
	bridge
	modem802154
	modemZigBee
)

// wireEnd is one end of a wire.
type wireEnd struct {
	w     *wire
	m     serial.Machine // nil: nobody is there
	other *wireEnd
	take  func(f *transports.Frame)
	alarm alarm
	busy  time.Time // until when the line carries what it was given
	line  int       // grows when what is on the line is lost
	fed   int
	given [2]map[string]bool // what it was given to send lately, to know what was damaged and not found out
}

func newWire(kind wireKind, baud int, damage float64) func(*place) medium {
	return func(p *place) medium {
		x := &wire{p: p, rng: p.w.stream(uint64(100 + len(p.w.places))), baud: baud, octet: 10 * time.Second / time.Duration(baud), damage: damage, kind: kind,
			nodes: map[transports.Addr]*dev{}, radio: ieee154}
		if kind == modemZigBee {
			x.radio = zigbee
		}
		x.near = wireEnd{w: x, other: &x.far, take: x.toGateway}
		x.far = wireEnd{w: x, other: &x.near, take: x.toNode}
		for _, e := range []*wireEnd{&x.near, &x.far} {
			e.alarm = alarm{w: p.w, ring: e.pump}
			e.given[0], e.given[1] = map[string]bool{}, map[string]bool{}
		}
		p.cfg.Airtime = Airtime{Rate: float64(baud) / 10, Overhead: 4} // as cmd/midge has it
		x.far.m = x.machine(true)
		x.far.m.Begin(p.w.now)
		return x
	}
}

// machine is the product's machine for one end.
func (x *wire) machine(far bool) serial.Machine {
	var m serial.Machine
	var err error
	switch x.kind {
	case rawLine:
		m, _, err = serial.NewMachine(serial.Config{Device: x.p.name, Baud: x.baud, Framing: "raw", MTU: 256})
	case forwarder:
		m, _, err = serial.NewMachine(serial.Config{Device: x.p.name, Baud: x.baud, Framing: "hdlc", MTU: 256})
	case bridge:
		m, _, err = serial.NewMachine(serial.Config{Device: x.p.name, Baud: x.baud, Framing: "slip", Far: far})
	default:
		network := map[wireKind]string{modem802154: "802.15.4", modemZigBee: "zigbee"}[x.kind]
		if far {
			return modem.NewMachine(modem.Config{Network: network, Delay: 5 * time.Millisecond, Status: x.onAir}, func(f transports.Frame) { x.toNode(&f) })
		}
		m, _, err = xbee.NewMachine(xbee.Config{Device: x.p.name, Baud: x.baud, Network: network})
	}
	if err != nil {
		panic(err)
	}
	return m
}

func (x *wire) begin() {
	x.near.m = x.machine(false)
	x.near.m.Begin(x.p.w.now)
	x.near.pump()
}

func (x *wire) end() {
	x.near.m = nil
	x.near.line++
}

// unplug and plug are a line that is away for a while.
func (x *wire) unplug() {
	x.out = true
	for _, e := range []*wireEnd{&x.near, &x.far} {
		e.line++
		if e.m != nil {
			e.m.End()
		}
	}
}

func (x *wire) plug() {
	x.out = false
	for _, e := range []*wireEnd{&x.near, &x.far} {
		e.busy = time.Time{}
		if e.m != nil {
			e.m.Begin(x.p.w.now)
			e.pump()
		}
	}
}

// reset restarts an XBee modem in the middle of whatever it does.
func (x *wire) reset() {
	if m, ok := x.far.m.(modem.Machine); ok {
		m.Reset(x.rng.IntN(20))
		x.far.pump()
	}
}

func (x *wire) mtu() int {
	m := 100
	if x.near.m != nil {
		m = x.near.m.MTU()
	}
	return m
}

func (x *wire) inOrder() bool { return true }

// join gives a node its address.
func (x *wire) join(d *dev) {
	x.last++
	switch x.kind {
	case rawLine:
	case forwarder:
		d.addr = transports.MakeAddr(fmt.Appendf(nil, "%X", 0xA0+x.last)) // its node id
	case bridge:
		d.addr = transports.MakeAddr([]byte{byte(x.last), byte(1 + x.last>>8)})
	default:
		d.addr = modem.Addr(x.last)
	}
	x.nodes[d.addr] = d
	d.connect(0, 4*time.Millisecond+x.radio(30))
}

func (x *wire) leave(d *dev) { delete(x.nodes, d.addr) }

// up is a frame on the air, from a node to the radio at the far end.
func (x *wire) up(d *dev, data []byte) {
	d.spend(x.radio(len(data)))
	from := d.addr
	d.path.pass(x.p.w, func() {
		if x.nodes[from] != d {
			return
		}
		f := transports.Frame{Addr: from, Data: data}
		if x.kind == forwarder {
			f = transports.Frame{Data: mqttsn.Encapsulated{NodeID: from.Bytes()}.Append(nil, data)}
		}
		x.far.give(&f)
	})
}

// toGateway is a frame that the line has brought.
func (x *wire) toGateway(f *transports.Frame) {
	from, raw := peer{addr: f.Addr}, f.Data
	node := f.Addr
	if x.kind == forwarder {
		e, inner, err := mqttsn.ParseEncapsulated(f.Data)
		if err != nil {
			panic(err)
		}
		from, raw, node = peer{f.Addr, string(e.NodeID), true}, inner, transports.MakeAddr(e.NodeID)
	}
	d := x.nodes[node]
	if x.kind == rawLine {
		d = nil // nobody can tell what it has sent
	}
	x.p.receive(d, from, f, raw)
}

// down is a frame of the gateway to the line.
func (x *wire) down(f *transports.Frame) { x.near.give(f) }

// toNode is a frame that the radio at the far end has for a node.
func (x *wire) toNode(f *transports.Frame) {
	node, data := f.Addr, append([]byte(nil), f.Data...)
	if x.kind == forwarder {
		e, inner, err := mqttsn.ParseEncapsulated(data)
		if err != nil {
			panic(err)
		}
		node, data = transports.MakeAddr(e.NodeID), inner
	}
	d := x.nodes[node]
	if d == nil {
		return
	}
	d.spend(x.radio(len(data)))
	arrive := func() {
		if x.nodes[node] == d {
			d.receive(data)
		}
	}
	if x.kind >= modem802154 { // the modem knows its fate already
		x.p.w.after(d.down.delay, arrive)
		return
	}
	d.down.pass(x.p.w, arrive)
}

// onAir is what becomes of a frame that an XBee modem sends to a node, as it reports it.
func (x *wire) onAir(node transports.Addr, data []byte) (status byte) {
	d := x.nodes[node]
	switch {
	case d == nil || !d.listens():
		return xbee.StatusNoAddress
	case d.down.rng.Float64() < d.down.loss:
		x.p.w.count.lost++
		d.spend(x.radio(len(data)))
		return xbee.StatusNetworkAck
	}
	return xbee.StatusOK
}

// give has an end send a frame.
func (e *wireEnd) give(f *transports.Frame) {
	if e.m == nil || e.w.out {
		return
	}
	if e.m.Send(e.w.p.w.now, f) == "" {
		if len(e.given[0]) > 512 {
			e.given[0], e.given[1] = map[string]bool{}, e.given[0]
		}
		e.given[0][key(f)] = true
	}
	e.pump()
}

func key(f *transports.Frame) string { return string(f.Addr.Bytes()) + "|" + string(f.Data) }

// pump writes what the end's machine has for the line, one packet after the other.
func (e *wireEnd) pump() {
	now := e.w.p.w.now
	if e.m == nil || e.w.out {
		return
	}
	if now.Before(e.busy) {
		e.alarm.at(e.busy, true)
		return
	}
	octets, _, ok := e.m.Output(now, nil)
	if !ok {
		at, due := e.m.Deadline()
		if due && !at.After(now) {
			at = now.Add(time.Millisecond)
		}
		e.alarm.at(at, due)
		return
	}
	took := time.Duration(len(octets)) * e.w.octet
	e.w.p.w.count.line += took
	e.busy = now.Add(took)
	if e.w.rng.Float64() < e.w.damage {
		bit := e.w.rng.IntN(8 * len(octets))
		octets[bit/8] ^= 1 << (bit % 8)
		e.w.p.w.count.damaged++
	}
	line := e.line
	e.w.p.w.at(e.busy, func() {
		if e.line == line {
			e.other.feed(octets)
		}
		e.pump()
	})
}

// feed is what the line brings.
func (e *wireEnd) feed(octets []byte) {
	w := e.w.p.w
	if e.m == nil || e.w.out {
		return
	}
	e.fed++
	e.m.Feed(w.now, octets)
	e.read()
	if e.m != nil && e.m.Partial() {
		fed, m := e.fed, e.m
		w.after(150*time.Millisecond, func() {
			if e.fed == fed && e.m == m && !e.w.out {
				e.m.Feed(w.now, nil)
				e.read()
			}
		})
	}
}

func (e *wireEnd) read() {
	for e.m != nil {
		f, ok := e.m.Next()
		if !ok {
			break
		}
		if k := key(&f); !e.other.given[0][k] && !e.other.given[1][k] && e.w.kind != rawLine {
			e.w.p.w.count.undetected++ // what no checksum has found is not the gateway's fault
			continue
		}
		f.Data = append([]byte(nil), f.Data...)
		e.take(&f)
	}
	e.pump()
}
