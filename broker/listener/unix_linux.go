package listener

import (
	"context"
	"io/fs"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenRestricted gives the socket its mode before it has its name: there is no moment in which others may connect.
func listenRestricted(path string, mode fs.FileMode) (net.Listener, error) {
	restrict := func(_, _ string, raw syscall.RawConn) (err error) {
		if failed := raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), uint32(mode.Perm())) }); failed != nil {
			return failed
		}
		return err
	}
	return (&net.ListenConfig{Control: restrict}).Listen(context.Background(), "unix", path)
}
