package auth

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestGateAdmitsInOrderAndByWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{size: 10, free: 10}
		var in []string
		enter := func(name string, weight int) {
			go func() {
				if g.acquire(t.Context(), weight) == nil {
					in = append(in, name)
				}
			}()
			synctest.Wait()
		}
		want := func(sentence string, names ...string) {
			t.Helper()
			if synctest.Wait(); !slices.Equal(in, names) {
				t.Errorf("%s: inside are %q, want %q", sentence, in, names)
			}
		}
		enter("six", 6)
		enter("four", 4)
		want("both fit", "six", "four")
		enter("huge", 99)
		enter("one", 1)
		want("the light one does not overtake the heavy one", "six", "four")
		g.release(4)
		want("the heavy one needs all", "six", "four")
		g.release(6)
		want("what is more than all takes all", "six", "four", "huge")
		g.release(99)
		want("and gives all back", "six", "four", "huge", "one")
		g.release(1)
		if g.free != 10 || len(g.waiting) != 0 {
			t.Errorf("everything is given back, not %d of 10", g.free)
		}
	})
}

func TestGateLosesNothingWhenAWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{size: 10, free: 10}
		g.acquire(t.Context(), 6)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		light := make(chan error, 1)
		heavy := make(chan error, 1)
		go func() { heavy <- g.acquire(ctx, 8) }()
		synctest.Wait()
		go func() { light <- g.acquire(t.Context(), 2) }()
		if err := <-heavy; err != context.DeadlineExceeded {
			t.Errorf("the heavy one leaves when its time is over: %v", err)
		}
		if err := <-light; err != nil {
			t.Errorf("then the light one behind it is let in: %v", err)
		}
		// A waiter that is let in and leaves at the same moment gives back what it was given.
		w := &waiter{weight: 2, open: make(chan struct{})}
		g.waiting = append(g.waiting, w)
		g.release(2)
		g.leave(w)
		g.release(6)
		if g.free != 10 || len(g.waiting) != 0 {
			t.Errorf("everything is given back, not %d of 10", g.free)
		}
	})
}
