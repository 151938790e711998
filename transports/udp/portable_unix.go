//go:build !windows

package udp

import "syscall"

// msgTrunc is the flag of a datagram that was longer than the buffer.
const msgTrunc = syscall.MSG_TRUNC

func isTruncated(error) bool { return false }
