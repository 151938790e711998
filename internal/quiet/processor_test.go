package quiet

import (
	"runtime"
	"testing"
	"time"
)

func TestOneProcessorIsLeft(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for procs := 1; procs <= 4; procs++ {
		runtime.GOMAXPROCS(procs)
		held := 0
		for Hold() {
			held++
		}
		if held != procs-1 {
			t.Errorf("of %d processors all but one may be kept, not %d", procs, held)
		}
		for range held {
			Release()
		}
	}
}

func TestPace(t *testing.T) {
	now := time.Unix(1000, 0)
	come := func(p *Pace, n int, every time.Duration) {
		for range n {
			now = now.Add(every)
			p.Came(now)
		}
	}
	var p Pace
	if p.Brisk(now) {
		t.Error("a loop to which nothing has come holds no processor")
	}
	come(&p, 100, 5*time.Millisecond)
	if p.Brisk(now) {
		t.Error("200 packets a second are not worth a processor")
	}
	come(&p, 5, time.Millisecond)
	if p.Brisk(now) {
		t.Error("nor are the few packets of one exchange")
	}
	come(&p, runLeast, time.Millisecond)
	if !p.Brisk(now) {
		t.Error("a thousand a second are")
	}
	if p.Brisk(now.Add(HoldMost)) {
		t.Error("until nothing has come for a while")
	}
	come(&p, 1, 2*HoldMost)
	if p.Brisk(now) {
		t.Error("and then it begins anew")
	}
}

func BenchmarkHoldRelease(b *testing.B) {
	for b.Loop() {
		if Hold() {
			Release()
		}
	}
}
