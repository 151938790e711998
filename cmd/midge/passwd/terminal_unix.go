//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package passwd

import (
	"os"

	"golang.org/x/sys/unix"
)

func isTerminal(f *os.File) bool {
	return onDescriptor(f, func(fd int) error {
		_, err := unix.IoctlGetTermios(fd, getTermios)
		return err
	}) == nil
}

// hideEcho stops the terminal from showing what is typed, after it has thrown away what was typed before. restore undoes it.
func hideEcho(f *os.File) (restore func(), err error) {
	var before *unix.Termios
	err = onDescriptor(f, func(fd int) (err error) {
		if before, err = unix.IoctlGetTermios(fd, getTermios); err != nil {
			return err
		}
		hidden := *before
		hidden.Lflag &^= unix.ECHO | unix.ECHONL
		hidden.Lflag |= unix.ICANON | unix.ISIG
		hidden.Iflag |= unix.ICRNL
		return unix.IoctlSetTermios(fd, setTermiosFlush, &hidden)
	})
	return func() {
		onDescriptor(f, func(fd int) error { return unix.IoctlSetTermios(fd, setTermios, before) })
	}, err
}

// onDescriptor runs do without changing the file's mode, as File.Fd would.
func onDescriptor(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}
