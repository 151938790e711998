//go:build linux || windows || freebsd || openbsd

package serial

import "go.bug.st/serial/enumerator"

// usbPorts are the USB adapters that are plugged in.
func usbPorts() (ports []usbPort, err error) {
	list, err := enumerator.GetDetailedPortsList()
	for _, p := range list {
		if p.IsUSB {
			ports = append(ports, usbPort{p.Name, p.VID, p.PID, p.SerialNumber})
		}
	}
	return ports, err
}
