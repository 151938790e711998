package node

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
)

// TestInUse: the usual reasons why an address cannot be opened are said in the words of whoever has written it.
func TestInUse(t *testing.T) {
	failed := func(no syscall.Errno) error {
		return &net.OpError{Op: "listen", Net: "udp", Err: os.NewSyscallError("bind", no)}
	}
	for _, row := range []struct {
		err  error
		want string
	}{
		{failed(syscall.EADDRINUSE), "link lan: address 192.0.2.1:1883 is in use by another program"},
		{failed(syscall.EADDRNOTAVAIL), "link lan: no network interface of this machine has the address of 192.0.2.1:1883 now"},
		{errors.New("port 99999 is none"), "link lan: port 99999 is none"},
	} {
		if got := InUse("link lan", "192.0.2.1:1883", row.err).Error(); got != row.want {
			t.Errorf("%v is said as %q, not %q", row.err, row.want, got)
		}
	}
}
