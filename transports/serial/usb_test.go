package serial

import "testing"

func TestUSBAdapters(t *testing.T) {
	ftdi := usbPort{"/dev/ttyUSB3", "0403", "6001", "A50285BI"}
	twin := usbPort{"/dev/ttyUSB1", "0403", "6001", "A9XYZ"}
	ch340 := usbPort{"/dev/ttyUSB0", "1A86", "7523", ""}
	for _, c := range []struct {
		device string
		ports  []usbPort
		path   string
		err    string
	}{
		{"auto:usb", []usbPort{ch340}, "/dev/ttyUSB0", ""},
		{"auto:usb 1a86:7523", []usbPort{ftdi, ch340}, "/dev/ttyUSB0", ""},
		{"auto:usb 0403:6001 A50285BI", []usbPort{twin, ftdi, ch340}, "/dev/ttyUSB3", ""},
		{"auto:usb 0403:6001", []usbPort{twin, ftdi, ch340}, "",
			"serial device auto:usb 0403:6001 is any of 2 USB adapters: 0403:6001 A9XYZ, 0403:6001 A50285BI; write one of these behind auto:usb"},
		{"auto:usb 0403:6015", []usbPort{ch340}, "", "serial device auto:usb 0403:6015 is not there; plugged in are 1a86:7523"},
		{"auto:usb", nil, "", "serial device auto:usb is not there: no USB adapter is plugged in"},
	} {
		w, err := parseAuto(c.device)
		if err != nil {
			t.Fatalf("%s is understood: %v", c.device, err)
		}
		path, err := w.pick(c.device, c.ports)
		if path != c.path || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s among %v is %q or %q: got %q, %v", c.device, c.ports, c.path, c.err, path, err)
		}
	}
	for _, device := range []string{"auto:", "auto:pci", "auto:usbx", "auto:usb 0403", "auto:usb 403:6001", "auto:usb 0403:60g1"} {
		if _, err := parseAuto(device); err == nil {
			t.Errorf("%q is refused", device)
		}
	}
	if l, err := Open(Config{Device: "auto:usb 0403", WaitForDevice: true}); err == nil {
		l.Close()
		t.Error("a device that cannot be meant is refused also where one would be waited for")
	}
}
