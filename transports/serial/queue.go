package serial

import "time"

// Bounds of what waits to be written. More than some seconds of line is worthless: the peers' T_retry is 10 to 15 s.
const (
	queueFramesMax  = 1024
	queueOctetsMost = 256 << 10
	queueAirtime    = 5 * time.Second
)

// queue holds encoded frames in the order of writing. It is a machine; the link locks it.
type queue struct {
	octetsMax int
	buf       []byte // encoded frames one after the other; those before at have gone
	at        int
	frames    []queued
}

// queued is one frame of a queue, in octets.
type queued struct{ encoded, message int }

// newQueue bounds a queue by what the line carries in queueAirtime, but so that some frames of mtu octets always fit.
// octet is the time that one takes on the line; 0 is a stream that takes none.
func newQueue(octet time.Duration, mtu int) queue {
	most := queueOctetsMost
	if octet > 0 {
		most = min(most, int(queueAirtime/octet))
	}
	return queue{octetsMax: max(most, 4*mtu)}
}

// push encodes a message at the end; false when it finds no room.
func (q *queue) push(f Framing, message []byte) bool {
	if len(q.frames) >= queueFramesMax {
		return false
	}
	if q.at > 0 && q.at >= len(q.buf)/2 {
		q.buf = q.buf[:copy(q.buf, q.buf[q.at:])]
		q.at = 0
	}
	before := len(q.buf)
	q.buf = f.Append(q.buf, message)
	if len(q.buf)-q.at > q.octetsMax {
		q.buf = q.buf[:before]
		return false
	}
	q.frames = append(q.frames, queued{len(q.buf) - before, len(message)})
	return true
}

// pop appends the first frame, encoded, to dst and tells how long the message in it is.
func (q *queue) pop(dst []byte) (encoded []byte, message int, ok bool) {
	if len(q.frames) == 0 {
		return dst, 0, false
	}
	f := q.frames[0]
	dst = append(dst, q.buf[q.at:q.at+f.encoded]...)
	q.at += f.encoded
	if q.frames = q.frames[1:]; len(q.frames) == 0 {
		q.clear()
	}
	return dst, f.message, true
}

// clear drops everything and returns how many frames that were.
func (q *queue) clear() int {
	n := len(q.frames)
	q.frames, q.buf, q.at = q.frames[:0:0], q.buf[:0], 0
	return n
}

// paceSlack is how far writing may run ahead of the line: enough that the line does not idle while the writer
// sleeps, little enough that a close does not wait for it.
const paceSlack = 20 * time.Millisecond

// pacer knows when the line will have carried what was written. It is a machine.
type pacer struct {
	octet time.Duration // 0: not a line, no pace
	busy  time.Time     // until when the line carries what it has
}

// wait is how long to wait before writing more.
func (p *pacer) wait(now time.Time) time.Duration {
	ahead := p.busy.Sub(now)
	if ahead <= paceSlack {
		return 0
	}
	return ahead - paceSlack
}

// wrote notes octets given to the line.
func (p *pacer) wrote(now time.Time, octets int) {
	if p.busy.Before(now) {
		p.busy = now
	}
	p.busy = p.busy.Add(time.Duration(octets) * p.octet)
}
