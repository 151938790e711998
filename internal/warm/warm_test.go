package warm

import (
	"runtime"
	"testing"
)

func TestOneProcessorIsLeft(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for procs := 1; procs <= 4; procs++ {
		runtime.GOMAXPROCS(procs)
		held := 0
		for Enter() {
			held++
		}
		if held != procs-1 {
			t.Errorf("of %d processors all but one may be kept, not %d", procs, held)
		}
		for range held {
			Leave()
		}
	}
}

func BenchmarkEnterLeave(b *testing.B) {
	for b.Loop() {
		if Enter() {
			Leave()
		}
	}
}
