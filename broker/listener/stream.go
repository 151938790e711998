package listener

import (
	"errors"
	"io"
	"math"
	"net"
	"os"
	"sync/atomic"
	"time"

	"midge/broker/mqtt"
)

// stream is a connection with a goroutine of its own that reads: what is not a plain socket, and any on systems without a loop.
type stream struct {
	net.Conn
	raw   net.Conn // what Conn goes through, or Conn itself
	c     *conn
	room  chan struct{} // one slot: the client has taken its answers
	ended atomic.Bool   // by us
	stuck atomic.Bool   // a write has failed
	buf   [4096]byte
}

func newStream(c *conn, nc, raw net.Conn) *stream {
	return &stream{Conn: nc, raw: raw, c: c, room: make(chan struct{}, 1)}
}

// serve reads until the connection ends.
func (s *stream) serve() {
	c := s.c
	err, lost := s.read()
	if !lost {
		c.farewell(err)
	}
	c.leave(time.Now(), err)
	if !lost {
		s.linger()
	}
	// TLS would wait five seconds for a client that does not read to take the alert that it is over.
	stop := time.AfterFunc(lingerWait, func() { s.raw.Close() })
	s.Close()
	stop.Stop()
	c.server.remove(c)
}

// read returns why the connection ends; lost says that it is the client's end.
func (s *stream) read() (err error, lost bool) {
	for {
		s.await()
		n, failed := s.Read(s.buf[:])
		var fault *mqtt.Error // of a WebSocket
		if n > 0 {
			ws := borrow(&s.c.partial)
			ws.buf = append(ws.buf, s.buf[:n]...)
			if err := s.c.received(time.Now(), ws); err != nil {
				return err, false
			}
		}
		switch {
		case failed == nil:
		case s.ended.Load() || s.stuck.Load():
			return errCut, false
		case errors.Is(failed, os.ErrDeadlineExceeded):
			return s.c.why(), false
		case errors.As(failed, &fault):
			return failed, false
		default:
			return failed, true
		}
		s.pause()
		if err := s.awaitRoom(); err != nil {
			return err, false
		}
	}
}

// await sets how long the next read may wait. It looks at the flags last, as others set a flag first and the deadline then.
func (s *stream) await() {
	if !s.stuck.Load() {
		s.SetReadDeadline(s.c.due())
		if s.stuck.Load() {
			s.SetReadDeadline(time.Now().Add(lingerWait))
		}
	}
	if s.ended.Load() {
		s.SetReadDeadline(past)
	}
}

var past = time.Unix(1, 0)

// why is the reason to end a connection that is overdue.
func (c *conn) why() error {
	if c.session == nil {
		return errTooLate
	}
	return errSilent
}

// pause slows a publisher whose subscribers have fallen behind.
func (s *stream) pause() {
	busy := s.c.busy
	if busy == nil {
		return
	}
	s.c.busy = nil
	t := time.NewTimer(busyWait)
	defer t.Stop()
	select {
	case <-busy:
	case <-t.C:
	case <-s.c.ctx.Done():
	}
}

// awaitRoom stops reading from a client that does not take its answers (see answersMax), until it does or is overdue.
func (s *stream) awaitRoom() error {
	for s.c.unanswered.Load() > answersMax && !s.ended.Load() && !s.stuck.Load() { // in the end what still comes is read whatever it asks for
		var late <-chan time.Time
		if due := s.c.due(); !due.IsZero() {
			t := time.NewTimer(time.Until(due))
			defer t.Stop()
			late = t.C
		}
		select {
		case <-s.room:
		case <-late:
			return s.c.why()
		}
	}
	return nil
}

// linger lets the client end its side: closing a socket that has unread input resets the connection, and a reset may overtake the last words.
func (s *stream) linger() {
	half, ok := s.Conn.(interface{ CloseWrite() error })
	if !ok {
		return
	}
	defer time.AfterFunc(lingerWait, func() { s.raw.Close() }).Stop()
	s.SetDeadline(time.Now().Add(lingerWait)) // whatever hurried us before
	if half.CloseWrite() != nil {
		return
	}
	io.CopyBuffer(io.Discard, struct{ io.Reader }{s.Conn}, s.buf[:])
}

func (s *stream) write(b []byte) (rest []byte, err error) {
	_, err = s.Write(b)
	return nil, err
}

func (s *stream) pump() {
	go func() { // it ends with the connection at the latest: a closed stream takes nothing
		for {
			s.c.drain(math.MaxInt)
			if s.c.release() {
				return
			}
		}
	}()
}

func (s *stream) hurry() { s.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) }

func (s *stream) consult(ask func()) (done bool) {
	ask()
	return true
}

func (s *stream) heed() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}

func (s *stream) finish() {
	s.ended.Store(true)
	s.SetReadDeadline(past)
	s.heed()
}

// fail gives the reader a moment for what the client had sent before: its DISCONNECT may be among it.
func (s *stream) fail() {
	s.stuck.Store(true)
	s.SetReadDeadline(time.Now().Add(lingerWait))
	s.c.unanswered.Store(0)
	s.heed()
}
