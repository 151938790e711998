package serial

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// tcpPrefix begins a device that is behind a network: "tcp://host:port" is a serial server (ser2net, ESP-Link, a port server's raw socket) that hands on the octets of its
// line as they are. How that line is set is up to the server.
const tcpPrefix = "tcp://"

const (
	tcpDial  = 3 * time.Second  // an attempt to connect
	tcpStuck = 10 * time.Second // a write that the server does not take: the connection is given up
)

// A server that was switched off is noticed after some 30 s of silence.
var tcpDialer = net.Dialer{Timeout: tcpDial, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}

// dialPort connects to a serial server. The error is one sentence.
func dialPort(device string) (*line, error) {
	c, err := tcpDialer.Dial("tcp", strings.TrimPrefix(device, tcpPrefix))
	if err != nil {
		return nil, fmt.Errorf("serial device %s cannot be reached: %w", device, err)
	}
	return lineOf(tcpPort{c}), nil
}

// tcpPort is a connection that does not wait for ever.
type tcpPort struct{ net.Conn }

var errServerClosed = errors.New("the server has closed the connection")

func (p tcpPort) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if err == io.EOF {
		err = errServerClosed
	}
	return n, err
}

func (p tcpPort) Write(b []byte) (int, error) {
	p.SetWriteDeadline(time.Now().Add(tcpStuck))
	return p.Conn.Write(b)
}
