package listener

import (
	"errors"
	"math"
	"net"
	"os"
	"time"
)

// stream is a connection with a goroutine of its own that reads: what is not a plain socket, and any on systems without a loop.
type stream struct {
	net.Conn
	c   *conn
	buf [4096]byte
}

// serve reads until the connection ends.
func (s *stream) serve() {
	c := s.c
	err := s.read()
	c.farewell(err)
	s.Close()
	c.leave(time.Now(), err)
}

func (s *stream) read() error {
	c := s.c
	for {
		s.SetReadDeadline(c.due())
		n, err := s.Read(s.buf[:])
		now := time.Now()
		if n > 0 {
			ws := borrow(c.partial)
			ws.buf = append(ws.buf, s.buf[:n]...)
			err = c.received(now, ws)
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && c.ctx.Err() == nil && c.session != nil:
			return errSilent
		case err != nil:
			return err
		}
		s.pause()
	}
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

func (s *stream) close() { s.Close() }
