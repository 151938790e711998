package serial

import (
	"fmt"
	"strings"
)

// autoPrefix begins a device that is looked for each time it is opened: "auto:usb", "auto:usb VID:PID" or "auto:usb VID:PID SERIAL".
const autoPrefix = "auto:"

// usbPort is a port that is a USB adapter, its numbers in hexadecimal digits.
type usbPort struct{ path, vid, pid, serial string }

func (p usbPort) String() string {
	return strings.TrimSpace(strings.ToLower(p.vid+":"+p.pid) + " " + p.serial)
}

// usbWanted is what stands behind "auto:usb"; empty strings match all.
type usbWanted struct{ vid, pid, serial string }

func parseAuto(device string) (w usbWanted, err error) {
	rest, ok := strings.CutPrefix(device, autoPrefix+"usb")
	ids, serial, _ := strings.Cut(strings.TrimSpace(rest), " ")
	vid, pid, pair := strings.Cut(ids, ":")
	if !ok || rest != "" && rest[0] != ' ' || ids != "" && (!pair || !fourDigits(vid) || !fourDigits(pid)) {
		return w, fmt.Errorf("serial device %q must be \"auto:usb\", \"auto:usb 0403:6001\" or \"auto:usb 0403:6001 SERIAL\"", device)
	}
	return usbWanted{vid, pid, strings.TrimSpace(serial)}, nil
}

func fourDigits(s string) bool {
	return len(s) == 4 && strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
}

// pathOf is the path of a device, which for one that is looked for is where it stands now.
func pathOf(device string) (string, error) {
	if !strings.HasPrefix(device, autoPrefix) {
		return device, nil
	}
	w, err := parseAuto(device)
	if err != nil {
		return "", err
	}
	ports, err := usbPorts()
	if err != nil {
		return "", fmt.Errorf("find serial device %s: %w", device, err)
	}
	return w.pick(device, ports)
}

// pick finds the one port that is wanted.
func (w usbWanted) pick(device string, ports []usbPort) (path string, err error) {
	var found, all []string
	for _, p := range ports {
		all = append(all, p.String())
		if (w.vid == "" || strings.EqualFold(w.vid, p.vid) && strings.EqualFold(w.pid, p.pid)) && (w.serial == "" || w.serial == p.serial) {
			path, found = p.path, append(found, p.String())
		}
	}
	switch {
	case len(found) == 1:
		return path, nil
	case len(found) > 1:
		return "", fmt.Errorf("serial device %s is any of %d USB adapters: %s; write one of these behind auto:usb", device, len(found), strings.Join(found, ", "))
	case len(all) == 0:
		return "", fmt.Errorf("serial device %s is not there: no USB adapter is plugged in", device)
	}
	return "", fmt.Errorf("serial device %s is not there; plugged in are %s", device, strings.Join(all, ", "))
}
