//go:build unix

package serial

import (
	"errors"
	"reflect"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// descriptor is the number that the driver keeps to itself; −1 when it is not found, and the link does without.
func descriptor(p serial.Port) int {
	v := reflect.Indirect(reflect.ValueOf(p))
	if v.Kind() != reflect.Struct {
		return -1
	}
	if f := v.FieldByName("handle"); f.IsValid() && f.CanInt() {
		return int(f.Int())
	}
	return -1
}

// setNonblock makes writes return at once: one that waits for a stuck adapter could not be ended by closing the port.
func setNonblock(p serial.Port) bool {
	fd := descriptor(p)
	return fd >= 0 && unix.SetNonblock(fd, true) == nil
}

// selectMax is the number of descriptors that select(2) can wait for (FD_SETSIZE).
const selectMax = 1024

// usable reports a port that the driver could not read. Its pipe has the next descriptors.
func usable(p serial.Port) error {
	if descriptor(p) >= selectMax-2 {
		return errors.New("too many files and connections are open for the serial driver, which can wait for the first 1,024 only")
	}
	return nil
}

// claim keeps other programs that ask, a second gateway among them, off a device until release: TIOCEXCL, which the driver sets, does not keep root out, and
// of two readers of a line each would get a part. A device that cannot be opened is left to the driver, which says why.
func claim(device string) (release func(), err error) {
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return func() {}, nil
	}
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK {
		unix.Close(fd)
		return nil, unix.EBUSY
	}
	return func() { unix.Close(fd) }, nil
}

// parking keeps low descriptors for a device that is away, which would otherwise find them
// taken by connections when it comes back.
type parking struct{ fds []int }

// parked is more than the two ports of a line take, each itself, the claim and the two ends of the driver's pipe: in the moment of opening others
// may take some of them.
const parked = 16

func (k *parking) occupy() {
	for len(k.fds) < parked {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		k.fds = append(k.fds, fd)
	}
}

func (k *parking) leave() {
	for _, fd := range k.fds {
		unix.Close(fd)
	}
	k.fds = nil
}
