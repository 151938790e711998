package quiet

import (
	"syscall"
	"unsafe"
)

// Read is read(2) on a descriptor that does not block. b has room.
func Read(fd int, b []byte) (int, error) {
	return transfer(syscall.SYS_READ, fd, b)
}

// Write is write(2) on a descriptor that does not block. b is not empty.
func Write(fd int, b []byte) (int, error) {
	return transfer(syscall.SYS_WRITE, fd, b)
}

func transfer(call uintptr, fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
