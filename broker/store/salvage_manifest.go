package store

import (
	"encoding/binary"
	"io"
	"maps"
)

// A manifest is a log of version edits: which tables there are, and from which log on logs are not in tables yet. These are the tags of an edit's fields that
// this program's Pebble writes (those of virtual tables, blob files and range keys, which it does not make, end the reading).
const (
	tagComparer   = 1
	tagLogNumber  = 2
	tagNextFile   = 3
	tagLastSeq    = 4
	tagDeleted    = 6
	tagNewFile4   = 103
	fieldEnd      = 1
	fieldUnsafe   = 1 << 6 // fields from here on must not be skipped
	manifestLevel = 7
)

// A manifestState is the state of a store as its manifest tells it, as far as that reads.
type manifestState struct {
	Live   map[uint64]uint64 // number of a table → its size in octets
	Dead   map[uint64]bool   // tables that were replaced
	MinLog uint64            // logs from here on are not in tables
	Next   uint64            // no file had a number from here on when the last edit was written
	MaxSeq uint64            // the highest sequence number in any table
	Whole  bool              // all of it read
	log    *logScan
}

func newManifestState() *manifestState {
	return &manifestState{Live: map[uint64]uint64{}, Dead: map[uint64]bool{}, Whole: true}
}

// readManifest reads a manifest. Whatever it holds is no error: an error is r's.
func readManifest(r io.Reader) (*manifestState, error) {
	m := newManifestState()
	scan, err := scanLog(r, 0, func(_ int64, rec []byte) error {
		if !m.edit(rec) {
			m.Whole = false
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.log = scan
	if _, bad := scan.damage(true, false); bad {
		m.Whole = false
	}
	return m, nil
}

// edit applies one edit, all of it or nothing.
func (m *manifestState) edit(rec []byte) bool {
	next := *m
	next.Live, next.Dead = maps.Clone(m.Live), maps.Clone(m.Dead)
	f := &editReader{b: rec}
	for len(f.b) > 0 && !f.bad {
		next.field(f)
	}
	if f.bad {
		return false
	}
	*m = next
	return true
}

func (m *manifestState) field(f *editReader) {
	switch f.uvarint() {
	case tagComparer:
		f.octets()
	case tagLogNumber:
		m.MinLog = f.uvarint()
	case tagNextFile:
		m.Next = f.uvarint()
	case tagLastSeq:
		f.uvarint()
	case tagDeleted:
		f.uvarint() // level
		number := f.uvarint()
		delete(m.Live, number)
		m.Dead[number] = true
	case tagNewFile4:
		number, size, maxSeq := f.newFile()
		m.Live[number], m.MaxSeq = size, max(m.MaxSeq, maxSeq)
		delete(m.Dead, number) // a table that was moved to another level
	default:
		f.bad = true
	}
}

// An editReader takes an edit apart. It never panics; bad tells of the first fault.
type editReader struct {
	b   []byte
	bad bool
}

func (f *editReader) uvarint() uint64 {
	x, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.bad, f.b = true, nil
		return 0
	}
	f.b = f.b[n:]
	return x
}

// octets passes over a length and as many octets.
func (f *editReader) octets() {
	n := f.uvarint()
	if n > uint64(len(f.b)) {
		f.bad, f.b = true, nil
		return
	}
	f.b = f.b[n:]
}

func (f *editReader) newFile() (number, size, maxSeq uint64) {
	if f.uvarint() >= manifestLevel {
		f.bad = true
	}
	number, size = f.uvarint(), f.uvarint()
	f.octets()  // smallest key
	f.octets()  // largest key
	f.uvarint() // smallest sequence number
	maxSeq = f.uvarint()
	for !f.bad {
		switch tag := f.uvarint(); {
		case tag == fieldEnd:
			return number, size, maxSeq
		case tag&fieldUnsafe != 0:
			f.bad = true
		default:
			f.octets()
		}
	}
	return number, size, maxSeq
}
