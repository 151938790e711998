package udp

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"midge/internal/warm"
)

// warmSocket is a UDP socket outside of Go's poller: a reader to which many come waits for the next as package warm says.
type warmSocket struct {
	fd, bell int // bell is an eventfd: the reader is to look up
	local    net.Addr
	pace     warm.Pace // of reads; the reader's

	closed, late atomic.Bool
	reading      sync.Mutex   // held while a call reads
	using        sync.RWMutex // held for reading while a descriptor is used, for writing while they are closed
}

// newWarm takes the socket over from Go's poller. conn is closed if it can.
func newWarm(conn *net.UDPConn) (socket, error) {
	w := &warmSocket{local: conn.LocalAddr(), fd: -1}
	var err error
	control(conn, func(fd int) { w.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil {
		return nil, fmt.Errorf("duplicate a UDP socket: %w", err)
	}
	if w.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(w.fd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	conn.Close() // the duplicate lives on
	return w, nil
}

// SyscallConn returns w: it is its own syscall.RawConn.
func (w *warmSocket) SyscallConn() (syscall.RawConn, error) { return w, nil }

// LocalAddr is the address that the socket is bound to.
func (w *warmSocket) LocalAddr() net.Addr { return w.local }

// RemoteAddr is nil: the socket has no peer.
func (w *warmSocket) RemoteAddr() net.Addr { return nil }

// Control calls f with the descriptor.
func (w *warmSocket) Control(f func(fd uintptr)) error {
	w.using.RLock()
	defer w.using.RUnlock()
	if w.closed.Load() {
		return net.ErrClosed
	}
	f(uintptr(w.fd))
	return nil
}

// Write calls f once: nobody here waits to write.
func (w *warmSocket) Write(f func(fd uintptr) bool) error {
	return w.Control(func(fd uintptr) { f(fd) })
}

// Read waits until the socket has something and calls f, until f is content.
func (w *warmSocket) Read(f func(fd uintptr) bool) error {
	w.reading.Lock()
	defer w.reading.Unlock()
	for {
		switch {
		case w.closed.Load():
			return net.ErrClosed
		case w.late.Load():
			return os.ErrDeadlineExceeded
		}
		if f(uintptr(w.fd)) {
			w.pace.Came(time.Now())
			return nil
		}
		w.wait()
	}
}

// wait returns when the socket has something, for the bell, after a while, and when it was disturbed.
func (w *warmSocket) wait() {
	fds := [2]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}, {Fd: int32(w.bell), Events: unix.POLLIN}}
	if w.pace.Warm(time.Now()) && warm.Enter() {
		defer warm.Leave()
		limit := unix.NsecToTimespec(int64(warm.Wait))
		syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds)), uintptr(len(fds)), uintptr(unsafe.Pointer(&limit)), 0, 0, 0) // a signal means that the scheduler wants the processor
	} else {
		unix.Ppoll(fds[:], nil, nil)
	}
	if fds[1].Revents != 0 {
		var count [8]byte
		unix.Read(w.bell, count[:])
	}
}

// SetReadDeadline makes Read return os.ErrDeadlineExceeded until it is called with the zero time. Only what is past or never is needed here.
func (w *warmSocket) SetReadDeadline(t time.Time) error {
	w.late.Store(!t.IsZero())
	w.ring()
	return nil
}

func (w *warmSocket) ring() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	w.using.RLock()
	defer w.using.RUnlock()
	if w.fd >= 0 {
		unix.Write(w.bell, one[:])
	}
}

// Close makes Read return, waits for it and closes the socket.
func (w *warmSocket) Close() error {
	if w.closed.Swap(true) {
		return net.ErrClosed
	}
	w.ring()
	w.reading.Lock()
	defer w.reading.Unlock()
	w.using.Lock()
	defer w.using.Unlock()
	unix.Close(w.bell)
	err := unix.Close(w.fd)
	w.fd = -1
	return err
}
