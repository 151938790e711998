package main

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestPaceSendsAllThatAreDue(t *testing.T) {
	for _, grain := range []time.Duration{0, 3 * time.Millisecond} {
		start := time.Now()
		p, n := newPace(start, 10, 100, grain), 0
		for p.wait(start.Add(30 * time.Millisecond)) {
			n++
		}
		// One is due each millisecond from 0 on. With a grain those of 28 and 29 ms would go at 30 ms, which is too late.
		want := 30
		if grain > 0 {
			want = 28
		}
		if n != want {
			t.Errorf("ten publishers of 100 msg/s send in 30 ms with grain %s: got %d, want %d", grain, n, want)
		}
	}
}

func TestNapLeavesLongSleepsToTheRuntime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		nap(time.Hour)
		if got := time.Since(start); got != time.Hour-napMax {
			t.Errorf("all but the last millisecond is the runtime's sleep: got %s", got)
		}
	})
}
