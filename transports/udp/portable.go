package udp

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"midge/transports"
)

// oneByOne reads and writes one datagram per system call. It works wherever Go does and allocates nothing per
// datagram on sockets that do not ask for destinations.
type oneByOne struct {
	conn *net.UDPConn
	ioConfig
	v6       bool
	counters *transports.Counters
	control  []byte
}

func newOneByOne(conn *net.UDPConn, c ioConfig, n *transports.Counters) (datagrams, socket, error) {
	local := conn.LocalAddr().(*net.UDPAddr)
	o := &oneByOne{conn: conn, ioConfig: c, counters: n, v6: local.IP.To4() == nil}
	if c.destination {
		o.control = make([]byte, 128)
	}
	return o, conn, nil
}

func (o *oneByOne) read(frames []transports.Frame) (int, error) {
	f := &frames[0]
	room := f.Data[:cap(f.Data)]
	n, oobn, flags, from, err := o.conn.ReadMsgUDPAddrPort(room, o.control)
	switch {
	case isTruncated(err) || err == nil && (flags&msgTrunc != 0 || n > o.mtu):
		o.counters.Count(transports.ReasonOversize, 1)
		return 0, nil
	case isRefused(err):
		o.counters.Count(transports.ReasonRefused, 1)
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		o.counters.Count(transports.ReasonEmpty, 1)
		return 0, nil
	}
	f.Data, f.Addr, f.Radius, f.Broadcast = room[:n], transports.Addr{}, 0, o.broadcast
	if !o.connected {
		f.Addr = MakeAddr(from)
	}
	if o.destination {
		f.Broadcast = o.toMany(o.control[:oobn])
	}
	if f.Broadcast && o.own != nil && o.own(f.Addr) {
		o.counters.Count(transports.ReasonEcho, 1)
		return 0, nil
	}
	o.counters.Received(1, uint64(n))
	return 1, nil
}

// toMany reports whether the control messages name a group or the broadcast address as the destination.
func (o *oneByOne) toMany(control []byte) bool {
	var dst net.IP
	if o.v6 {
		var m ipv6.ControlMessage
		if m.Parse(control) == nil {
			dst = m.Dst
		}
	} else {
		var m ipv4.ControlMessage
		if m.Parse(control) == nil {
			dst = m.Dst
		}
	}
	return dst.IsMulticast() || dst.Equal(net.IPv4bcast)
}

func (o *oneByOne) write(frames []transports.Frame) {
	for i := range frames {
		f := &frames[i]
		if len(f.Data) == 0 || len(f.Data) > o.mtu {
			o.counters.Count(transports.ReasonOversize, 1)
			continue
		}
		err := o.send(f)
		if isRefused(err) { // the answer to an earlier datagram; this one was not tried
			o.counters.Count(transports.ReasonRefused, 1)
			err = o.send(f)
		}
		switch {
		case err == nil:
			o.counters.Sent(1, uint64(len(f.Data)))
		case errors.Is(err, errAddress):
			o.counters.Count(transports.ReasonAddress, 1)
		case errors.Is(err, net.ErrClosed):
		case errors.Is(err, syscall.ENOBUFS):
			o.counters.Count(transports.ReasonQueueFull, 1)
		default:
			o.counters.Count(transports.ReasonSend, 1)
		}
	}
}

var errAddress = errors.New("not an address of this link")

func (o *oneByOne) send(f *transports.Frame) error {
	if o.connected {
		_, err := o.conn.Write(f.Data)
		return err
	}
	to := AddrPort(f.Addr)
	if !to.IsValid() || !o.v6 && !to.Addr().Is4() {
		return errAddress
	}
	if o.v6 && to.Addr().Is4() {
		to = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
	}
	_, err := o.conn.WriteToUDPAddrPort(f.Data, to)
	return err
}

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
