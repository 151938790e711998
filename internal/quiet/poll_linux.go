package quiet

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Poll waits for one descriptor in Go's poller, as package net does, but the poller knows of the descriptor only while somebody waits: what
// comes to a loop that is awake must not wake a thread of the poller too.
type Poll struct {
	fd       int
	file     *os.File // an epoll, which Go's poller watches; it has fd while somebody waits
	raw      syscall.RawConn
	watching bool
	err      error // why fd cannot be watched

	look func(ep uintptr) (enough bool) // look and drop are bound once: a method value made per call would be an allocation
	drop func(ep uintptr)
}

// lookAgain is how long Wait takes where the descriptor cannot be watched.
const lookAgain = 10 * time.Millisecond

// NewPoll returns a Poll for fd, which stays the caller's.
func NewPoll(fd int) (*Poll, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	unix.SetNonblock(ep, true) // os.NewFile then gives it to Go's poller
	p := &Poll{fd: fd, file: os.NewFile(uintptr(ep), "epoll")}
	p.look = p.watch
	p.drop = func(ep uintptr) { unix.EpollCtl(int(ep), unix.EPOLL_CTL_DEL, p.fd, nil) }
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails where Go's poller does not watch it
	}
	if err != nil {
		p.file.Close()
		return nil, fmt.Errorf("wait for a descriptor: %w", err)
	}
	return p, nil
}

// Wait returns when the descriptor has something to read, when the deadline has passed and when p is closed. One goroutine waits at a time.
// Where the kernel has no room to watch another descriptor it returns after a while.
func (p *Poll) Wait() {
	p.watching, p.err = false, nil
	p.raw.Read(p.look)
	p.raw.Control(p.drop)
	if p.err != nil {
		time.Sleep(lookAgain)
	}
}

// watch is called before Go's poller waits and when it has seen something: what comes between is not missed.
func (p *Poll) watch(ep uintptr) (enough bool) {
	if p.watching {
		return true
	}
	p.watching = true
	p.err = unix.EpollCtl(int(ep), unix.EPOLL_CTL_ADD, p.fd, &unix.EpollEvent{Events: unix.EPOLLIN})
	return p.err != nil
}

// SetDeadline makes Wait return at t, one that has begun too; the zero time is never. Any goroutine may call it.
func (p *Poll) SetDeadline(t time.Time) { p.file.SetReadDeadline(t) }

// Close makes Wait return, now and from now on. Any goroutine may call it.
func (p *Poll) Close() { p.file.Close() }
