// Package warm lets loops wait in the kernel without telling Go's scheduler, and bounds how many do.
//
// A packet that comes alone costs Go's poller three times what it costs the kernel: going from idle to busy and back, the runtime wakes a
// second thread and its monitor, which then looks about every 20 µs. So a loop to which much comes waits for the next packet
// by a raw system call, [Wait] at most. It keeps its processor (a P) while it does. The scheduler's signals end such a wait early, but only
// after 10 ms of need, so whoever waits warm asks first: at least one processor is always left for the rest of the program.
//
// Where little comes, waiting warm is what costs: as long as a processor is kept the monitor looks, some sixty times in 12 ms, and all that for one packet.
// A [Pace] knows when it is worth it.
package warm

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Wait is how long a loop keeps its processor while it waits for more. It is longer than any loop rests by
// [Sleep]: what one loop sends at the end of each rest must not find another asleep every time.
const Wait = 12 * time.Millisecond

var held atomic.Int32

// Enter asks for a processor to keep. When it reports true, Leave follows.
func Enter() bool {
	if int(held.Add(1)) < runtime.GOMAXPROCS(0) {
		return true
	}
	held.Add(-1)
	return false
}

// Leave gives the processor back.
func Leave() { held.Add(-1) }

// runLeast is how many times in a row something has to come within Wait.
const runLeast = 16

// Pace is how often something comes to a loop. The zero Pace is that of a loop to which nothing has come.
type Pace struct {
	last time.Time
	run  int // how often in a row something came within Wait
}

// Came takes note that something has come.
func (p *Pace) Came(now time.Time) {
	if p.run++; now.Sub(p.last) >= Wait {
		p.run = 0
	}
	p.last = now
}

// Warm reports whether the next is worth waiting for warm.
func (p *Pace) Warm(now time.Time) bool { return p.run >= runLeast && now.Sub(p.last) < Wait }
