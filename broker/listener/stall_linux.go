package listener

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watch has the kernel end a connection whose peer takes nothing for that long: a reader that has stopped, or a host that is gone without a word while something is
// on its way to it. One that is gone while nothing is on its way is found by the probes of TCP keep-alive, which Go switches on for what it
// accepts. The kernel measures this by the way; a timer of ours would have to be moved with every write.
func watch(nc net.Conn, stall time.Duration) {
	c, ok := nc.(*net.TCPConn)
	if !ok {
		return // a Unix socket's peer is on this machine
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return // it is closed already
	}
	raw.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(stall.Milliseconds()))
	})
}
