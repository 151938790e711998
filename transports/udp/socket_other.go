//go:build !linux

package udp

import (
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"midge/transports"
)

func newBatched(conn *net.UDPConn, c ioConfig, n *transports.Counters) (datagrams, socket, error) {
	return newOneByOne(conn, c, n)
}

// wantDestination asks the system to tell where each datagram was sent to. Best effort: each family knows one of the two.
func wantDestination(conn *net.UDPConn) {
	ipv4.NewPacketConn(conn).SetControlMessage(ipv4.FlagDst, true)
	ipv6.NewPacketConn(conn).SetControlMessage(ipv6.FlagDst, true)
}

func onlyJoined(*net.UDPConn) {}

func askForBuffers(conn *net.UDPConn, octets int) {
	// Some systems refuse what is too much instead of giving less.
	for ; octets >= 64<<10 && conn.SetReadBuffer(octets) != nil; octets /= 2 {
	}
}

func kernelDrops(socket) uint64 { return 0 }
