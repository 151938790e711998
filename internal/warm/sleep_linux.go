package warm

import (
	"syscall"
	"time"
	"unsafe"
)

// Sleep sleeps for d, or less when the scheduler wants the processor meanwhile. It is time.Sleep for a loop that does so hundreds of times a second.
func Sleep(d time.Duration) {
	if !Enter() {
		time.Sleep(d)
		return
	}
	defer Leave()
	t := syscall.NsecToTimespec(int64(d))
	syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}
