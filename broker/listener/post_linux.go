package listener

import (
	"encoding/binary"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"midge/internal/quiet"
)

// errand is what another goroutine wants of a loop.
type errand uint8

const (
	toAdopt  errand = iota // a new connection
	toPump                 // more waits than the goroutine that has the pump had time for; the pump comes with it
	toEnd                  // nothing more is written to it
	toResume               // its verdict has come
)

// note is a piece of a loop's mail.
type note struct {
	s    *sock
	what errand
}

// take moves a connection out of Go's poller. It returns what hands it to the loop, or nil: then it cannot be moved and is as it was.
func (l *loop) take(c *conn, nc net.Conn) (start func()) {
	sc, ok := nc.(syscall.Conn)
	if l == nil || !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	s := &sock{conn: c, l: l, fd: -1, place: -1}
	raw.Control(func(fd uintptr) { s.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil || s.fd < 0 {
		return nil
	}
	nc.Close() // the duplicate lives on
	c.wire, c.wakes = s, &l.wakes
	return func() { l.post(s, toAdopt) }
}

// post hands a sock to the loop. Any goroutine may call it, with the sock's wmu held or not.
func (l *loop) post(s *sock, what errand) {
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.posted = append(l.posted, note{s, what})
		if len(l.posted) == 1 { // or the bell has rung already
			l.ring()
		}
	}
	l.mu.Unlock()
	if closed && what == toAdopt {
		s.discard() // the server's end overtook it
	}
}

func (l *loop) ring() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	quiet.Write(l.bell, one[:])
}

// answer does what was posted. The bell is silenced first: what is posted from now on rings it again.
func (l *loop) answer(now time.Time) {
	var count [8]byte
	quiet.Read(l.bell, count[:])
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, n := range posted {
		switch s := n.s; {
		case n.what == toAdopt:
			l.adopt(now, s)
		case l.socks[int32(s.fd)] != s || s.lingers:
			// It ended before its turn.
		case n.what == toPump:
			s.pump()
		case n.what == toResume:
			s.resume(now)
		case n.what == toEnd:
			s.end(now, errCut)
		}
	}
}

func (l *loop) adopt(now time.Time, s *sock) {
	l.socks[int32(s.fd)] = s
	s.wmu.Lock()
	s.interest = unix.EPOLLIN
	s.wmu.Unlock()
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.fd)}); err != nil {
		s.lost(now, fmt.Errorf("epoll: %w", err))
		return
	}
	l.set(s, s.due())
}
