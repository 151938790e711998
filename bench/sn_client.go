package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	snRetry   = time.Second // until a client repeats what was not answered
	snRetries = 5           // repeats of CONNECT and REGISTER
)

// An snClient is one MQTT-SN client: a connected UDP socket, a registered topic and at most one open PUBLISH.
type snClient struct {
	fd      int
	number  uint32
	topicID uint16
	msgID   uint16 // of the PUBLISH sent last
	seq     uint32 // of the next message
	open    bool   // the PUBLISH sent last is not acknowledged
	sentAt  time.Time
	buf     [256]byte
}

// snClients are the MQTT-SN side of a work: all clients, driven by one goroutine.
type snClients struct {
	descriptors
	clients []*snClient
	count   int64 // messages sent, without repeats
	resent  int64
}

// connect connects n clients to the UDP address addr and registers the topic sn/NUMBER for each.
func (s *snClients) connect(addr string, n int) error {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("address of the MQTT-SN gateway: %w", err)
	}
	for i := range n {
		fd, err := dialUDP(to)
		if err != nil {
			return fmt.Errorf("MQTT-SN client %d: %w", i, err)
		}
		s.add(fd)
		c := &snClient{fd: fd, number: uint32(i)}
		if err := c.handshake(); err != nil {
			return fmt.Errorf("MQTT-SN client %d: %w", i, err)
		}
		s.clients = append(s.clients, c)
	}
	return nil
}

func (s *snClients) sent() int64 { return s.count }

// dialUDP makes a non-blocking socket that is connected to an IPv4 address.
func dialUDP(to netip.AddrPort) (fd int, err error) { return dialUDPFrom(nil, to) }

// dialUDPFrom is dialUDP from an address of one's own choice; nil: the kernel's.
func dialUDPFrom(from *unix.SockaddrInet4, to netip.AddrPort) (fd int, err error) {
	sa := &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open UDP socket: %w", err)
	}
	if from != nil {
		err = unix.Bind(fd, from)
	}
	if err == nil {
		err = unix.Connect(fd, sa)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect UDP socket to %s: %w", to, err)
	}
	return fd, nil
}

func (c *snClient) handshake() error {
	if _, err := c.request(appendSNConnect(nil, snClean, fmt.Sprintf("sn-%d", c.number)), snConnack); err != nil {
		return err
	}
	c.msgID = 1
	r, err := c.request(appendSNRegister(nil, c.msgID, fmt.Sprintf("sn/%d", c.number)), snRegack)
	c.topicID = r.topicID
	return err
}

// request sends and waits for an accepting answer of the kind want; it repeats snRetries times.
func (c *snClient) request(message []byte, want byte) (snReply, error) {
	var last error
	for range 1 + snRetries {
		r, ok, err := c.try(message)
		switch {
		case errors.Is(err, unix.ECONNREFUSED):
			// Nobody listens there yet: the link may open a moment after the listener.
			last = err
			time.Sleep(snRetry)
		case err != nil:
			return r, err
		case ok && r.kind == want && r.code != 0:
			return r, fmt.Errorf("the gateway refused message type %#02x with code %d", message[1], r.code)
		case ok && r.kind == want:
			return r, nil
		}
	}
	if last != nil {
		return snReply{}, last
	}
	return snReply{}, fmt.Errorf("no answer of type %#02x to %d tries", want, 1+snRetries)
}

// try sends once and waits up to snRetry for a datagram.
func (c *snClient) try(message []byte) (r snReply, ok bool, err error) {
	if _, err := unix.Write(c.fd, message); err != nil {
		return r, false, fmt.Errorf("send message type %#02x: %w", message[1], err)
	}
	fds := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, int(snRetry.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
		return r, false, fmt.Errorf("wait for an answer: %w", err)
	}
	return c.read()
}

// read takes one datagram if there is one.
func (c *snClient) read() (r snReply, ok bool, err error) {
	n, err := unix.Read(c.fd, c.buf[:])
	if errors.Is(err, unix.EAGAIN) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("read datagram: %w", err)
	}
	r, err = parseSNReply(c.buf[:n])
	return r, err == nil, err
}

// takeAck reads what has come; open is false after the PUBACK of the PUBLISH sent last. Other datagrams are answers to what was said twice.
func (c *snClient) takeAck() error {
	for {
		r, ok, err := c.read()
		switch {
		case err != nil || !ok:
			return err
		case r.kind != snPuback || r.msgID != c.msgID:
			continue
		case r.code != 0:
			return fmt.Errorf("the gateway refused PUBLISH with code %d", r.code)
		}
		c.open = false
		return nil
	}
}

// publish sends the next message of c.
func (s *snClients) publish(c *snClient, now time.Time) error {
	if c.msgID++; c.msgID == 0 {
		c.msgID = 1
	}
	c.open, c.sentAt = true, now
	b := appendSNPublish(c.buf[:0], false, c.topicID, c.msgID, c.number, c.seq)
	c.seq++
	s.count++
	return c.write(b)
}

// repeat sends the last message of c again.
func (s *snClients) repeat(c *snClient, now time.Time) error {
	c.sentAt = now
	s.resent++
	return c.write(appendSNPublish(c.buf[:0], true, c.topicID, c.msgID, c.number, c.seq-1))
}

// write sends one datagram. A full socket drops it, as a network may; repeat then comes in.
func (c *snClient) write(b []byte) error {
	if _, err := unix.Write(c.fd, b); err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("send PUBLISH: %w", err)
	}
	return nil
}
