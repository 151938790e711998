package store

import (
	"encoding/binary"
	"slices"
)

// The kinds of key. A kind is the first octet of the key; doc.go tells what follows it.
const (
	kindBody     = 'b'
	kindClock    = 'c'
	kindShared   = 'e'
	kindFilter   = 'f'
	kindHigh     = 'h'
	kindInbound  = 'i'
	kindReceived = 'm'
	kindNote     = 'n'
	kindBefore   = 'p'
	kindOwn      = 'q'
	kindBehind   = 'r'
	kindSession  = 's'
	kindRetained = 't'
	kindVersion  = 'v'
)

// The single keys.
var (
	keyVersion  = []byte{kindVersion}
	keyClock    = []byte{kindClock}
	keyHighNum  = []byte{kindHigh, kindSession}
	keyHighBody = []byte{kindHigh, kindBody}
)

// sessionKinds are the kinds of key that hold what belongs to one session: kind, session number (4 octets), rest.
var sessionKinds = [...]byte{kindShared, kindFilter, kindInbound, kindNote, kindOwn, kindReceived}

// numSize is the length of kind and session number, with which every key of a session begins.
const numSize = 1 + 4

// appendNum begins the key of something of session num. It is also the lower end of all such keys, and of num+1 the upper.
func appendNum(b []byte, kind byte, num uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, kind), num)
}

// appendSeq is the key of a place in the queue of session num: 13 octets.
func appendSeq(b []byte, kind byte, num uint32, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(appendNum(b, kind, num), seq)
}

func appendInbound(b []byte, num uint32, id uint16) []byte {
	return binary.BigEndian.AppendUint16(appendNum(b, kindInbound, num), id)
}

func appendBody(b []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, kindBody), number)
}

// after appends the first key that is greater than every key beginning with the kind and number that stand in b. b holds nothing else.
func after(b []byte) []byte {
	for i := len(b) - 1; ; i-- {
		b[i]++
		if b[i] != 0 {
			return b[:i+1]
		}
	}
}

// numRange is the range of the keys of one kind of one session.
func numRange(kind byte, num uint32) (lower, upper []byte) {
	lower = appendNum(make([]byte, 0, numSize), kind, num)
	return lower, after(slices.Clone(lower))
}

// kindRange is the range of all keys of one kind.
func kindRange(kind byte) (lower, upper []byte) { return []byte{kind}, []byte{kind + 1} }

// cutNum takes the session number off a key of a session.
func cutNum(key []byte) (num uint32, rest []byte, err error) {
	if len(key) < numSize {
		return 0, nil, errShort
	}
	return binary.BigEndian.Uint32(key[1:]), key[numSize:], nil
}

// cutSeq takes apart a key that appendSeq made.
func cutSeq(key []byte) (num uint32, seq uint64, err error) {
	num, rest, err := cutNum(key)
	if err != nil || len(rest) != 8 {
		return 0, 0, errLength
	}
	return num, binary.BigEndian.Uint64(rest), nil
}

// cutInbound takes apart a key that appendInbound made.
func cutInbound(key []byte) (num uint32, id uint16, err error) {
	num, rest, err := cutNum(key)
	if err != nil || len(rest) != 2 {
		return 0, 0, errLength
	}
	return num, binary.BigEndian.Uint16(rest), nil
}

// cutBody takes apart a key that appendBody made.
func cutBody(key []byte) (number uint64, err error) {
	if len(key) != 1+8 {
		return 0, errLength
	}
	return binary.BigEndian.Uint64(key[1:]), nil
}
