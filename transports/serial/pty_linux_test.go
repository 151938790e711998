package serial

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"midge/transports"
	"midge/transports/linktest"
)

// fast is a rate at which tests need not wait for the line: 2.5 µs for an octet.
const fast = 4_000_000

func TestConforms(t *testing.T) {
	for _, framing := range Framings() {
		t.Run(framing, func(t *testing.T) {
			linktest.Conformance(t, func(t *testing.T) (transports.Link, func() transports.Link) {
				mtu := map[string]int{"raw": 2000, "hdlc": 2000, "slip": slipMTUMost, "loralink": loraMTUMost}[framing]
				device, path, err := OnPty(Config{Framing: framing, MTU: mtu, Far: true})
				if err != nil {
					t.Fatal(err)
				}
				gateway := openLine(t, Config{Device: path, Baud: fast, Framing: framing, MTU: mtu})
				return gateway, func() transports.Link { return device }
			})
		})
	}
}

// onTwoPtys is the far end of two pseudo-terminals, as two modems are.
func onTwoPtys(t *testing.T, c Config) (far *Link, device, deviceTx string) {
	t.Helper()
	rx, err := OpenPty()
	if err != nil {
		t.Fatal(err)
	}
	tx, err := OpenPty()
	if err != nil {
		t.Fatal(err)
	}
	if far, err = FromStream(modems{rx, tx}, c); err != nil {
		t.Fatal(err)
	}
	return far, rx.Path(), tx.Path()
}

func TestTwoPortsConform(t *testing.T) {
	linktest.Conformance(t, func(t *testing.T) (transports.Link, func() transports.Link) {
		far, device, deviceTx := onTwoPtys(t, Config{Framing: "loralink", MTU: loraMTUMost, Far: true})
		gateway := openLine(t, Config{Device: device, DeviceTx: deviceTx, Baud: fast, Framing: "loralink", MTU: loraMTUMost})
		return gateway, func() transports.Link { return far }
	})
}

// TestOneOfTwoIsUnplugged: the line is down while the device to send through is away, says that it is this one, and comes back by itself.
func TestOneOfTwoIsUnplugged(t *testing.T) {
	rx, err := OpenPty()
	if err != nil {
		t.Fatal(err)
	}
	defer rx.Close()
	deviceTx := filepath.Join(t.TempDir(), "usb-adapter")
	gateway := openLine(t, Config{Device: rx.Path(), DeviceTx: deviceTx, Baud: fast, Framing: "loralink", WaitForDevice: true})
	if s, want := gateway.Stats(), "serial device "+deviceTx+" does not exist"; s.Up || s.Why != want {
		t.Errorf("a line whose second device is missing is down and names it: %+v, not %q", s, want)
	}
	received := reader(gateway)
	for i := range 2 {
		tx, err := OpenPty()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(tx.Path(), deviceTx); err != nil {
			t.Fatal(err)
		}
		untilUp(t, gateway, true)
		rx.Write(appendLoRaLink(nil, []byte{4, 0xFF, 0xC4, 0, 9, loraMQTTSN}, linktest.Message(20, byte(i))))
		wantOn(t, received, "a node is heard once both are there", linktest.Message(20, byte(i)))
		gateway.WriteFrames([]transports.Frame{{Addr: transports.MakeAddr([]byte{4}), Data: []byte{2, 0x17}}})
		want := appendLoRaLink(nil, []byte{4, loraMQTTSN}, []byte{2, 0x17})
		got := make([]byte, len(want))
		if _, err := io.ReadFull(tx, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("and hears, through the second: %x and %v, not %x", got, err, want)
		}
		os.Remove(deviceTx)
		tx.Close() // it is pulled out
		untilUp(t, gateway, false)
		if why := gateway.Stats().Why; !strings.HasPrefix(why, "serial device "+deviceTx+" ") {
			t.Errorf("it is told which of the two has gone: %q", why)
		}
	}
	if n := gateway.Stats().Errors[transports.ReasonReopen]; n != 1 {
		t.Errorf("the line has been opened again once, not %d times", n)
	}
	gateway.Close()
	for range received {
	}
}

