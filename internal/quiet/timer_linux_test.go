package quiet

import (
	"testing"
	"time"
)

func TestTimer(t *testing.T) {
	var timer Timer
	defer timer.Close()
	for _, d := range []time.Duration{3 * time.Millisecond, time.Millisecond, time.Microsecond} {
		began := time.Now()
		timer.Sleep(d)
		if slept := time.Since(began); slept < d {
			t.Errorf("each sleep takes its time, however the last one ended: got %v of %v", slept, d)
		}
	}
	timer.Sleep(0)
	timer.Sleep(-time.Second)
	if n := testing.AllocsPerRun(10, func() { timer.Sleep(time.Microsecond) }); n != 0 {
		t.Errorf("a sleep allocates nothing, not %v times", n)
	}
}

func BenchmarkSleep(b *testing.B) {
	var timer Timer
	defer timer.Close()
	for b.Loop() {
		timer.Sleep(time.Microsecond)
	}
}
