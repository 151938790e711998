package node

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A burst, such as a fleet that connects after a power cut, leaves twice the memory behind that its sessions need. The runtime keeps the rest until the heap has
// doubled once more, which on a quiet box may be never; other programs of the box could use it.
const (
	memoryLook  = 10 * time.Second
	memoryQuiet = 1 << 20 // octets allocated between two looks by a process with little to do
	memorySpare = 8 << 20 // octets that are worth a collection, or an eighth of what lives if that is more
)

// memory is what the heap is seen to be.
type memory struct {
	allocated uint64 // since the start, in all
	live      uint64 // at the last collection
	held      uint64 // by the process, used or not
}

// thrift decides when memory is to be given back to the system.
type thrift struct {
	last  memory
	floor uint64 // held when memory had been given back last
}

// due reports whether the process has come to rest and holds much more than when it gave back last, and than what lives.
func (t *thrift) due(m memory) bool {
	quiet := m.allocated-t.last.allocated <= memoryQuiet
	t.last = m
	return quiet && m.held > max(t.floor, m.live)+max(memorySpare, m.live/8)
}

// saveMemory gives memory back until ctx ends.
func saveMemory(ctx context.Context) error {
	var t thrift
	ticker := time.NewTicker(memoryLook)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if t.due(readMemory()) {
			debug.FreeOSMemory()
			t.last = readMemory()
			t.floor = t.last.held
		}
	}
}

func readMemory() memory {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	v := func(i int) uint64 { return s[i].Value.Uint64() }
	return memory{allocated: v(0), live: v(1), held: v(2) + v(3) + v(4)}
}
