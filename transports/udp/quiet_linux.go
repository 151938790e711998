package udp

import (
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"midge/internal/quiet"
)

// quietSocket is a UDP socket that one link alone uses: its reader waits as package quiet says.
type quietSocket struct {
	fd    int
	local net.Addr
	poll  *quiet.Poll
	pace  quiet.Pace // of reads; the reader's

	closed, late atomic.Bool
	reading      sync.Mutex   // held while a call reads
	using        sync.RWMutex // held for reading while the descriptor is used, for writing while it is closed
}

// newQuiet takes the socket over from Go's poller. conn is closed if it can.
func newQuiet(conn *net.UDPConn) (socket, error) {
	q := &quietSocket{local: conn.LocalAddr(), fd: -1}
	var err error
	control(conn, func(fd int) { q.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil {
		return nil, fmt.Errorf("duplicate a UDP socket: %w", err)
	}
	if q.poll, err = quiet.NewPoll(q.fd); err != nil {
		unix.Close(q.fd)
		return nil, err
	}
	conn.Close() // the duplicate lives on
	return q, nil
}

// SyscallConn returns q: it is its own syscall.RawConn.
func (q *quietSocket) SyscallConn() (syscall.RawConn, error) { return q, nil }

// LocalAddr is the address that the socket is bound to.
func (q *quietSocket) LocalAddr() net.Addr { return q.local }

// RemoteAddr is nil: the socket has no peer.
func (q *quietSocket) RemoteAddr() net.Addr { return nil }

// Control calls f with the descriptor.
func (q *quietSocket) Control(f func(fd uintptr)) error {
	q.using.RLock()
	defer q.using.RUnlock()
	if q.closed.Load() {
		return net.ErrClosed
	}
	f(uintptr(q.fd))
	return nil
}

// Write calls f once: nobody here waits to write.
func (q *quietSocket) Write(f func(fd uintptr) bool) error {
	return q.Control(func(fd uintptr) { f(fd) })
}

// Read waits until the socket has something and calls f, until f is content.
func (q *quietSocket) Read(f func(fd uintptr) bool) error {
	q.reading.Lock()
	defer q.reading.Unlock()
	for {
		switch {
		case q.closed.Load():
			return net.ErrClosed
		case q.late.Load():
			return os.ErrDeadlineExceeded
		}
		if f(uintptr(q.fd)) {
			q.pace.Came(time.Now())
			return nil
		}
		q.wait()
	}
}

// wait returns when the socket has something or Read has to look up, after a while, and when it was disturbed.
func (q *quietSocket) wait() {
	if !q.pace.Brisk(time.Now()) || !quiet.Hold() {
		q.poll.Wait()
		return
	}
	defer quiet.Release()
	fds := [1]unix.PollFd{{Fd: int32(q.fd), Events: unix.POLLIN}}
	limit := unix.NsecToTimespec(int64(quiet.HoldMost))
	syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds)), uintptr(len(fds)), uintptr(unsafe.Pointer(&limit)), 0, 0, 0) // a signal means that the scheduler wants the processor
}

// SetReadDeadline makes Read return os.ErrDeadlineExceeded until it is called with the zero time. Only what is past or never is needed here.
func (q *quietSocket) SetReadDeadline(t time.Time) error {
	q.late.Store(!t.IsZero())
	q.poll.SetDeadline(t)
	return nil
}

// Close makes Read return, waits for it and closes the socket.
func (q *quietSocket) Close() error {
	if q.closed.Swap(true) {
		return net.ErrClosed
	}
	q.poll.Close()
	q.reading.Lock()
	defer q.reading.Unlock()
	q.using.Lock()
	defer q.using.Unlock()
	return unix.Close(q.fd)
}
