package store

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// Tables that do not overlap are never merged. Queues and bodies are written in ascending order and removed from the front, so a table that holds entries
// of one queue, or bodies, and nothing else overlaps no other: it is written once and thrown away whole. Therefore tables end where the kind of key
// changes, and before and after the queues that get the most.

// A merging that begins elsewhere takes in whatever lies beside it up to the next table of the last level. Fences are empty entries there, so that it does not
// come to the queues; the clock is one for the bodies.
var fences = [...]byte{kindBefore, kindBehind}

const (
	// busyWindow is over how many octets of entries the queues are compared: about a memtable.
	busyWindow = memTableSize
	// busyPart is the part of the window that makes a queue busy. It bounds the number of tables that one memtable becomes.
	busyPart = 16
)

// busy knows which queues get the most at present.
type busy struct {
	nums atomic.Pointer[[]uint32] // ascending

	mu    sync.Mutex
	bytes map[uint32]int // in this window
	total int
}

// add counts n octets for the queue of session num.
func (b *busy) add(num uint32, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes == nil {
		b.bytes = map[uint32]int{}
	}
	b.bytes[num] += n
	b.total += n
	if b.total < busyWindow {
		return
	}
	var nums []uint32
	for num, n := range b.bytes {
		if n >= busyWindow/busyPart {
			nums = append(nums, num)
		}
	}
	slices.Sort(nums)
	b.nums.Store(&nums)
	clear(b.bytes)
	b.total = 0
}

// span tells Pebble where a table that begins at start has to end.
func (b *busy) span(start []byte) (policy pebble.SpanPolicy, end []byte, err error) {
	if len(start) == 0 {
		return policy, nil, nil
	}
	_, end = kindRange(start[0])
	nums := b.nums.Load()
	if start[0] != kindOwn || len(start) < numSize || nums == nil {
		return policy, end, nil
	}
	num := binary.BigEndian.Uint32(start[1:])
	i, found := slices.BinarySearch(*nums, num)
	switch {
	case found:
		_, end = numRange(kindOwn, num)
	case i < len(*nums):
		end, _ = numRange(kindOwn, (*nums)[i])
	}
	return policy, end, nil
}
