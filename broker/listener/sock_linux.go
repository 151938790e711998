package listener

import (
	"io"
	"time"

	"golang.org/x/sys/unix"

	"midge/internal/quiet"
)

// sock is a connection in a loop. What is not said to be guarded is the loop's.
type sock struct {
	*conn
	l  *loop
	fd int

	at      time.Time // when its timer fires
	place   int       // in the heap, −1 when not in it
	until   time.Time // when its pause ends; zero: none
	lingers bool      // nothing more is written, and what comes is not looked at

	// Guarded by wmu.
	interest uint32 // what epoll is to tell
	hushed   uint8  // why it is not read from
	room     bool   // the pump waits for it
	ending   bool   // the loop is about to let it linger
	closed   bool   // the descriptor may mean another connection
}

// Reasons not to read.
const (
	behindSubscribers uint8 = 1 << iota // its subscribers have fallen behind: see hold
	behindAnswers                       // it does not take its answers: see answersMax
	behindVerdict                       // it is being decided whether it may come in
)

// readable reads once; epoll tells again when there is more, so that a flood from one client does not starve the others.
func (s *sock) readable(now time.Time) {
	ws := borrow(&s.partial)
	n, err := quiet.Read(s.fd, ws.free())
	switch {
	case n > 0 && s.lingers:
		ws.giveBack()
	case n > 0:
		s.received(now, ws.filled(n))
	case err == unix.EAGAIN || err == unix.EINTR:
		s.keepPartial(ws, ws.buf)
		ws.giveBack()
	default:
		ws.giveBack()
		if err == nil {
			err = io.EOF
		}
		s.lost(now, err)
	}
}

func (s *sock) received(now time.Time, ws *workspace) {
	before := s.session
	if err := s.conn.received(now, ws); err != nil {
		s.end(now, err)
		return
	}
	if before != s.session {
		s.l.set(s, s.due())
	}
	if s.busy != nil {
		s.l.hold(now, s)
	}
	if s.unanswered.Load() > answersMax {
		s.hush(behindAnswers, true)
		if s.unanswered.Load() == 0 { // the pump came through meanwhile and found nothing to undo
			s.hush(behindAnswers, false)
		}
	}
}

// hear reads from a connection that seems silent, unless that is because it is not to be read from.
func (s *sock) hear(now time.Time) {
	s.wmu.Lock()
	hushed := s.hushed != 0
	s.wmu.Unlock()
	if !hushed {
		s.readable(now)
	}
}

// end is the server's end of the connection. It lingers: closing a socket that has unread input resets the connection, and a reset may
// overtake the last words.
func (s *sock) end(now time.Time, err error) {
	s.wmu.Lock()
	s.ending = true
	s.wmu.Unlock()
	s.farewell(err)
	s.leave(now, err)
	s.partial, s.attempt = nil, nil
	s.lingers = true
	s.wmu.Lock()
	s.hushed, s.room = 0, false
	s.rearm()
	s.wmu.Unlock()
	s.l.set(s, now.Add(lingerWait))
}

// lost is the client's end of the connection.
func (s *sock) lost(now time.Time, err error) {
	if !s.lingers {
		s.leave(now, err)
	}
	s.drop()
}

// drop takes the connection out of the loop.
func (s *sock) drop() {
	delete(s.l.socks, int32(s.fd))
	s.l.set(s, time.Time{})
	s.discard()
}

// discard closes the descriptor. Epoll then forgets it.
func (s *sock) discard() {
	s.wmu.Lock()
	s.broken, s.closed = true, true
	unix.Close(s.fd)
	s.wmu.Unlock()
	s.server.remove(s.conn)
}

// hush gives a reason not to read, or takes it back.
func (s *sock) hush(why uint8, on bool) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.hushed &^= why; on && !s.lingers {
		s.hushed |= why
	}
	s.rearm()
}

// heed reads again from a client that has taken its answers. The caller holds wmu.
func (s *sock) heed() {
	s.hushed &^= behindAnswers
	s.rearm()
}

// waitForRoom makes the loop call the pump when the socket takes more. The pump stays claimed until then.
func (s *sock) waitForRoom(on bool) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	s.room = on && !s.broken
	s.rearm()
}

// rearm tells epoll what the loop wants to know now. The caller holds wmu.
func (s *sock) rearm() {
	var interest uint32
	if s.hushed == 0 {
		interest |= unix.EPOLLIN
	}
	if s.room {
		interest |= unix.EPOLLOUT
	}
	if s.closed || interest == s.interest {
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
			s.waitForRoom(true)
			return
		case more:
			s.l.post(s, toPump)
			return
		}
		if s.release() {
			return
		}
	}
}

func (s *sock) write(b []byte) (rest []byte, err error) {
	for len(b) > 0 {
		n, err := quiet.Write(s.fd, b)
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

func (s *sock) consult(ask func()) (done bool) {
	s.hush(behindVerdict, true)
	s.l.asking.Go(func() {
		ask()
		s.l.post(s, toResume)
	})
	return false
}

// resume goes on with what was read before the verdict.
func (s *sock) resume(now time.Time) {
	s.hush(behindVerdict, false)
	s.received(now, borrow(&s.partial))
}

func (s *sock) hurry() {}

// finish ends our side of the stream and leaves the rest to the loop, which alone closes the descriptor.
func (s *sock) finish() {
	unix.Shutdown(s.fd, unix.SHUT_WR)
	if !s.ending {
		s.l.post(s, toEnd)
	}
}

// fail lets the loop find the end of the stream behind what has still come in: a client's DISCONNECT may be among it.
func (s *sock) fail() { unix.Shutdown(s.fd, unix.SHUT_RDWR) }
