//go:build !(linux || windows || freebsd || openbsd)

package serial

import (
	"errors"
	"runtime"
)

// usbPorts fails: the driver lists USB adapters here with cgo only.
func usbPorts() ([]usbPort, error) {
	return nil, errors.New("USB adapters cannot be listed on " + runtime.GOOS + ": write the path of the port")
}
