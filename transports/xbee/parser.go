package xbee

import "time"

// A Parser finds API frames in what a radio writes. It is a machine. A frame that turns out to be none (a wrong checksum, a length that no frame has, a
// reset in the middle, silence) costs its first octet: what follows may hold good ones, and with AP=1 nothing else tells where they begin.
type Parser struct {
	Escaped bool // AP=2
	Either  bool // AP is not known yet: a frame is good if it is so in one of both modes

	gap  time.Duration
	last time.Time // when the last octet had arrived
	buf  []byte    // octets not yet parsed; those before at are done
	at   int
	data []byte // of the last frame, unescaped
	lost Lost
}

// Lost counts what a parser could not deliver.
type Lost struct {
	Checksum     uint64 // frames with a wrong checksum
	Malformed    uint64 // frames that were broken off
	GarbageBytes uint64 // octets that belong to no frame
}

// NewParser makes a parser that takes a frame in the middle of which the radio is silent for gap as broken off.
func NewParser(escaped bool, gap time.Duration) Parser { return Parser{Escaped: escaped, gap: gap} }

// Feed takes octets that had arrived by now; none means that the radio has been silent until now.
func (p *Parser) Feed(now time.Time, octets []byte) {
	if len(octets) == 0 {
		if p.Partial() && now.Sub(p.last) >= p.gap {
			p.lost.Malformed++
			p.skip()
		}
		return
	}
	p.last = now
	p.buf = append(p.buf[:copy(p.buf, p.buf[p.at:])], octets...)
	p.at = 0
}

// Partial reports whether silence would mean something.
func (p *Parser) Partial() bool { return p.at < len(p.buf) }

// Lost is what was lost since the parser was made.
func (p *Parser) Lost() Lost { return p.lost }

// skip gives up the frame that begins at at.
func (p *Parser) skip() {
	p.at++
	p.lost.GarbageBytes++
}

// verdict is what the octets at hand say about the frame that they begin.
type verdict int

const (
	whole    verdict = iota
	partial          // so far it may be one
	torn             // another one begins in it
	notFrame         // it has a length that no frame has
	damaged          // its checksum is wrong
)

// Next returns the data of the next frame, nil when there is none. It is valid until the next call of Next or Feed.
func (p *Parser) Next() []byte {
	for p.at < len(p.buf) {
		if p.buf[p.at] != startOctet {
			p.skip()
			continue
		}
		n, v := p.parse(p.buf[p.at+1:], p.Escaped)
		if p.Either && v != whole {
			if n2, v2 := p.parse(p.buf[p.at+1:], !p.Escaped); v2 == whole || v2 == partial {
				n, v = n2, v2
			}
		}
		switch v {
		case whole:
			p.at += 1 + n
			return p.data
		case partial:
			return nil
		case torn, notFrame:
			p.lost.Malformed++
		case damaged:
			p.lost.Checksum++
		}
		p.skip()
	}
	return nil
}

// parse reads the frame after its 0x7E into data. n is how many octets of b it takes.
func (p *Parser) parse(b []byte, escaped bool) (n int, v verdict) {
	p.data = p.data[:0]
	length, sum := 0, byte(0)
	for got := 0; ; got++ {
		c, used, v := octet(b[n:], escaped)
		if v != whole {
			return n, v
		}
		n += used
		switch {
		case got == 0:
			length = int(c) << 8
		case got == 1:
			if length |= int(c); length == 0 || length > frameMost {
				return n, notFrame
			}
		case got < 2+length:
			p.data = append(p.data, c)
			sum += c
		default:
			if sum+c != 0xFF {
				return n, damaged
			}
			return n, whole
		}
	}
}

// octet reads one.
func octet(b []byte, escaped bool) (c byte, used int, v verdict) {
	switch {
	case len(b) == 0:
		return 0, 0, partial
	case !escaped:
		return b[0], 1, whole
	case b[0] == startOctet:
		return 0, 0, torn
	case b[0] != escapeOctet:
		return b[0], 1, whole
	case len(b) == 1:
		return 0, 0, partial
	case b[1] == startOctet:
		return 0, 0, torn
	}
	return b[1] ^ escapeFlip, 2, whole
}
