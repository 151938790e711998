package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// descriptors are sockets that the runtime's poller does not know, so that what arrives there wakes no goroutine. Their owner uses them without a lock between begin
// and done; whoever closes them meanwhile only shuts them down, so that no number is used again under the owner.
type descriptors struct {
	mu     sync.Mutex
	fds    []int
	inUse  bool
	closed bool
}

func (d *descriptors) add(fd int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fds = append(d.fds, fd)
}

func (d *descriptors) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inUse = true
}

func (d *descriptors) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inUse = false
	if d.closed {
		d.release()
	}
}

// close may be called at any time and more than once.
func (d *descriptors) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, fd := range d.fds {
		unix.Shutdown(fd, unix.SHUT_RDWR)
	}
	if !d.inUse {
		d.release()
	}
}

func (d *descriptors) release() {
	for _, fd := range d.fds {
		unix.Close(fd)
	}
	d.fds = nil
}

// detach takes the socket of s away from the runtime's poller and into d.
func (d *descriptors) detach(s *stream) (fd int, err error) {
	fd, err = duplicate(s.conn.(syscall.Conn))
	if err != nil {
		return -1, fmt.Errorf("take the socket from the runtime: %w", err)
	}
	s.conn.Close()
	s.ReadWriter = socket(fd)
	d.add(fd)
	return fd, nil
}

// duplicate returns a second, non-blocking descriptor of conn.
func duplicate(conn syscall.Conn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	var dupErr error
	err = raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	})
	return fd, errors.Join(err, dupErr)
}

// A socket is a non-blocking descriptor.
type socket int

// Read returns unix.EAGAIN when nothing has come.
func (s socket) Read(b []byte) (int, error) {
	n, err := unix.Read(int(s), b)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return max(n, 0), err
}

// Write writes all of b and waits for room, drainTime at a time.
func (s socket) Write(b []byte) (written int, err error) {
	for written < len(b) {
		n, err := unix.Write(int(s), b[written:])
		if errors.Is(err, unix.EAGAIN) {
			fds := []unix.PollFd{{Fd: int32(s), Events: unix.POLLOUT}}
			n, err = unix.Poll(fds, int(drainTime.Milliseconds()))
			if n == 0 && err == nil {
				return written, fmt.Errorf("the server has not read for %s", drainTime)
			}
			n = 0
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return written, err
		}
		written += max(n, 0)
	}
	return written, nil
}
