package node

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestThrift(t *testing.T) {
	const mb = 1 << 20
	var th thrift
	for _, row := range []struct {
		sentence string
		m        memory
		want     bool
	}{
		{"at the start all is new, and much of it", memory{allocated: 40 * mb, live: 20 * mb, held: 40 * mb}, false},
		{"a busy process keeps its memory", memory{allocated: 90 * mb, live: 20 * mb, held: 40 * mb}, false},
		{"one that has come to rest gives it back", memory{allocated: 90*mb + 5000, live: 20 * mb, held: 40 * mb}, true},
		{"a little is not worth it", memory{allocated: 90*mb + 9000, live: 20 * mb, held: 27 * mb}, false},
		{"with many sessions an eighth is a little", memory{allocated: 90*mb + 9000, live: 160 * mb, held: 179 * mb}, false},
		{"and more is not", memory{allocated: 90*mb + 9000, live: 160 * mb, held: 181 * mb}, true},
	} {
		if got := th.due(row.m); got != row.want {
			t.Errorf("%s: got %v, want %v", row.sentence, got, row.want)
		}
	}
	th.floor = 200 * mb
	if th.due(memory{allocated: 91 * mb, live: 100 * mb, held: 205 * mb}) {
		t.Error("what could not be given back the last time is not tried for again and again")
	}
}

// TestReadMemory: the runtime's own names for its figures hold.
func TestReadMemory(t *testing.T) {
	b := make([]byte, 64<<20)
	clear(b)
	full := readMemory()
	runtime.KeepAlive(b)
	b = nil
	debug.FreeOSMemory()
	if after := readMemory(); full.held-after.held < 32<<20 || after.allocated < 64<<20 || after.live == 0 {
		t.Errorf("64 MB are held and then given back: %+v, then %+v", full, after)
	}
}
