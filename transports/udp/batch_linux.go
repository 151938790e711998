package udp

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"midge/transports"
)

// The most datagrams of one system call. Beyond some tens the call itself no longer counts; a device has one peer and
// little to say, and a simulated fleet has thousands of them (each slot is 108 octets).
const (
	batchMax       = 128
	batchMaxDialed = 8
)

// controlRoom holds the destination of a datagram twice over: a dual-stack socket reports IPv4 in both forms.
const controlRoom = 96

// batched reads and writes a socket by recvmmsg(2) and sendmmsg(2) with buffers made once.
type batched struct {
	raw syscall.RawConn
	ioConfig
	v6       bool // the socket's family: an IPv4 peer is then written as a mapped address
	counters *transports.Counters
	in       mmsg // one goroutine reads, so there is no lock
	control  [][controlRoom]byte
	sending  sync.Mutex
	out      mmsg // guarded by sending
}

// mmsg is the argument block of one call. The kernel reads and writes through its pointers only during the call.
type mmsg struct {
	hdrs  []unix.Mmsghdr
	iovs  []unix.Iovec
	names []unix.RawSockaddrInet6 // room for both families
	n     int                     // in: how many to do; out (receive): how many were done
	errno syscall.Errno
	call  func(fd uintptr) bool // bound once: a method value made per call would be an allocation
}

func newBatched(conn *net.UDPConn, c ioConfig, n *transports.Counters) (datagrams, socket, error) {
	var s socket = conn
	if c.alone {
		var err error
		if s, err = newQuiet(conn); err != nil {
			return nil, nil, err
		}
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	b := &batched{raw: raw, ioConfig: c, counters: n, v6: isInet6(raw)}
	slots := batchMax
	if c.connected {
		slots = batchMaxDialed
	}
	if c.destination {
		b.control = make([][controlRoom]byte, slots)
	}
	b.in.allocate(slots)
	b.out.allocate(slots)
	b.in.call, b.out.call = b.receive, b.transmit
	return b, s, nil
}

// allocate points every header at its vector. Names and control are set per call, as the kernel overwrites their lengths.
func (m *mmsg) allocate(slots int) {
	m.hdrs, m.iovs, m.names = make([]unix.Mmsghdr, slots), make([]unix.Iovec, slots), make([]unix.RawSockaddrInet6, slots)
	for i := range m.hdrs {
		m.hdrs[i].Hdr.Iov = &m.iovs[i]
		m.hdrs[i].Hdr.SetIovlen(1)
	}
}

func (m *mmsg) setData(i int, data []byte) {
	m.iovs[i].Base = unsafe.SliceData(data)
	m.iovs[i].SetLen(len(data))
}

func (b *batched) read(frames []transports.Frame) (int, error) {
	m := &b.in
	m.n = min(len(frames), len(m.hdrs))
	for i := range m.n {
		m.setData(i, frames[i].Data[:cap(frames[i].Data)])
		h := &m.hdrs[i].Hdr
		if !b.connected {
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&m.names[i])), unix.SizeofSockaddrInet6
		}
		if b.destination {
			h.Control = &b.control[i][0]
			h.SetControllen(controlRoom)
		}
	}
	err := b.raw.Read(m.call)
	got := m.n
	switch {
	case err != nil:
		got = 0
	case m.errno == unix.ECONNREFUSED: // an ICMP answer to what a dialled link sent before
		got = 0
		b.counters.Count(transports.ReasonRefused, 1)
	case m.errno != 0:
		got, err = 0, os.NewSyscallError("recvmmsg", m.errno)
	}
	n, octets := b.keep(frames, got)
	b.counters.Received(n, octets)
	for i := range min(len(frames), len(m.hdrs)) {
		m.iovs[i].Base = nil // the buffers are the caller's
	}
	return n, err
}

// receive is called by the poller when the socket may have something; false waits.
func (b *batched) receive(fd uintptr) bool {
	m := &b.in
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&m.hdrs[0])), uintptr(m.n), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		}
		m.errno = errno
		if errno == 0 {
			m.n = int(n)
		}
		return true
	}
}

