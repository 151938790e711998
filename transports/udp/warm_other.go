//go:build !linux

package udp

import "net"

// newWarm is for Linux only; elsewhere the socket stays where it is.
func newWarm(conn *net.UDPConn) (socket, error) { return conn, nil }
