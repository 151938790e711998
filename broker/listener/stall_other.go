//go:build !linux

package listener

import (
	"net"
	"time"
)

// watch has no counterpart here: a peer that takes nothing is kept until its keep-alive ends, or TCP gives up.
func watch(net.Conn, time.Duration) {}
