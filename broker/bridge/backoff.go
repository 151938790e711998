package bridge

import (
	"math/rand/v2"
	"time"
)

// backoff is decorrelated jitter: each wait is drawn between the base and three times the one before, so a fleet that lost its
// upstream at once does not come back at once (mosquitto#1035).
type backoff struct {
	rand *rand.Rand
	base time.Duration
	top  time.Duration
	last time.Duration // 0: the next wait is the first
}

func (b *backoff) next() time.Duration {
	top := min(3*max(b.last, b.base), b.top)
	b.last = b.base + time.Duration(b.rand.Int64N(int64(top-b.base)+1))
	return b.last
}

func (b *backoff) reset() { b.last = 0 }
