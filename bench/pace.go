package main

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A pace spreads the sends of many slow publishers evenly: send k is due k intervals after the start, so that each
// arrives alone, as from devices that know nothing of each other. With a grain they wait for its next multiple and go in
// bunches, as from a gateway or a program whose timers are coarse.
type pace struct {
	start    time.Time
	interval time.Duration
	grain    time.Duration // 0 = none
	count    int64         // sends that have been waited for
}

// newPace makes the pace of n publishers that each send perSecond times a second.
func newPace(start time.Time, n int, perSecond int, grain time.Duration) *pace {
	return &pace{start: start, interval: time.Second / time.Duration(n*perSecond), grain: grain}
}

// wait sleeps until the next send is due and says whether that is before until.
func (p *pace) wait(until time.Time) bool {
	after := time.Duration(p.count) * p.interval
	if p.grain > 0 {
		after = (after + p.grain - 1) / p.grain * p.grain
	}
	due := p.start.Add(after)
	p.count++
	if !due.Before(until) {
		return false
	}
	nap(time.Until(due))
	return true
}

// napMax is the longest sleep in the kernel that the runtime does not know of.
const napMax = time.Millisecond

// nap sleeps d, the last napMax of it in the kernel: the runtime's timers wake to the millisecond when the process is
// idle, which would send in bunches. The call is raw, so that the runtime does not start another thread for each nap; a
// stop of the world then waits up to napMax.
func nap(d time.Duration) {
	if d > napMax {
		time.Sleep(d - napMax)
		d = napMax
	}
	if d > 0 {
		ts := unix.NsecToTimespec(d.Nanoseconds())
		unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
	}
}
