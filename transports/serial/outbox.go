package serial

import (
	"bytes"
	"time"

	"midge/transports"
)

// Destination is whom a frame is for: one address, or everyone.
type Destination struct {
	Addr      transports.Addr // zero for everyone
	Broadcast bool
}

// A Parcel is a frame on its way out.
type Parcel struct {
	To     Destination
	Radius uint8
	Data   []byte // our copy
	Tries  int    // how often it was written
}

// An Outbox holds the frames that wait for a radio, in order. A destination has one frame out at a time: no node is sent a second one before it is known what
// became of the first, none overtakes another on the way to the same node, and a node that is silent holds nobody else up. It is a machine.
type Outbox struct {
	octetsMax int
	octets    int
	waiting   []*Parcel
	out       map[Destination]bool
}

// NewOutbox bounds an outbox by what a line of that speed carries in some seconds; octet is the time that one takes on the line, 0 = none.
func NewOutbox(octet time.Duration, mtu int) Outbox {
	return Outbox{octetsMax: newQueue(octet, mtu).octetsMax, out: map[Destination]bool{}}
}

// Push takes a copy of a frame; false when there is no room.
func (b *Outbox) Push(f *transports.Frame) bool {
	if len(b.waiting) >= queueFramesMax || b.octets+len(f.Data) > b.octetsMax {
		return false
	}
	p := &Parcel{To: Destination{Addr: f.Addr}, Radius: f.Radius, Data: bytes.Clone(f.Data)}
	if f.Broadcast {
		p.To = Destination{Broadcast: true}
	}
	b.octets += len(p.Data)
	b.waiting = append(b.waiting, p)
	return true
}

// Take returns the first frame whose destination has none out, nil when there is none. The destination has one out until Done or Return.
func (b *Outbox) Take() *Parcel {
	i := b.next()
	if i < 0 {
		return nil
	}
	p := b.waiting[i]
	b.waiting = append(b.waiting[:i], b.waiting[i+1:]...)
	b.octets -= len(p.Data)
	b.out[p.To] = true
	p.Tries++
	return p
}

func (b *Outbox) next() int {
	for i, p := range b.waiting {
		if !b.out[p.To] {
			return i
		}
	}
	return -1
}

// Ready reports whether Take would return something.
func (b *Outbox) Ready() bool { return b.next() >= 0 }

// Done ends the way of a frame that was taken.
func (b *Outbox) Done(p *Parcel) { delete(b.out, p.To) }

// Return puts a frame that was taken back in front of all others.
func (b *Outbox) Return(p *Parcel) {
	delete(b.out, p.To)
	b.octets += len(p.Data)
	b.waiting = append([]*Parcel{p}, b.waiting...)
}

// Release lets every destination have another frame.
func (b *Outbox) Release() { clear(b.out) }

// Clear drops everything and returns how many frames waited.
func (b *Outbox) Clear() int {
	n := len(b.waiting)
	b.waiting, b.octets = nil, 0
	clear(b.out)
	return n
}
