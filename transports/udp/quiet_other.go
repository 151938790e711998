//go:build !linux

package udp

import "net"

// newQuiet is for Linux only; elsewhere the socket stays as it is.
func newQuiet(conn *net.UDPConn) (socket, error) { return conn, nil }
