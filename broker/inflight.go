package broker

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
	seq   uint64 // its number among all messages that the session was given
	id    uint16
	phase phase
	given bool // to the present front end, so it counts against its Receive Maximum
}

// window holds the deliveries in flight in the order they were first handed out. Packet identifiers are given in
// sequence, so the place of an identifier follows from that of the first. The zero window is empty.
type window struct {
	ring[delivery]
	last uint16 // identifier given last
	live int    // deliveries that are not done
	size int    // octets of the messages that it holds
}

// add gives the next packet identifier, which is never 0.
func (w *window) add(q queued, seq uint64) *delivery {
	w.last++
	if w.last == 0 {
		w.last = 1
	}
	w.push(delivery{queued: q, seq: seq, id: w.last})
	w.live++
	return w.at(w.len() - 1)
}

// find returns the open delivery with this identifier, or nil.
func (w *window) find(id uint16) *delivery {
	if w.len() == 0 || id == 0 {
		return nil
	}
	i := int(id) - int(w.at(0).id)
	if i < 0 {
		i += 65535
	}
	if i >= w.len() || w.at(i).phase == done {
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

// oldest returns the sequence number of the first open delivery.
func (w *window) oldest() (seq uint64, ok bool) {
	if w.len() == 0 {
		return 0, false
	}
	return w.at(0).seq, true // the front is never done
}
