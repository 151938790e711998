package listener

import (
	"io"
	"time"

	"golang.org/x/sys/unix"

	"midge/broker/mqtt"
)

// sock is a connection in a loop.
type sock struct {
	*conn
	l  *loop
	fd int

	adopted bool // by the loop
	at      time.Time
	place   int       // in the heap, −1 when not in it
	until   time.Time // a pause ends; zero: none

	interest uint32 // guarded by wmu: what epoll is to tell
}

// readable reads once; epoll tells again when there is more, so that a flood from one client does not starve the others.
func (s *sock) readable(now time.Time) {
	ws := borrow(s.partial)
	n, err := unix.Read(s.fd, ws.free())
	if n > 0 {
		before := s.session
		if err = s.received(now, ws.filled(n)); err != nil {
			s.end(now, err)
			return
		}
		if before != s.session {
			s.l.set(s, s.due())
		}
		s.hold(now)
		return
	}
	ws.giveBack()
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err == nil:
		s.end(now, io.EOF)
	default:
		s.end(now, err)
	}
}

// end takes the connection out of the loop.
func (s *sock) end(now time.Time, err error) {
	s.farewell(err)
	s.wmu.Lock()
	s.broken = true
	unix.Close(s.fd) // epoll forgets it
	s.wmu.Unlock()
	delete(s.l.socks, int32(s.fd))
	s.l.set(s, time.Time{})
	s.leave(now, err)
}

// hold stops reading from a publisher whose subscribers have fallen behind.
func (s *sock) hold(now time.Time) {
	if s.busy == nil {
		return
	}
	s.until = now.Add(busyWait)
	s.want(unix.EPOLLIN, false)
	s.l.paused = append(s.l.paused, s)
}

// want changes what epoll is to tell about the socket. Any goroutine may call it.
func (s *sock) want(what uint32, on bool) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	interest := s.interest &^ what
	if on {
		interest |= what
	}
	if s.broken || interest == s.interest {
		return
	}
	s.interest = interest
	unix.EpollCtl(s.l.ep, unix.EPOLL_CTL_MOD, s.fd, &unix.EpollEvent{Events: interest, Fd: int32(s.fd)})
}

// inlineRounds is how often a goroutine that has other work pulls before it leaves the rest to the loop.
const inlineRounds = 4

func (s *sock) pump() {
	for {
		switch s.drain(inlineRounds) {
		case full:
			s.want(unix.EPOLLOUT, true) // the pump stays claimed until the socket takes more
			return
		case more:
			s.l.post(s)
			return
		}
		if s.release() {
			return
		}
	}
}

func (s *sock) write(b []byte) (rest []byte, err error) {
	for len(b) > 0 {
		n, err := unix.Write(s.fd, b)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return b, nil
		case err != nil:
			return nil, err
		default:
			b = b[n:]
		}
	}
	return nil, nil
}

func (s *sock) hurry() {}

// close makes the loop see an end of the stream; the loop alone closes the descriptor, or its number could mean another connection.
func (s *sock) close() { unix.Shutdown(s.fd, unix.SHUT_RDWR) }

var errTooLate = &mqtt.Error{Reason: mqtt.KeepAliveTimeout, Silent: true, Text: "CONNECT did not come in time"}
