package broker

import "sort"

// phase is how far a delivery at QoS > 0 has come.
type phase uint8

const (
	sent     phase = iota // PUBLISH handed out; QoS 1 waits for Acked, QoS 2 for Received
	released              // Received came; PUBREL handed out; waits for Completed
	done                  // finished, kept only until everything before it is finished
)

// delivery is one message in flight to a subscriber.
type delivery struct {
	queued
	seq   uint64 // its number among the session's copies at QoS > 0
	place uint64 // its number among all messages that the session was given
	phase phase
	given bool // to the present front end, so it counts against its Receive Maximum
}

// packetID is the identifier under which a session's seq-th copy at QoS > 0 is sent. It follows from the sequence number, which is kept on disk,
// so a delivery has the same identifier after a restart.
//
// seq 0, which no such copy has, gives 0.
func packetID(seq uint64) uint16 {
	if seq == 0 {
		return 0
	}
	return uint16((seq-1)%65535) + 1
}

func (d *delivery) id() uint16 { return packetID(d.seq) }

// window holds the deliveries in flight in ascending order of seq. The zero window is empty.
type window struct {
	ring[delivery]
	live int // deliveries that are not done
	size int // octets of the messages that it holds
}

func (w *window) add(d delivery) *delivery {
	w.push(d)
	w.live++
	if d.msg != nil {
		w.size += d.msg.size()
	}
	return w.at(w.len() - 1)
}

// spans reports whether packet identifiers stay unambiguous when seq is in flight too.
func (w *window) spans(seq uint64) bool { return w.len() == 0 || seq-w.at(0).seq < inflightSpan }

// find returns the open delivery with this identifier, or nil.
func (w *window) find(id uint16) *delivery {
	if w.len() == 0 || id == 0 {
		return nil
	}
	behind := (int(id) - int(w.at(0).id()) + 65535) % 65535
	seq := w.at(0).seq + uint64(behind)
	// Nearly always there are no gaps, and it stands where the distance says.
	i := behind
	if i >= w.len() || w.at(i).seq != seq {
		i = sort.Search(w.len(), func(i int) bool { return w.at(i).seq >= seq })
	}
	if i >= w.len() || w.at(i).seq != seq || w.at(i).phase == done {
		return nil
	}
	return w.at(i)
}

// finish marks d done and forgets what is done at the front.
func (w *window) finish(d *delivery) (popped int) {
	d.phase = done
	d.queued = queued{}
	w.live--
	for w.len() > 0 && w.at(0).phase == done {
		w.pop()
		popped++
	}
	return popped
}

// oldest returns the place of the first open delivery.
func (w *window) oldest() (place uint64, ok bool) {
	if w.len() == 0 {
		return 0, false
	}
	return w.at(0).place, true // the front is never done
}
