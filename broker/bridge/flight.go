package bridge

import (
	"slices"
	"time"

	"midge/broker/mqtt"
)

// delivery is one message on its way upstream at QoS 1 or 2 and not yet acknowledged there.
type delivery struct {
	packet   mqtt.Delivery // as it goes upstream; an earlier run's message of which only PUBREL is left has no topic here
	localQoS mqtt.QoS      // how the local session counts it; may be higher than the QoS upstream
	own      bool          // the bridge's availability message: the local session knows nothing of it
	pulled   time.Time

	progress  progress
	overtaken time.Time // when a later message of the same QoS was acknowledged first; zero: not
	givenUp   bool      // what is left is to free the identifier upstream
}

// progress is how far a delivery has come upstream.
type progress uint8

const (
	sent     progress = iota // PUBLISH was given to a connection; PUBACK or PUBREC is awaited
	received                 // PUBREC came, and the local session was told: PUBREL has to wait until it says that this is safe
	released                 // PUBREL may go out, on this connection and on later ones; PUBCOMP is awaited
)

// bare reports whether the message itself is gone, so that it cannot be sent again.
func (d *delivery) bare() bool { return d.packet.Topic == "" }

// flight is what is in flight upstream, in the order in which it was handed over. It belongs to the loop.
//
// A delivery has the same packet identifier upstream as in the local session, which keeps it over a restart. So the session's own state is what is to be
// known afterwards: a delivery that it hands out again may be with upstream under this identifier; of one that it has been told to be Received
// there is nothing to send but PUBREL.
type flight struct {
	list    []*delivery
	last    uint16 // identifier that the local session gave last; 0: none yet
	lastAck time.Time
}

func (f *flight) find(id uint16) *delivery {
	for _, d := range f.list {
		if d.packet.ID == id {
			return d
		}
	}
	return nil
}

func (f *flight) add(d *delivery) {
	f.list = append(f.list, d)
	if !d.own {
		f.last = d.packet.ID
	}
}

func (f *flight) remove(d *delivery) {
	f.list = slices.DeleteFunc(f.list, func(e *delivery) bool { return e == d })
}

// acknowledged takes out what upstream has acknowledged for good.
func (f *flight) acknowledged(now time.Time, d *delivery) {
	for i, e := range f.list {
		if e == d {
			f.list = slices.Delete(f.list, i, i+1)
			break
		}
		if e.packet.QoS == d.packet.QoS && e.overtaken.IsZero() {
			e.overtaken = now
		}
	}
	f.lastAck = now
}

// lost is told that upstream has no session any more, in which identifiers would mean something. What was in flight begins anew, at QoS 2 at least once instead
// of exactly once: uncertain is how many. What cannot be sent again, or is not to be, is returned as over.
func (f *flight) lost() (over []*delivery, uncertain int) {
	keep := f.list[:0]
	for _, d := range f.list {
		if d.packet.QoS == mqtt.ExactlyOnce {
			if d.bare() || d.givenUp {
				over = append(over, d)
				continue
			}
			d.progress = sent
			uncertain++
		}
		keep = append(keep, d)
	}
	clear(f.list[len(keep):])
	f.list = keep
	return over, uncertain
}

// disconnected drops the bridge's own messages: they spoke of the connection that is gone.
func (f *flight) disconnected() {
	f.list = slices.DeleteFunc(f.list, func(d *delivery) bool { return d.own })
	for _, d := range f.list {
		d.overtaken = time.Time{}
	}
}

// view is what the loop wants to know about all of it together.
type view struct {
	inflight  int
	head      *delivery // the oldest that upstream has not taken; nil: none
	oldest    time.Time // when the oldest was pulled
	overtaken time.Time // the earliest; zero: none
}

func (f *flight) view() view {
	v := view{inflight: len(f.list)}
	for _, d := range f.list {
		if d.progress == sent && v.head == nil {
			v.head = d
		}
		if v.oldest.IsZero() {
			v.oldest = d.pulled
		}
		if !d.overtaken.IsZero() && (v.overtaken.IsZero() || d.overtaken.Before(v.overtaken)) {
			v.overtaken = d.overtaken
		}
	}
	return v
}

// farOff is a free identifier for the bridge's own packets: half way round from those that the local session gives, which go up one by one.
func (f *flight) farOff() uint16 {
	const circle = 65535 // 0 is none
	id := uint16((int(f.last)+circle/2)%circle) + 1
	for f.find(id) != nil {
		id = id%circle + 1
	}
	return id
}
