//go:build unix

package listener

import (
	"io"
	"net"
	"syscall"
)

// source reads and writes a socket without holding a buffer while it waits and without waiting while it writes.
type source struct {
	net.Conn
	raw     syscall.RawConn // nil when the connection is not a plain socket
	ws      *workspace      // of the read that is under way
	partial []byte          // octets of a packet that is not whole yet
	n       int
	err     error
	onRead  func(fd uintptr) bool // bound once: a closure per read would be garbage per read

	out     []byte
	outErr  error
	onWrite func(fd uintptr) bool
}

func newSource(nc net.Conn) *source {
	s := &source{Conn: nc}
	if sc, ok := nc.(syscall.Conn); ok {
		s.raw, _ = sc.SyscallConn()
	}
	s.onRead, s.onWrite = s.tryRead, s.tryWrite
	return s
}

// wait reads into a borrowed workspace behind the octets of a packet that was not whole. The caller gives the workspace back; there is none with an error.
func (s *source) wait() (*workspace, error) {
	if s.raw == nil {
		return readInto(s.Conn, s.partial)
	}
	if err := s.raw.Read(s.onRead); err != nil {
		return nil, err // a deadline or a close
	}
	ws := s.ws
	s.ws = nil
	return ws, s.err
}

// tryRead is called when the socket may have something; false waits until it has.
func (s *source) tryRead(fd uintptr) bool {
	ws := borrow(s.partial)
	n, err := syscall.Read(int(fd), ws.free())
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), ws.free())
	}
	if n > 0 {
		s.ws, s.err = ws.filled(n), nil
		return true
	}
	ws.giveBack()
	if err == nil {
		err = io.EOF
	}
	s.err = err
	return err != syscall.EAGAIN
}

// tryToWrite writes what the socket takes at once and returns the rest.
func (s *source) tryToWrite(b []byte) (rest []byte, err error) {
	if s.raw == nil {
		return b, nil
	}
	s.out, s.outErr = b, nil
	if err := s.raw.Write(s.onWrite); err != nil {
		return nil, err
	}
	rest, s.out = s.out, nil
	return rest, s.outErr
}

func (s *source) tryWrite(fd uintptr) bool {
	for len(s.out) > 0 {
		n, err := syscall.Write(int(fd), s.out)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			s.outErr = err
			return true
		}
		s.out = s.out[n:]
	}
	return true
}
