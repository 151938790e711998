package quiet

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Timer sleeps for one goroutine. The zero Timer is ready. Close frees it.
//
// A sleep by package time makes the goroutine ready from within the scheduler, which wakes another thread each time; a timerfd is one more descriptor of Go's
// poller.
type Timer struct {
	file *os.File // a timerfd; nil: none yet
	raw  syscall.RawConn
	set  bool
	spec unix.ItimerSpec
	look func(fd uintptr) (enough bool) // bound once: a method value made per call would be an allocation
}

// Sleep sleeps for d.
func (t *Timer) Sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	if t.file == nil && !t.open() {
		time.Sleep(d)
		return
	}
	t.set, t.spec.Value = false, unix.NsecToTimespec(int64(d))
	t.raw.Read(t.look)
}

func (t *Timer) open() bool {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return false
	}
	file := os.NewFile(uintptr(fd), "timer")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return false
	}
	t.file, t.raw, t.look = file, raw, t.start
	return true
}

// start is called before Go's poller waits and when the time is over. To set a timer anew is to forget that it has fired.
func (t *Timer) start(fd uintptr) (enough bool) {
	if t.set {
		return true
	}
	t.set = true
	_, _, errno := syscall.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&t.spec)), 0, 0, 0)
	return errno != 0
}

// Close frees the timer.
func (t *Timer) Close() {
	if t.file != nil {
		t.file.Close()
	}
}
