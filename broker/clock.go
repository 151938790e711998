package broker

import (
	"time"

	"midge/broker/store"
)

// clock tells the store's time in nanoseconds, in which deadlines outlive a restart. It never goes backward, runs as monotonic time does while the
// process lives, and gets credit for the time that the box was off only from a wall clock that has not been caught lying: a box without a real-time
// clock boots in the past, and is put right by the network later.
type clock struct {
	start  time.Time
	base   int64 // the store's time at start
	anchor store.Clock
}

// plausible is when Midge was written: a wall clock before it is wrong.
var plausible = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// newClock goes on from what was saved last.
func newClock(now time.Time, saved store.Clock) clock {
	c := clock{start: now, base: max(1, saved.Now), anchor: saved}
	if off := now.UnixNano() - saved.AnchorWall; saved.AnchorWall != 0 && off > 0 {
		c.base = max(c.base, saved.AnchorNow+off)
	}
	return c
}

// record is what to save at now.
func (c *clock) record(now time.Time) store.Clock {
	c.anchor.Now = c.store(now)
	if wall := now.UnixNano(); wall >= max(plausible, c.anchor.AnchorWall) {
		c.anchor.AnchorNow, c.anchor.AnchorWall = c.anchor.Now, wall
	}
	return c.anchor
}

// store is t in the store's time; 0 for the zero time, which means never.
func (c *clock) store(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(1, c.base+int64(t.Sub(c.start)))
}

// time is the reverse of store.
func (c *clock) time(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return c.start.Add(time.Duration(n - c.base))
}
