package serial

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A Pty is the near end of a pseudo-terminal in raw mode. What is written to it is read at Path, and the other way round. The far end may be
// opened, closed and opened again as often as one likes.
type Pty struct {
	*os.File
	far  *os.File // kept open: without any opener of the far end reads of the near end fail
	path string
}

// OpenPty makes a pseudo-terminal.
func OpenPty() (*Pty, error) {
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("make a pseudo-terminal: %w", err)
	}
	path, err := unlock(near)
	if err != nil {
		near.Close()
		return nil, fmt.Errorf("make a pseudo-terminal: %w", err)
	}
	far, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err == nil {
		err = onDescriptor(far, makeRaw)
	}
	if err != nil {
		near.Close()
		far.Close()
		return nil, fmt.Errorf("make a pseudo-terminal: %w", err)
	}
	return &Pty{near, far, path}, nil
}

// Path is the far end, to be opened as a serial device.
func (p *Pty) Path() string { return p.path }

// Write writes to whoever has the far end open. Before, it lifts the exclusive use that serial drivers put on a terminal: a gateway
// that was killed could not open it again, since the far end is never closed for good.
func (p *Pty) Write(b []byte) (int, error) {
	onDescriptor(p.far, func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCNXCL, 0) })
	return p.File.Write(b)
}

// Close ends it at both ends: whoever has the far end open sees the device go.
func (p *Pty) Close() error {
	err := p.File.Close()
	p.far.Close()
	return err
}

// unlock makes the far end usable and finds its path.
func unlock(near *os.File) (path string, err error) {
	err = onDescriptor(near, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return os.NewSyscallError("unlock", err)
		}
		n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
		path = fmt.Sprintf("/dev/pts/%d", n)
		return os.NewSyscallError("number", err)
	})
	return path, err
}

// makeRaw is cfmakeraw(3).
func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// onDescriptor runs f without taking the file out of the runtime's poller, as File.Fd would.
func onDescriptor(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	return failed
}
