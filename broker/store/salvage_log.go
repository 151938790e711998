package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
)

// Pebble's write-ahead logs and manifests are logs in LevelDB's manner: blocks of 32 KB, in them chunks, one or more of which make a record. A chunk begins
// with its checksum (4 octets, over everything from the kind on), the length of its payload (2), and its kind (1). A write-ahead log's chunk goes on with the
// log's number (4), which tells it from what an earlier use of the file left behind, and the offset up to which the log was synced when it was written (8).
const (
	logBlock       = 32 << 10
	logHeaderPlain = 4 + 2 + 1
	logHeaderNum   = logHeaderPlain + 4
	logHeaderSync  = logHeaderNum + 8
)

// A chunk's kind: what part of a record it is, in one of three formats.
const (
	partFull = 1 + iota
	partFirst
	partMiddle
	partLast

	partsPerFormat = 4
	formats        = 3
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cook is what Pebble makes of a checksum before it writes it, and uncook takes it back.
func cook(crc uint32) uint32   { return bits.RotateLeft32(crc, 17) + 0xa282ead8 }
func uncook(crc uint32) uint32 { return bits.RotateLeft32(crc-0xa282ead8, -17) }

func checksum(b []byte) uint32 { return cook(crc32.Checksum(b, castagnoli)) }

// A logGap is a part [From, To) of a log that holds no chunk that reads.
type logGap struct {
	From, To int64
	Zero     bool // nothing but NULs
	Flip     bool // one changed bit, or a changed length, explains it: this is not how a write that was cut off looks
	After    int  // whole records that begin behind it
}

// A logScan is what scanLog has seen of a log.
type logScan struct {
	Gaps   []logGap
	End    int64 // where the last chunk that reads ends
	Synced int64 // the log promises that it was synced up to here
	Closed bool  // it has the trailer that says that it ended in good order
	Size   int64
}

// unsyncedMax is how many records a power cut can find in a log that were not synced. The store waits for each commit before it writes the next, but for a few that
// only tidy up. Pebble's own sync offsets come too low when a commit fills whole blocks.
const unsyncedMax = 4

// damage returns the first gap that is no cut-off write: something after it says that it was synced, or more records follow than can have been unsynced, or what is
// there is a chunk with a changed bit. strict says that the log must have been closed, since another was begun after it.
func (s *logScan) damage(manifest, strict bool) (gap logGap, found bool) {
	for _, g := range s.Gaps {
		if g.From < s.Synced || g.Flip || g.After > unsyncedMax || strict || manifest && g.To <= s.End && !g.Zero {
			return g, true
		}
	}
	if strict && !s.Closed {
		return logGap{From: s.End, To: s.Size}, true
	}
	return logGap{}, false
}

func (g logGap) String() string {
	switch {
	case g.From == g.To:
		return fmt.Sprintf("it ends at octet %d although it was closed later", g.From)
	case g.Zero:
		return fmt.Sprintf("octets %d to %d are NULs", g.From, g.To)
	}
	return fmt.Sprintf("octets %d to %d do not match their checksum", g.From, g.To)
}

// scanLog reads a log of the given number, 0 for a manifest, and calls record with the offset and octets of every record that reads, also of those behind a
// damaged part. The octets are valid until record returns. Whatever the log holds is no error: an error is record's or r's.
func scanLog(r io.Reader, num uint32, record func(off int64, rec []byte) error) (*logScan, error) {
	l := &logReader{num: num, record: record, open: -1}
	block := make([]byte, logBlock)
	for !l.scan.Closed {
		n, err := io.ReadFull(r, block)
		if n > 0 {
			if err := l.block(block[:n]); err != nil {
				return nil, err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	l.endGap(l.base)
	l.scan.Size = l.base
	l.trimGaps()
	return &l.scan, nil
}

// logReader is the state of scanLog.
type logReader struct {
	num    uint32
	record func(off int64, rec []byte) error
	scan   logScan
	base   int64  // offset of the block
	rec    []byte // the record so far
	open   int64  // where the record began whose next part is awaited; -1 = none
	gap    logGap
	inGap  bool
}

// block takes one block, in which chunks do not cross the end.
func (l *logReader) block(b []byte) error {
	for at := 0; at < len(b); {
		if l.trailer(b[at:]) {
			l.scan.Closed, l.scan.End = true, l.base+int64(at)
			l.endGap(l.base + int64(at))
			l.base += int64(at)
			return nil
		}
		size, part := l.chunk(b[at:])
		if size == 0 {
			at = l.resync(b, at)
			continue
		}
		l.endGap(l.base + int64(at))
		if err := l.take(b[at:at+size], part, l.base+int64(at)); err != nil {
			return err
		}
		at += size
		l.scan.End = l.base + int64(at)
	}
	l.base += int64(len(b))
	return nil
}

// header returns the length of the header of chunks of the kind, and what part of a record they are; 0 when this log has no such chunks.
func (l *logReader) header(kind byte) (size, part int) {
	if kind == 0 || kind > formats*partsPerFormat {
		return 0, 0
	}
	size = [formats]int{logHeaderPlain, logHeaderNum, logHeaderSync}[(kind-1)/partsPerFormat]
	if (size == logHeaderPlain) != (l.num == 0) {
		return 0, 0
	}
	return size, 1 + int(kind-1)%partsPerFormat
}

// chunk returns the length of the chunk that b begins with, header included, and its part; 0 when none that reads is there.
func (l *logReader) chunk(b []byte) (size, part int) {
	if len(b) < logHeaderPlain {
		return 0, 0
	}
	head, part := l.header(b[6])
	if head == 0 || len(b) < head {
		return 0, 0
	}
	size = head + int(binary.LittleEndian.Uint16(b[4:]))
	if size > len(b) || head > logHeaderPlain && binary.LittleEndian.Uint32(b[logHeaderPlain:]) != l.num {
		return 0, 0
	}
	if checksum(b[6:size]) != binary.LittleEndian.Uint32(b) {
		return 0, 0
	}
	return size, part
}

// trailer tells whether b begins with what Pebble puts at the end of a log that it closes: an empty chunk of the next log.
func (l *logReader) trailer(b []byte) bool {
	return l.num != 0 && len(b) >= logHeaderNum && binary.LittleEndian.Uint32(b) == 0 && binary.LittleEndian.Uint16(b[4:]) == 0 &&
		b[6] == partsPerFormat+partFull && binary.LittleEndian.Uint32(b[logHeaderPlain:]) == l.num+1
}

// take adds a chunk to the record that it belongs to, and hands the record over when that is whole.
func (l *logReader) take(b []byte, part int, off int64) error {
	head, _ := l.header(b[6])
	if head == logHeaderSync {
		l.scan.Synced = max(l.scan.Synced, int64(min(binary.LittleEndian.Uint64(b[logHeaderNum:]), 1<<62)))
	}
	if part == partFull || part == partFirst {
		l.rec, l.open = l.rec[:0], off
	}
	if l.open < 0 {
		return nil // the record's beginning is in a gap
	}
	l.rec = append(l.rec, b[head:]...)
	if part == partFull || part == partLast {
		from := l.open
		l.open = -1
		for i := range l.scan.Gaps {
			l.scan.Gaps[i].After++
		}
		return l.record(from, l.rec)
	}
	return nil
}

// resync looks for the next chunk behind at, where none that reads begins, and returns where it is, or the end of the block. What lies between is a gap, unless
// it is the NULs with which a writer fills a block whose rest is too short for a chunk.
func (l *logReader) resync(b []byte, at int) int {
	to := at + 1
	for ; to < len(b); to++ {
		if size, _ := l.chunk(b[to:]); size > 0 || l.trailer(b[to:]) {
			break
		}
	}
	zero := allZero(b[at:to])
	head := logHeaderSync
	if l.num == 0 {
		head = logHeaderPlain
	}
	if zero && to == len(b) && len(b) == logBlock && to-at < head {
		return to
	}
	if !l.inGap {
		l.inGap, l.gap = true, logGap{From: l.base + int64(at), Zero: true, Flip: l.flipped(b[at:])}
		l.open = -1
	}
	l.gap.Zero = l.gap.Zero && zero
	return to
}

// endGap ends the gap, if there is one, at to.
func (l *logReader) endGap(to int64) {
	if l.inGap {
		l.inGap, l.gap.To = false, to
		l.scan.Gaps = append(l.scan.Gaps, l.gap)
	}
}

// trimGaps takes back a sync offset that no chunk can know of: one beyond what the log holds.
func (l *logReader) trimGaps() { l.scan.Synced = min(l.scan.Synced, l.scan.End) }

// flipped tells whether one changed bit makes the difference between what b begins with and a record of this log. A write that the power cut off does not look so, nor
// does what an earlier use of the file left. Of records in several chunks it says no: among the many bits of large chunks one is found by chance too often.
func (l *logReader) flipped(b []byte) bool {
	head := logHeaderSync
	switch {
	case l.num == 0:
		head = logHeaderPlain
	case len(b) > 6 && (b[6]-1)/partsPerFormat == 1:
		head = logHeaderNum
	}
	if len(b) < head {
		return false
	}
	for _, right := range [][]byte{flippedBody(b, head), flippedLength(b, head)} {
		if size, part := l.chunk(right); size > 0 && part == partFull && l.decodes(right[head:]) {
			return true
		}
	}
	return false
}

// decodes tells whether a record is a batch, or an edit of a manifest.
func (l *logReader) decodes(rec []byte) bool {
	if l.num == 0 {
		return newManifestState().edit(rec)
	}
	return (&remains{}).addRecord(&origin{}, rec)
}

// flippedBody takes the length for right: a bit of the checksum or of what it covers has changed. It returns the chunk as it was, nil when this is not so.
func flippedBody(b []byte, head int) []byte {
	size := head + int(binary.LittleEndian.Uint16(b[4:]))
	if size > len(b) {
		return nil
	}
	right := append([]byte{}, b[:size]...)
	stored, crc := binary.LittleEndian.Uint32(b), crc32.Checksum(b[6:size], castagnoli)
	if bits.OnesCount32(cook(crc)^stored) == 1 {
		binary.LittleEndian.PutUint32(right, cook(crc))
		return right
	}
	// A checksum is linear: what a changed bit does to it depends on the bit's distance from the end alone.
	diff := uncook(stored) ^ crc
	var effects [8]uint32
	for bit := range effects {
		effects[bit] = castagnoli[1<<bit]
	}
	for at := size - 1; at >= 6; at-- {
		for bit, e := range effects {
			if e == diff {
				right[at] ^= 1 << bit
				return right
			}
			effects[bit] = castagnoli[byte(e)] ^ e>>8
		}
	}
	return nil
}

// flippedLength takes everything but the length for right: with one of its bits changed back, the checksum matches. It returns the chunk as it was, or nil.
func flippedLength(b []byte, head int) []byte {
	length := binary.LittleEndian.Uint16(b[4:])
	for bit := range 16 {
		size := head + int(length^1<<bit)
		if size <= len(b) && checksum(b[6:size]) == binary.LittleEndian.Uint32(b) {
			right := append([]byte{}, b[:size]...)
			binary.LittleEndian.PutUint16(right[4:], length^1<<bit)
			return right
		}
	}
	return nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
