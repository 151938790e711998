package serial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"go.bug.st/serial"
)

// port is a Port of the driver with what it leaves open.
type port struct {
	serial.Port
	release func() // the claim
}

// openPort opens a device at 8N1. The error is one sentence.
func openPort(device string, baud int) (*line, error) {
	if strings.HasPrefix(device, tcpPrefix) {
		return dialPort(device)
	}
	device, err := pathOf(device)
	if err != nil {
		return nil, err
	}
	release, err := claim(device)
	if err != nil {
		return nil, inUse(device, err)
	}
	p, err := serial.Open(device, &serial.Mode{BaudRate: baud, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit})
	if err != nil {
		release()
		return nil, openError(device, baud, err)
	}
	claimed := port{p, release}
	if err := usable(p); err != nil {
		claimed.Close()
		return nil, fmt.Errorf("serial device %s: %w", device, err)
	}
	return &line{stream: claimed, timed: true, locked: setNonblock(p), timeout: -1}, nil
}

// openPorts opens the port of a line, or its two. The error is one sentence that names the device it is about.
func openPorts(c Config) (*line, error) {
	rx, err := openPort(c.Device, c.Baud)
	if err != nil || c.DeviceTx == "" {
		return rx, err
	}
	if samePort(c.Device, c.DeviceTx) {
		rx.kill()
		return nil, fmt.Errorf("serial devices %s and %s are one and the same", c.Device, c.DeviceTx)
	}
	tx, err := openPort(c.DeviceTx, c.Baud)
	if err != nil {
		rx.kill()
		return nil, err
	}
	both := newTwin(namedStream{rx.stream, c.Device}, namedStream{tx.stream, c.DeviceTx}, addressedByName(c.Framing).cut)
	return &line{stream: both, timed: true, locked: tx.locked, timeout: -1}, nil
}

// samePort reports whether two devices, by whatever names, are the same port.
func samePort(a, b string) bool {
	var found [2]os.FileInfo
	for i, device := range []string{a, b} {
		path, err := pathOf(device)
		if err != nil {
			return false
		}
		if found[i], err = os.Stat(path); err != nil {
			return false
		}
	}
	return os.SameFile(found[0], found[1])
}

// Close closes the port and lets others have the device.
func (p port) Close() error {
	defer p.release()
	return p.Port.Close()
}

// Read reads; 0 and nil mean that nothing came. The driver waits by select(2), which knows descriptors below
// 1,024 only and panics beyond: that is one lost line and not the end of the broker.
func (p port) Read(b []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("the driver failed: %v", r)
		}
	}()
	n, err = p.Port.Read(b)
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
		return n, nil
	}
	return n, err
}

// openError says what went wrong in the words of the person at the box.
func openError(device string, baud int, err error) error {
	var p *serial.PortError
	code := serial.PortErrorCode(-1)
	if errors.As(err, &p) {
		code = p.Code()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) || code == serial.PortNotFound:
		return &openFailure{fmt.Sprintf("serial device %s does not exist", device), err}
	case errors.Is(err, fs.ErrPermission) || code == serial.PermissionDenied:
		return &openFailure{fmt.Sprintf("serial device %s may not be opened by this user (on most systems the group dialout may)", device), err}
	case code == serial.PortBusy:
		return inUse(device, err)
	case code == serial.InvalidSpeed:
		return &openFailure{fmt.Sprintf("serial device %s does not take %d baud", device, baud), err}
	case code == serial.InvalidSerialPort:
		return fmt.Errorf("%s is not a serial device, or does not take %d baud: %w", device, baud, err)
	}
	return fmt.Errorf("open serial device %s: %w", device, err)
}

func inUse(device string, err error) error {
	return &openFailure{fmt.Sprintf("serial device %s is in use by another program", device), err}
}

// openFailure is one sentence for a cause that errors.Is and errors.As still find.
type openFailure struct {
	sentence string
	err      error
}

func (e *openFailure) Error() string { return e.sentence }

func (e *openFailure) Unwrap() error { return e.err }

// goneBecause says why a line that was open failed.
func goneBecause(err error) string {
	var p *serial.PortError
	switch {
	case errors.As(err, &p) && p.Code() == serial.PortClosed, errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		return "it was unplugged or its other end was closed"
	}
	return err.Error()
}