// untilUp waits until a link is up, or is not.
func untilUp(t *testing.T, l *Link, up bool) {
	t.Helper()
	for deadline := time.After(10 * time.Second); l.Stats().Up != up; {
		select {
		case <-l.Changes():
		case <-deadline:
			t.Fatalf("after 10 s the link has come to up=%v: %+v", up, l.Stats())
		}
	}
}

func TestTwoPortsAreTwo(t *testing.T) {
	device, path, err := OnPty(Config{Framing: "loralink", Far: true})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	other := filepath.Join(t.TempDir(), "usb-adapter")
	if err := os.Symlink(path, other); err != nil {
		t.Fatal(err)
	}
	want := "serial devices " + path + " and " + other + " are one and the same"
	if l, err := Open(Config{Device: path, DeviceTx: other, Framing: "loralink"}); err == nil || err.Error() != want {
		if err == nil {
			l.Close()
		}
		t.Errorf("one port under two names is refused: %v, not %q", err, want)
	}
	openLine(t, Config{Device: path, Framing: "loralink"}) // and nothing keeps it
}

func openLine(t *testing.T, c Config) *Link {
	t.Helper()
	l, err := Open(c)
	if err != nil {
		t.Fatalf("Open(%+v): %v", c, err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// reader reads a link into a channel, so that a test can give up waiting.
func reader(l *Link) <-chan []byte {
	c := make(chan []byte, 64)
	go func() {
		defer close(c)
		for {
			f := frames(1)
			if _, err := l.ReadFrames(f); err != nil {
				return
			}
			c <- f[0].Data
		}
	}()
	return c
}

func wantOn(t *testing.T, c <-chan []byte, sentence string, want []byte) {
	t.Helper()
	select {
	case got := <-c:
		if !bytes.Equal(got, want) {
			t.Fatalf("%s: got %x, want %x", sentence, got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: nothing came in 10 s", sentence)
	}
}

// TestUnplugAndReplug: the gateway's device is a symbolic link, as in /dev/serial/by-id, to a pseudo-terminal that goes away and to another
// that comes in its place.
func TestUnplugAndReplug(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usb-adapter")
	plug := func() (*Link, <-chan []byte) {
		device, pts, err := OnPty(Config{Framing: "hdlc"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { device.Close() })
		if err := os.Symlink(pts, path); err != nil {
			t.Fatal(err)
		}
		return device, reader(device)
	}
	device, heard := plug()
	gateway := openLine(t, Config{Device: path, Baud: fast, Framing: "hdlc"})
	received := reader(gateway)
	device.WriteFrames([]transports.Frame{{Data: linktest.Message(20, 1)}})
	wantOn(t, received, "the device is heard", linktest.Message(20, 1))

	os.Remove(path)
	device.Close() // the adapter is pulled out
	for range heard {
	}
	device, heard = plug()
	device.WriteFrames([]transports.Frame{{Data: linktest.Message(21, 1)}})
	wantOn(t, received, "the link comes back by itself and hears the device again", linktest.Message(21, 1))
	if s := gateway.Stats(); !s.Up || s.Errors[transports.ReasonReopen] != 1 {
		t.Errorf("it has been opened again once: %+v", s)
	}
	gateway.WriteFrames([]transports.Frame{{Data: linktest.Message(22, 1)}})
	wantOn(t, heard, "and hears", linktest.Message(22, 1))
	device.Close()
	gateway.Close()
	for range received {
	}
	for range heard {
	}
}

func TestWaitForDevice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usb-adapter")
	gateway := openLine(t, Config{Device: path, Baud: fast, WaitForDevice: true})
	if s := gateway.Stats(); s.Up || s.Why != "serial device "+path+" does not exist" {
		t.Errorf("a link that waits for its device is down and says why: %+v", s)
	}
	received := reader(gateway)
	device, pts, err := OnPty(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if err := os.Symlink(pts, path); err != nil {
		t.Fatal(err)
	}
	device.WriteFrames([]transports.Frame{{Data: linktest.Message(20, 1)}})
	wantOn(t, received, "the device is heard once it is there", linktest.Message(20, 1))
	gateway.Close()
	for range received {
	}
}

// TestLineCanBeOpenedAgain: a gateway that restarts finds the same pseudo-terminal.
func TestLineCanBeOpenedAgain(t *testing.T) {
	device, path, err := OnPty(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	for i := range 3 {
		gateway := openLine(t, Config{Device: path, Baud: fast})
		received := reader(gateway)
		device.WriteFrames([]transports.Frame{{Data: linktest.Message(20, byte(i))}})
		wantOn(t, received, "the device is heard by every gateway in turn", linktest.Message(20, byte(i)))
		gateway.Close()
		for range received {
		}
	}
}

// TestOneGatewayToALine: a second opener, root too, is told that the device is in use, and does not take a part of what comes; it has the line once the first is closed.
func TestOneGatewayToALine(t *testing.T) {
	device, path, err := OnPty(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	first := openLine(t, Config{Device: path, Baud: fast})
	want := "serial device " + path + " is in use by another program"
	if l, err := Open(Config{Device: path, Baud: 9600}); err == nil || err.Error() != want {
		if err == nil {
			l.Close()
		}
		t.Errorf("a device that a gateway has is refused to another: %v, not %q", err, want)
	}
	received := reader(first)
	device.WriteFrames([]transports.Frame{{Data: linktest.Message(20, 1)}})
	wantOn(t, received, "the first hears its device as before", linktest.Message(20, 1))
	first.Close()
	for range received {
	}
	openLine(t, Config{Device: path, Baud: fast})
}

// TestCloseOfAStuckLine: nobody reads the other end and the kernel's buffers are full.
func TestCloseOfAStuckLine(t *testing.T) {
	pty, err := OpenPty()
	if err != nil {
		t.Fatal(err)
	}
	defer pty.Close()
	gateway := openLine(t, Config{Device: pty.Path(), Baud: fast})
	if !gateway.line.locked {
		t.Fatal("the driver's descriptor is found, so that a write does not wait")
	}
	for range 400 {
		gateway.WriteFrames([]transports.Frame{{Data: linktest.Message(1000, 1)}})
	}
	begun := time.Now()
	gateway.Close()
	if took := time.Since(begun); took > closeGrace+2*time.Second {
		t.Errorf("Close takes not much longer than %v: %v", closeGrace, took)
	}
	s := gateway.Stats()
	if s.Errors[transports.ReasonQueueFull] == 0 || s.Errors[transports.ReasonSend]+s.Errors[transports.ReasonDown] == 0 {
		t.Errorf("what found no room and what was given up are counted: %+v", s)
	}
	if sum := s.FramesOut + s.Errors[transports.ReasonQueueFull] + s.Errors[transports.ReasonSend] + s.Errors[transports.ReasonDown]; sum != 400 {
		t.Errorf("every frame is counted once: %d of 400", sum)
	}
}

// TestDescriptorsBeyondSelect: with more than 1,024 descriptors in use the driver would panic.
func TestDescriptorsBeyondSelect(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < selectMax+100 {
		t.Skip("fewer descriptors than that are allowed here")
	}
	device, path, err := OnPty(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for top := 0; top < selectMax+10; {
		if top, err = unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
		fds = append(fds, top)
	}
	if l, err := Open(Config{Device: path, Baud: fast}); err == nil {
		l.Close()
		t.Error("a port that the driver could not read is refused")
	}

	// A device that is away keeps its places.
	away := filepath.Join(t.TempDir(), "usb-adapter")
	for _, fd := range fds[:parked] {
		unix.Close(fd)
	}
	fds = fds[parked:]
	gateway := openLine(t, Config{Device: away, Baud: fast, WaitForDevice: true})
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) // a connection that comes meanwhile
	if err != nil {
		t.Fatal(err)
	}
	fds = append(fds, fd)
	received := reader(gateway)
	if err := os.Symlink(path, away); err != nil {
		t.Fatal(err)
	}
	device.WriteFrames([]transports.Frame{{Data: linktest.Message(20, 1)}})
	wantOn(t, received, "the device comes back to its places", linktest.Message(20, 1))
	gateway.Close()
	for range received {
	}
}
