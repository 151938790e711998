package serial

import "time"

// raw is no framing at all: a message is delimited by its own Length.
type raw struct{}

func (raw) Append(dst, message []byte) []byte { return append(dst, message...) }

func (raw) NewDecoder(mtu int, gap time.Duration) Decoder {
	return &rawDecoder{mtu: mtu, gap: gap}
}

// rawDecoder is in step, or it is not and discards until the line has been silent for the gap. It does not search for a message in
// what it discards: a PUBLISH found in the middle of a payload would be one that nobody sent.
type rawDecoder struct {
	mtu  int
	gap  time.Duration
	last time.Time // when the last octet had arrived
	buf  []byte    // octets not yet delivered; those before at are delivered
	at   int
	lost bool // out of step
	sum  Lost
}

func (d *rawDecoder) Feed(now time.Time, octets []byte) {
	if len(octets) == 0 {
		if d.Partial() && now.Sub(d.last) >= d.gap {
			d.discard()
			d.lost = false
		}
		return
	}
	d.last = now
	d.buf = append(d.buf[:0], d.buf[d.at:]...)
	d.at = 0
	d.buf = append(d.buf, octets...)
	if d.lost {
		d.discard()
	}
}

// discard counts and drops all that is not yet delivered.
func (d *rawDecoder) discard() {
	d.sum.GarbageBytes += uint64(len(d.buf) - d.at)
	d.buf, d.at = d.buf[:0], 0
}

func (d *rawDecoder) Next() []byte {
	n, v := delimit(d.buf[d.at:], d.mtu)
	switch v {
	case whole:
		m := d.buf[d.at : d.at+n : d.at+n]
		d.at += n
		return m
	case noMessage:
		d.lost = true
		d.discard()
	}
	return nil
}

// Partial holds in the middle of a message and when out of step.
func (d *rawDecoder) Partial() bool { return d.lost || d.at < len(d.buf) }

func (d *rawDecoder) Lost() Lost { return d.sum }
