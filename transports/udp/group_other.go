//go:build !unix

package udp

import (
	"errors"
	"net"
	"net/netip"
)

func listenGroup(netip.AddrPort, int) (*net.UDPConn, error) {
	return nil, errors.New("on this system a group must have the port of the link, and the link a wildcard address such as \"0.0.0.0:1883\"")
}

func shareWithGroups(*net.UDPConn) {}
