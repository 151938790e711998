//go:build unix

package udp

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// listenGroup opens a socket bound to the group's own address, so that it hears nothing else. (net.ListenPacket would
// bind the wildcard address instead, which collides with a gateway on the same port.) Others on this host may
// listen to the same group. ifindex is 0, or the interface of a group that has a scope.
func listenGroup(group netip.AddrPort, ifindex int) (*net.UDPConn, error) {
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{
		Port: int(group.Port()), Addr: group.Addr().As16(), ZoneId: uint32(ifindex)})
	if group.Addr().Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: int(group.Port()), Addr: group.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "udp group "+group.String())
	defer file.Close() // FilePacketConn works on a duplicate
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Bind(fd, sa); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	pc, err := net.FilePacketConn(file)
	if err != nil {
		return nil, err
	}
	return pc.(*net.UDPConn), nil
}

// shareWithGroups lets others on this host listen to groups on our port. It is set after our own bind, which therefore still
// finds a port in use; and theirs is a multicast address, so that they take nothing from us.
func shareWithGroups(main *net.UDPConn) {
	if raw, err := main.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
	}
}
