package listener

import (
	"encoding/binary"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"midge/broker/mqtt"
)

// take moves a connection out of Go's poller into the loop. It reports whether it could; otherwise the connection is as it was.
func (l *loop) take(c *conn, nc net.Conn) bool {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	s := &sock{conn: c, l: l, fd: -1, place: -1}
	raw.Control(func(fd uintptr) { s.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil || s.fd < 0 {
		return false
	}
	nc.Close() // the duplicate lives on
	c.wire, c.wakes = s, &l.wakes
	l.post(s)
	return true
}

// post hands a sock to the loop: to adopt it or to pump on.
func (l *loop) post(s *sock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posted = append(l.posted, s)
	if !l.closed {
		l.ring()
	}
}

func (l *loop) ring() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(l.bell, one[:])
}

// answer takes what was posted.
func (l *loop) answer(now time.Time) {
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, s := range posted {
		switch {
		case !s.adopted:
			l.adopt(now, s)
		case l.socks[int32(s.fd)] == s:
			s.pump()
		}
	}
}

func (l *loop) adopt(now time.Time, s *sock) {
	s.adopted = true
	l.socks[int32(s.fd)] = s
	s.interest = unix.EPOLLIN
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: s.interest, Fd: int32(s.fd)}); err != nil {
		s.end(now, fmt.Errorf("epoll: %w", err))
		return
	}
	l.set(s, s.due())
	if l.ctx.Err() != nil { // disconnectAll may have come before it was there
		s.disconnect(mqtt.ServerShuttingDown)
	}
}
