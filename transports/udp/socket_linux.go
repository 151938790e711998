package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"midge/transports"
)

// addrOf reads the source address that the kernel wrote.
func addrOf(sa *unix.RawSockaddrInet6) transports.Addr {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:]) // the same place in both families
	if sa.Family == unix.AF_INET {
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return makeAddr(netip.AddrFrom4(sa4.Addr), port, 0)
	}
	return makeAddr(netip.AddrFrom16(sa.Addr), port, sa.Scope_id)
}

// toMany reads a datagram's control messages and reports whether it was sent to a group or by broadcast.
func toMany(control []byte) bool {
	for len(control) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		if uint64(h.Len) < unix.SizeofCmsghdr || uint64(h.Len) > uint64(len(control)) {
			return false
		}
		data := control[unix.CmsgLen(0):h.Len]
		switch {
		case h.Level == unix.SOL_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0]))
			// Addr is where it was sent, Spec_dst our own address: they differ for multicast and every kind of broadcast.
			return info.Addr != info.Spec_dst
		case h.Level == unix.SOL_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0]))
			if ip := netip.AddrFrom16(info.Addr).Unmap(); ip.Is6() {
				return ip.IsMulticast()
			}
			// IPv4 on a dual-stack socket: its own control message follows and knows more.
		}
		control = control[min(len(control), unix.CmsgSpace(len(data))):]
	}
	return false
}

// wantDestination asks the kernel to tell where each datagram was sent to. Best effort: each family knows one of the two.
func wantDestination(conn *net.UDPConn) {
	control(conn, func(fd int) {
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_PKTINFO, 1)
		unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1)
	})
}

// onlyJoined keeps out what groups bring that another program on this host has joined.
func onlyJoined(conn *net.UDPConn) {
	control(conn, func(fd int) {
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_MULTICAST_ALL, 0)
		unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_MULTICAST_ALL, 0)
	})
}

// askForBuffers asks for octets of room in both directions: beyond the system's limit if we may, else up to it.
func askForBuffers(conn *net.UDPConn, octets int) {
	control(conn, func(fd int) {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, octets) != nil {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, octets)
		}
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, octets) != nil {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, octets)
		}
	})
}

// kernelDrops is the number of datagrams that found the receive buffer full (SO_MEMINFO, Linux 4.12).
func kernelDrops(conn socket) (drops uint64) {
	const fields, dropsField = 9, 8 // linux/sock_diag.h: SK_MEMINFO_VARS, SK_MEMINFO_DROPS
	control(conn, func(fd int) {
		var info [fields]uint32
		size := uint32(unsafe.Sizeof(info))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 {
			drops = uint64(info[dropsField])
		}
	})
	return drops
}

func isInet6(raw syscall.RawConn) (v6 bool) {
	raw.Control(func(fd uintptr) {
		sa, err := unix.Getsockname(int(fd))
		_, is6 := sa.(*unix.SockaddrInet6)
		v6 = err == nil && is6
	})
	return v6
}

// control runs f on the socket's descriptor, or not at all when it is closed.
func control(conn socket, f func(fd int)) {
	if raw, err := conn.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}
