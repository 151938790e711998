package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// epollWait bounds one wait, so that deadlines are looked at.
const epollWait = 100 * time.Millisecond

// newEpoll makes an epoll descriptor whose events carry the index of the descriptor in fds.
func newEpoll(fds []int) (ep int, err error) {
	ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("make an epoll descriptor: %w", err)
	}
	for i, fd := range fds {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			unix.Close(ep)
			return -1, fmt.Errorf("watch a socket: %w", err)
		}
	}
	return ep, nil
}

// waitEpoll waits up to epollWait and returns the events, which stand at the front of buf.
func waitEpoll(ep int, buf []unix.EpollEvent) ([]unix.EpollEvent, error) {
	n, err := unix.EpollWait(ep, buf, int(epollWait.Milliseconds()))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return nil, fmt.Errorf("wait for sockets: %w", err)
	}
	return buf[:max(n, 0)], nil
}
