package store

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// Blocks of the columnar format begin with a header of their kind's own, then the version (1 octet), the number of columns (2) and of rows (4), then for each
// column its type (1) and where it begins (4).
const (
	columnarVersion = 1
	columnarHeader  = 1 + 2 + 4
	columnHeader    = 1 + 4
	dataHeader      = 4
	spansHeader     = 4
)

type blockKind uint8

const (
	blockOther blockKind = iota
	blockData
	blockSpans // range tombstones
	blockIndex
	blockPairs // meta index, properties
)

// kindOfBlock tells what an unpacked block is by the structure of its columns.
func kindOfBlock(b []byte) blockKind {
	switch {
	case columns(b, dataHeader, 7):
		return blockData
	case columns(b, spansHeader, 5):
		return blockSpans
	case columns(b, 0, 4):
		return blockIndex
	case columns(b, 0, 2):
		return blockPairs
	}
	return blockOther
}

// columns tells whether b is a block with a header of so many octets and so many columns that lie one behind the other.
func columns(b []byte, header, n int) bool {
	begin := header + columnarHeader + n*columnHeader
	if len(b) < begin+1 || b[header] != columnarVersion || int(binary.LittleEndian.Uint16(b[header+1:])) != n {
		return false
	}
	last := uint32(begin)
	for i := range n {
		off := binary.LittleEndian.Uint32(b[header+columnarHeader+i*columnHeader+1:])
		if off < last || off >= uint32(len(b)) {
			return false
		}
		last = off
	}
	return true
}

// How far carve looks for the end of a block whose beginning it does not know, and how much it looks through at a time.
const (
	carveBlock   = 256 << 10
	carveSegment = 1 << 20
	carveMax     = 16 << 20 // no block is larger whose end is looked for
	matchBuckets = 1 << 18
)

// carve finds the blocks of a table without its index: blocks follow each other, and what an octet and a matching checksum follow is one. data says whether to
// use the data blocks, too, or the range tombstones alone.
func (t *table) carve(data bool) {
	if data {
		t.data = nil
	}
	t.tombs = nil
	for at := uint64(0); at < t.size; {
		h, ok := t.blockAt(at)
		if !ok {
			if h, ok = t.blockAfter(at); !ok {
				return
			}
		}
		t.use(h, data)
		at = h.Off + h.Len + blockTrailer
	}
}

// use takes a block that was found.
func (t *table) use(h handle, data bool) {
	b, err := t.block(h)
	if err != nil {
		return
	}
	switch kindOfBlock(b) {
	case blockData:
		if data {
			t.data = append(t.data, h)
		}
	case blockSpans:
		t.fault("its range tombstones", t.addTombs(b))
	}
}

// blockAt finds the end of the block that begins at off.
func (t *table) blockAt(off uint64) (handle, bool) {
	var (
		buf = make([]byte, 64<<10)
		crc = ^uint32(0)
		n   uint64
	)
	for from := off; from < t.size && n < carveMax; {
		k, _ := t.f.ReadAt(buf[:min(uint64(len(buf)), t.size-from)], int64(from))
		b := buf[:k]
		if len(b) < blockTrailer {
			break
		}
		for i := 0; i+blockTrailer <= len(b); i++ {
			next := castagnoli[byte(crc)^b[i]] ^ crc>>8 // over the block and the octet that tells its compression
			if n > 0 && cook(^next) == binary.LittleEndian.Uint32(b[i+1:]) {
				if h := (handle{Off: off, Len: n}); t.plausible(h) {
					return h, true
				}
			}
			crc = next
			n++
		}
		from += uint64(len(b) - blockTrailer + 1)
	}
	return handle{}, false
}

// plausible tells whether a block whose checksum matches is one: a match by chance does not unpack. A filter has no structure; it may stand for nothing.
func (t *table) plausible(h handle) bool {
	_, err := t.block(h)
	return err == nil
}

// blockAfter finds the first block that begins behind off, where none begins that reads: off is in a damaged part.
func (t *table) blockAfter(off uint64) (handle, bool) {
	for from := off; from < t.size; from += carveSegment - carveBlock {
		b := make([]byte, min(carveSegment, t.size-from))
		if k, _ := t.f.ReadAt(b, int64(from)); k < len(b) {
			b = b[:k]
		}
		for _, h := range matches(b) {
			h.Off += from
			if u, err := t.block(h); err == nil && kindOfBlock(u) != blockOther {
				return h, true
			}
		}
		if from+carveSegment >= t.size {
			break
		}
	}
	return handle{}, false
}

// matches returns the parts of b that an octet and a matching checksum follow, by where they begin: blocks, and about one in 65,000 of the possible pairs of
// ends over 65,536 by chance.
//
// It would take long to try each pair of beginning and end. But a checksum is a remainder by a polynomial: with L(i) that of b[:i], begun with 0, the checksum of b[s:e] is
// (1…1 + L(s))·x^8(e-s) + L(e), and with all of it divided by x^8e what depends on s alone stands on one side, (1…1 + L(s))/x^8s, and what depends on e alone on
// the other, (sum + L(e))/x^8e. So a table of the beginnings tells at each end which beginnings match.
func matches(b []byte) []handle {
	var (
		lefts = make([]uint32, len(b))      // the left side of each beginning
		older = make([]int32, len(b))       // the beginning before it in the same bucket, plus 1
		heads = make([]int32, matchBuckets) // the last beginning of each bucket, plus 1
		power = uint32(1 << 31)             // x^-8i
		crc   uint32                        // L(i)
		found []handle
	)
	for i := 0; i+blockTrailer <= len(b); i++ {
		lefts[i] = mulCRC(power, ^crc)
		head := &heads[lefts[i]%matchBuckets]
		older[i], *head = *head, int32(i)+1

		crc = castagnoli[byte(crc)^b[i]] ^ crc>>8
		power = mulCRC(power, inverse8)
		right := mulCRC(power, ^uncook(binary.LittleEndian.Uint32(b[i+1:]))^crc)
		for s := heads[right%matchBuckets]; s != 0; s = older[s-1] {
			n := i - int(s-1)
			if n > carveBlock {
				break
			}
			if n > 0 && lefts[s-1] == right {
				found = append(found, handle{Off: uint64(s - 1), Len: uint64(n)})
			}
		}
	}
	slices.SortFunc(found, func(a, b handle) int { return cmp.Or(cmp.Compare(a.Off, b.Off), cmp.Compare(b.Len, a.Len)) })
	return found
}

// mulCRC multiplies two remainders, whose highest bit is the coefficient of x^0.
func mulCRC(a, b uint32) (p uint32) {
	for ; a != 0; a <<= 1 {
		if a&(1<<31) != 0 {
			p ^= b
		}
		b = b>>1 ^ crc32.Castagnoli&-(b&1)
	}
	return p
}

// inverse8 is x^-8.
var inverse8 = func() uint32 {
	x := uint32(1 << 31)
	for range 8 {
		if x&(1<<31) != 0 {
			x = (x^crc32.Castagnoli)<<1 | 1
		} else {
			x <<= 1
		}
	}
	return x
}()
