package quiet

import (
	"runtime"
	"sync/atomic"
	"time"
)

// HoldMost is how long a loop holds its processor while it waits for more. What comes less often is not worth a processor.
const HoldMost = 2 * time.Millisecond

var held atomic.Int32

// Hold asks for a processor to hold. When it reports true, Release follows.
func Hold() bool {
	if int(held.Add(1)) < runtime.GOMAXPROCS(0) {
		return true
	}
	held.Add(-1)
	return false
}

// Release gives the processor back.
func Release() { held.Add(-1) }

// runLeast is how many times in a row something has to come within HoldMost.
const runLeast = 16

// Pace is how often something comes to a loop. The zero Pace is that of a loop to which nothing has come.
type Pace struct {
	last time.Time
	run  int // how often in a row something came within HoldMost
}

// Came takes note that something has come.
func (p *Pace) Came(now time.Time) {
	if p.run++; now.Sub(p.last) >= HoldMost {
		p.run = 0
	}
	p.last = now
}

// Brisk reports whether a processor is worth holding until the next comes.
func (p *Pace) Brisk(now time.Time) bool { return p.run >= runLeast && now.Sub(p.last) < HoldMost }
