package listener

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"midge/internal/warm"
)

// wait returns how many events there are, none when it is time for something else.
func (l *loop) wait() int {
	now := time.Now()
	limit := time.Duration(-1)
	if len(l.timers) > 0 {
		limit = max(0, l.timers[0].at.Sub(now))
	}
	if len(l.paused) > 0 {
		limit = pauseStep
	}
	if l.pace.Warm(now) && warm.Enter() {
		defer warm.Leave()
		return l.waitWarm(limit)
	}
	n, err := unix.EpollWait(l.ep, l.events[:], int(int32(milliseconds(limit))))
	if err != nil {
		return 0
	}
	return n
}

// waitWarm waits without telling the scheduler.
func (l *loop) waitWarm(limit time.Duration) int {
	if limit < 0 || limit > warm.Wait {
		limit = warm.Wait
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.ep), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), milliseconds(limit), 0, 0)
	if errno != 0 {
		return 0 // a signal: the scheduler wants the processor
	}
	return int(n)
}

// milliseconds rounds up, so that a wait does not end just before its time; negative is without end.
func milliseconds(d time.Duration) uintptr {
	if d < 0 {
		return ^uintptr(0)
	}
	return uintptr(min((d+time.Millisecond-1)/time.Millisecond, 1<<30))
}
