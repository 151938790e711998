package gateway

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"midge/transports"
)

// path is the way between one device and the next station, each way alike.
type path struct {
	rng     *rand.Rand
	loss    float64
	dup     float64
	reorder float64 // a frame is held back, but less than a round trip: no acknowledgement can be back by then, as in every network that QoS 2 is possible on
	damage  float64 // found out by a checksum, so the frame is lost
	delay   time.Duration
}

// pass carries a frame: never, once or twice.
func (p *path) pass(w *world, arrive func()) {
	// Always the same draws, so that what becomes of the n-th frame follows from n.
	lost, dup, held, hold, damaged := p.rng.Float64(), p.rng.Float64(), p.rng.Float64(), p.rng.Float64(), p.rng.Float64()
	switch {
	case lost < p.loss:
		w.count.lost++
		return
	case damaged < p.damage:
		w.count.damaged++
		return
	}
	first, second := p.delay, p.delay
	if p.reorder > 0 {
		second += time.Duration(hold * 1.8 * float64(p.delay))
	}
	if held < p.reorder {
		w.count.reordered++
		first = second
	}
	w.after(first, arrive)
	if w.plan.sabotage == lateCopies {
		w.after(first+20*time.Second, arrive)
	}
	if dup < p.dup {
		w.count.repeated++
		w.after(second, arrive)
	}
}

// datagrams is a network of datagrams, such as UDP's. Each device has an address of its own, which may change.
type datagrams struct {
	p     *place
	rng   *rand.Rand
	at    map[transports.Addr]*dev
	freed []freed
	last  uint32
	radio airtime
}

type freed struct {
	addr transports.Addr
	when time.Time
}

// quarantine is how long an address is given to nobody after it was left.
const quarantine = 30 * time.Minute

func newDatagrams(p *place) medium {
	return &datagrams{p: p, rng: p.w.stream(uint64(100 + len(p.w.places))), at: map[transports.Addr]*dev{}, radio: wlan}
}

func (n *datagrams) join(d *dev) {
	if len(n.freed) > 0 && n.p.w.now.Sub(n.freed[0].when) > quarantine && n.rng.IntN(2) == 0 {
		d.addr = n.freed[0].addr // somebody else's, once
		n.freed = n.freed[1:]
	} else {
		n.last++
		d.addr = transports.MakeAddr(binary.BigEndian.AppendUint32([]byte{10, 0}, n.last))
	}
	n.at[d.addr] = d
	d.connect(0.05, 20*time.Millisecond+time.Duration(n.rng.IntN(60))*time.Millisecond)
}

func (n *datagrams) leave(d *dev) {
	delete(n.at, d.addr)
	n.freed = append(n.freed, freed{d.addr, n.p.w.now})
}

func (n *datagrams) up(d *dev, data []byte) {
	d.spend(n.radio(len(data)))
	from := d.addr
	d.path.pass(n.p.w, func() {
		n.p.receive(d, peer{addr: from}, &transports.Frame{Addr: from, Data: data}, data)
	})
}

func (n *datagrams) down(f *transports.Frame) {
	d := n.at[f.Addr]
	if d == nil {
		return
	}
	d.spend(n.radio(len(f.Data)))
	to, data := f.Addr, append([]byte(nil), f.Data...)
	d.down.pass(n.p.w, func() {
		if n.at[to] == d {
			d.receive(data)
		}
	})
}

func (n *datagrams) begin()        {}
func (n *datagrams) end()          {}
func (n *datagrams) mtu() int      { return 1200 }
func (n *datagrams) inOrder() bool { return false }

// airtime is how long a message of n octets takes on a medium.
type airtime func(n int) time.Duration

// wlan is 802.11 at its slowest, as in an acknowledged frame at 1 Mbit/s: preambles, MAC, LLC, IP and UDP headers, and the acknowledgement.
func wlan(n int) time.Duration { return time.Duration(192+10+304+8*(n+28+8+28)) * time.Microsecond }

// ieee154 is 802.15.4 at 250 kbit/s: preamble, headers with long addresses, and the acknowledgement.
func ieee154(n int) time.Duration { return time.Duration(32*(n+6+23)+192+32*11) * time.Microsecond }

// zigbee has the headers of network and application support above it.
func zigbee(n int) time.Duration { return ieee154(n + 8 + 16 + 8) }
