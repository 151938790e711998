package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"midge/transports"
)

// mtuMax is the longest UDP payload that IPv4 carries: 65,535 less 20 octets of IP and 8 of UDP header.
const mtuMax = 65507

// A Link is a UDP socket as a transports.Link.
type Link struct {
	conn      socket
	io        datagrams
	connected bool // one peer only; its Addr is the zero Addr
	mtu       int
	counters  *transports.Counters
	groups    *groups // nil without groups
	closed    atomic.Bool
	closing   sync.Once
}

// datagrams reads and writes a socket in batches: by recvmmsg and sendmmsg on Linux, else one by one.
type datagrams interface {
	// read waits for at least one datagram and returns how many of frames it filled, which may be none when
	// all were dropped. The error is of the socket (closed, deadline).
	read(frames []transports.Frame) (int, error)
	// write sends frames, none of which is a broadcast. It does not wait.
	write(frames []transports.Frame)
}

// socket is what the link needs of a *net.UDPConn.
type socket interface {
	SyscallConn() (syscall.RawConn, error)
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
	SetReadDeadline(time.Time) error
	Close() error
}

var _ transports.Link = (*Link)(nil)

func newCounters() *transports.Counters {
	return transports.NewCounters(transports.ReasonOversize, transports.ReasonQueueFull, transports.ReasonSend,
		transports.ReasonReceive, transports.ReasonRefused, transports.ReasonAddress, transports.ReasonNoGroup,
		transports.ReasonEcho, transports.ReasonEmpty, transports.ReasonKernel)
}

// ReadFrames waits for datagrams. Several may come at once; len(frames) of 16 to 64 is a good batch.
func (l *Link) ReadFrames(frames []transports.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	for {
		if l.groups != nil {
			if n := l.groups.inbox.take(frames); n > 0 {
				return n, nil
			}
		}
		n, err := l.io.read(frames)
		if n > 0 {
			return n, nil
		}
		switch {
		case err == nil:
		case l.closed.Load() || errors.Is(err, net.ErrClosed):
			return 0, transports.ErrClosed
		case errors.Is(err, os.ErrDeadlineExceeded):
			// A group's reader calls us. Clear first, then look: a call that comes in between is not lost.
			l.conn.SetReadDeadline(time.Time{})
		default:
			l.counters.Count(transports.ReasonReceive, 1)
		}
	}
}

// WriteFrames sends each frame as one datagram. A broadcast goes to every group, or on a dialled link to the one peer.
func (l *Link) WriteFrames(frames []transports.Frame) {
	if l.closed.Load() {
		return
	}
	if l.connected {
		l.io.write(frames)
		return
	}
	for len(frames) > 0 {
		n := 0
		for n < len(frames) && !frames[n].Broadcast {
			n++
		}
		if n > 0 {
			l.io.write(frames[:n])
		}
		if n < len(frames) {
			l.broadcast(frames[n].Data)
			n++
		}
		frames = frames[n:]
	}
}

func (l *Link) broadcast(data []byte) {
	switch {
	case len(data) == 0 || len(data) > l.mtu:
		l.counters.Count(transports.ReasonOversize, 1)
	case l.groups == nil:
		l.counters.Count(transports.ReasonNoGroup, 1)
	case l.groups.send(time.Now(), data):
		l.counters.Sent(1, uint64(len(data)))
	default:
		l.counters.Count(transports.ReasonSend, 1)
	}
}

// Broadcasts reports whether there is a group to send to.
func (l *Link) Broadcasts() bool { return l.groups != nil }

// MTU is the longest message: 65,507 octets unless the configuration says less.
func (l *Link) MTU() int { return l.mtu }

// FormatAddr renders an address as "192.0.2.7:1883" or "[fe80::1%wpan0]:1883", the zero Addr as the peer of a dialled link.
func (l *Link) FormatAddr(a transports.Addr) string {
	if l.connected && a == (transports.Addr{}) {
		return l.conn.RemoteAddr().String()
	}
	ap := AddrPort(a)
	if !ap.IsValid() {
		return "not a UDP address"
	}
	return ap.String()
}

// LocalAddr is the address that the link listens on, with the port that the system chose for port 0.
func (l *Link) LocalAddr() netip.AddrPort {
	ap := l.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Stats returns the link's figures. ReasonKernel is asked of the kernel on Linux and stays 0 elsewhere.
func (l *Link) Stats() transports.Stats {
	s := l.counters.Stats()
	if s.Up = !l.closed.Load(); !s.Up {
		s.Why = "the link is closed"
		return s
	}
	s.Errors[transports.ReasonKernel] += kernelDrops(l.conn)
	return s
}

// Close ends ReadFrames and the readers of the groups, and frees the port.
func (l *Link) Close() error {
	var err error
	l.closing.Do(func() {
		l.closed.Store(true)
		err = l.conn.Close()
		if l.groups != nil {
			l.groups.close()
		}
	})
	return err
}
