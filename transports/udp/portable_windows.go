package udp

import (
	"errors"

	"golang.org/x/sys/windows"
)

// msgTrunc is the flag of a datagram that was longer than the buffer.
const msgTrunc = windows.MSG_TRUNC

// isTruncated reports Windows' other way to say so.
func isTruncated(err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }
