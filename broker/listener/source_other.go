//go:build !unix

package listener

import "net"

// source reads and writes a connection. On systems without readable sockets as files it holds a workspace while it waits.
type source struct {
	net.Conn
	partial []byte // octets of a packet that is not whole yet
}

func newSource(nc net.Conn) *source { return &source{Conn: nc} }

// wait reads into a borrowed workspace behind the octets of a packet that was not whole. The caller gives the workspace back; there is none with an error.
func (s *source) wait() (*workspace, error) {
	return readInto(s.Conn, s.partial)
}

// tryToWrite writes what the socket takes at once and returns the rest: here, all.
func (s *source) tryToWrite(b []byte) (rest []byte, err error) { return b, nil }