// keep fills in the first got frames and closes ranks over those that are dropped, exchanging buffers.
func (b *batched) keep(frames []transports.Frame, got int) (n int, octets uint64) {
	m := &b.in
	for i := range got {
		length := int(m.hdrs[i].Len)
		switch {
		case m.hdrs[i].Hdr.Flags&unix.MSG_TRUNC != 0 || length > b.mtu:
			b.counters.Count(transports.ReasonOversize, 1)
			continue
		case length == 0:
			b.counters.Count(transports.ReasonEmpty, 1)
			continue
		}
		if n != i {
			frames[n].Data, frames[i].Data = frames[i].Data, frames[n].Data
		}
		f := &frames[n]
		f.Data, f.Addr, f.Radius, f.Broadcast = f.Data[:length], transports.Addr{}, 0, b.broadcast
		if !b.connected {
			f.Addr = addrOf(&m.names[i])
		}
		if b.destination {
			f.Broadcast = toMany(b.control[i][:m.hdrs[i].Hdr.Controllen])
		}
		if f.Broadcast && b.own != nil && b.own(f.Addr) {
			b.counters.Count(transports.ReasonEcho, 1)
			continue
		}
		n++
		octets += uint64(length)
	}
	return n, octets
}

func (b *batched) write(frames []transports.Frame) {
	b.sending.Lock()
	defer b.sending.Unlock()
	m := &b.out
	m.n = 0
	for i := range frames {
		f := &frames[i]
		if len(f.Data) == 0 || len(f.Data) > b.mtu {
			b.counters.Count(transports.ReasonOversize, 1)
			continue
		}
		if !b.connected && !b.setName(m.n, &f.Addr) {
			b.counters.Count(transports.ReasonAddress, 1)
			continue
		}
		m.setData(m.n, f.Data)
		if m.n++; m.n == len(m.hdrs) {
			b.flush()
		}
	}
	b.flush()
}

// setName writes the peer's address into slot i in the socket's family; false when that cannot be.
func (b *batched) setName(i int, a *transports.Addr) bool {
	ip, port, ifindex, ok := splitAddr(a)
	if !ok || !b.v6 && !ip.Is4() {
		return false
	}
	h, sa := &b.out.hdrs[i].Hdr, &b.out.names[i]
	h.Name = (*byte)(unsafe.Pointer(sa))
	if !b.v6 {
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		*sa4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: ip.As4()}
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&sa4.Port))[:], port)
		h.Namelen = unix.SizeofSockaddrInet4
		return true
	}
	*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: ip.As16(), Scope_id: ifindex}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:], port)
	h.Namelen = unix.SizeofSockaddrInet6
	return true
}

// flush sends the prepared datagrams and forgets them.
func (b *batched) flush() {
	m := &b.out
	if m.n == 0 {
		return
	}
	if err := b.raw.Write(m.call); err != nil && !errors.Is(err, net.ErrClosed) {
		b.counters.Count(transports.ReasonSend, uint64(m.n))
	}
	for i := range m.n {
		m.iovs[i].Base = nil
	}
	m.n = 0
}

// transmit sends all it can and never waits, so it always returns true.
func (b *batched) transmit(fd uintptr) bool {
	m := &b.out
	refused := false
	for at := 0; at < m.n; {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&m.hdrs[at])), uintptr(m.n-at), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			b.sent(at, int(n))
			at += int(n)
			refused = false
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS:
			b.counters.Count(transports.ReasonQueueFull, uint64(m.n-at))
			return true
		case unix.ECONNREFUSED:
			// The answer to an earlier datagram; this one was not tried. Try it once more.
			b.counters.Count(transports.ReasonRefused, 1)
			if refused {
				at++
			}
			refused = !refused
		default:
			b.counters.Count(transports.ReasonSend, 1)
			at++
		}
	}
	return true
}

func (b *batched) sent(at, n int) {
	octets := uint64(0)
	for i := at; i < at+n; i++ {
		octets += uint64(b.out.iovs[i].Len)
	}
	b.counters.Sent(n, octets)
}
