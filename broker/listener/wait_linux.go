package listener

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"midge/internal/quiet"
)

// wait returns how many events there are, none when it is time for something else.
func (l *loop) wait() int {
	now := time.Now()
	due := l.due(now)
	if l.pace.Brisk(now) {
		if quiet.Hold() {
			defer quiet.Release()
			return l.look(holdFor(now, due))
		}
		if n := l.look(0); n > 0 {
			return n
		}
	}
	if !due.Equal(l.until) {
		l.until = due
		l.poll.SetDeadline(due)
	}
	l.poll.Wait()
	return l.look(0)
}

// due is when the loop has something to do of itself; zero is never.
func (l *loop) due(now time.Time) time.Time {
	switch {
	case len(l.paused) > 0:
		return now.Add(pauseStep)
	case len(l.timers) > 0:
		return l.timers[0].at
	}
	return time.Time{}
}

// holdFor is how long to hold the processor.
func holdFor(now, due time.Time) time.Duration {
	if due.IsZero() {
		return quiet.HoldMost
	}
	return max(0, min(due.Sub(now), quiet.HoldMost))
}

// look returns how many events there are, after d at the latest.
func (l *loop) look(d time.Duration) int {
	milliseconds := (d + time.Millisecond - 1) / time.Millisecond // rounded up, so that it does not end just before its time
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.ep), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), uintptr(milliseconds), 0, 0)
	if errno != 0 {
		return 0 // a signal: the scheduler wants the processor
	}
	return int(n)
}
