package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"midge/firmware-sim/fleet"
	"midge/internal/peertest"
	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports"
	"midge/transports/serial"
	"midge/transports/xbee/modem"
)

// port is a virtual serial port: the devices' end of it, and the path that midge opens.
func port(t *testing.T, framing string) (transports.Link, string) {
	t.Helper()
	var link transports.Link
	var path string
	var err error
	if framing == "xbee" {
		link, path, err = modem.OnPty(modem.Config{})
	} else {
		link, path, err = serial.OnPty(serial.Config{Framing: framing, Far: true})
	}
	if err != nil {
		peertest.Cannot(t, "no virtual serial line: %v", err)
	}
	return link, path
}

// portConfig is midge with one link on a port.
func portConfig(mqtt, health int, framing, path string) string {
	kind := fmt.Sprintf("type = \"serial\"\nframing = %q", framing)
	if framing == "xbee" {
		kind = `type = "xbee"`
	}
	return fmt.Sprintf(`
[node]
data_dir = ""
[[listener]]
address = "127.0.0.1:%d"
[[link]]
name = "field"
%s
device = %q
retry_interval = "500ms"
retry_count = 20
[http]
address = "127.0.0.1:%d"
`, mqtt, kind, path, health)
}

// TestEveryPort: on each kind of serial port a device publishes at QoS 1 and gets a command that was sent while it was asleep.
func TestEveryPort(t *testing.T) {
	for _, framing := range fleet.Framings() {
		t.Run(framing, func(t *testing.T) {
			link, path := port(t, framing)
			mqtt, health := peertest.FreePort(t), peertest.FreePort(t)
			midge := startMidge(t, portConfig(mqtt, health, framing, path))
			here := subscribe(t, mqtt, "-t", "up/#", "-q", "1")
			d := newDevice(t, link, patient("valve"))
			d.connectAtLast()
			d.subscribe("down/valve", mqttsn.AtLeastOnce)
			for i := range 5 {
				d.publish("up/valve", fmt.Sprint(i), mqttsn.AtLeastOnce)
				if p := await[client.Published](d, "a publish is acknowledged"); p.Code != mqttsn.Accepted {
					t.Fatalf("a publish is accepted, not %v", p.Code)
				}
			}
			equal(t, "every message arrives once", here.waitCount("the device's messages", "up/valve", 5), []string{"up/valve 0", "up/valve 1", "up/valve 2", "up/valve 3", "up/valve 4"})
			for _, command := range []string{"open", "shut"} {
				d.do("sleep", func(c *client.Client, now time.Time) error { return c.Sleep(now, time.Minute) })
				await[client.FellAsleep](d, "the device is asleep")
				publish(t, mqtt, "-t", "down/valve", "-m", command, "-q", "1")
				d.do("wake", func(c *client.Client, now time.Time) error { return c.Wake(now) })
				if m := await[client.Message](d, "the command comes when the device wakes"); string(m.Payload) != command {
					t.Errorf("the device gets %q, not %q", command, m.Payload)
				}
				await[client.AwakeEnded](d, "then it may sleep on")
				d.do("connect", func(c *client.Client, now time.Time) error { return c.Connect(now) })
				await[client.Connected](d, "it comes back")
			}
			midge.stop()
			if midge.err != nil {
				t.Errorf("SIGTERM ends midge without an error: %v", midge.err)
			}
		})
	}
}

// twoPorts is the far end of two virtual serial ports: what midge sends comes through one, what it hears goes to the other.
type twoPorts struct{ rx, tx *serial.Pty }

func (p twoPorts) Read(b []byte) (int, error)  { return p.tx.Read(b) }
func (p twoPorts) Write(b []byte) (int, error) { return p.rx.Write(b) }
func (p twoPorts) Close() error                { return errors.Join(p.rx.Close(), p.tx.Close()) }

// TestTwoModems: with device_tx a LoRaLink modem receives and another sends.
func TestTwoModems(t *testing.T) {
	var p twoPorts
	for _, pty := range []**serial.Pty{&p.rx, &p.tx} {
		var err error
		if *pty, err = serial.OpenPty(); err != nil {
			peertest.Cannot(t, "no virtual serial line: %v", err)
		}
	}
	link, err := serial.FromStream(p, serial.Config{Framing: "loralink", Far: true})
	if err != nil {
		t.Fatal(err)
	}
	mqtt := peertest.FreePort(t)
	config := portConfig(mqtt, peertest.FreePort(t), "loralink", p.rx.Path())
	startMidge(t, strings.Replace(config, "device = ", fmt.Sprintf("device_tx = %q\ndevice = ", p.tx.Path()), 1))
	here := subscribe(t, mqtt, "-t", "up/#", "-q", "1")
	d := newDevice(t, link, patient("valve"))
	d.connectAtLast()
	d.subscribe("down/valve", mqttsn.AtLeastOnce)
	d.publish("up/valve", "1", mqttsn.AtLeastOnce)
	await[client.Published](d, "a publish is acknowledged")
	equal(t, "the message arrives", here.waitCount("the device's message", "up/valve", 1), []string{"up/valve 1"})
	publish(t, mqtt, "-t", "down/valve", "-m", "open", "-q", "1")
	if m := await[client.Message](d, "a command comes through the other modem"); string(m.Payload) != "open" {
		t.Errorf("the device gets %q, not %q", m.Payload, "open")
	}
}

// TestManyDevicesOnOnePort: eight devices on one line, half of them asleep most of the time, lose nothing on a line that loses a tenth of the frames.
func TestManyDevicesOnOnePort(t *testing.T) {
	for _, framing := range fleet.Framings() {
		t.Run(framing, func(t *testing.T) {
			shared, path, err := fleet.OpenPty(framing)
			if err != nil {
				peertest.Cannot(t, "no virtual serial line: %v", err)
			}
			startMidge(t, portConfig(peertest.FreePort(t), peertest.FreePort(t), framing, path))
			f, err := fleet.New(fleet.Config{Shared: shared, Nodes: fleet.Nodes(framing), Devices: 8, QoS: 1, Sleep: 0.5, SleepDuration: time.Second, Interval: 200 * time.Millisecond,
				Duration: 3 * time.Second, Loss: 0.1, Retry: 500 * time.Millisecond, Retries: 20, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			report, err := f.Run(t.Context())
			if err == nil {
				err = report.Failure(false)
			}
			if err != nil {
				t.Error(err)
			}
			if report.Acknowledged < 8 {
				t.Errorf("every device has something acknowledged: %d messages of %d", report.Acknowledged, report.Sent)
			}
		})
	}
}

// adapter is a link whose port is pulled out and put in again.
type adapter struct {
	plugged sync.Cond // with its mutex: link, closed
	link    transports.Link
	closed  bool
}

func newAdapter() *adapter {
	a := &adapter{}
	a.plugged.L = &sync.Mutex{}
	return a
}

// plug puts a port in, or with nil pulls it out.
func (a *adapter) plug(link transports.Link) {
	a.plugged.L.Lock()
	before := a.link
	a.link = link
	a.plugged.L.Unlock()
	a.plugged.Broadcast()
	if before != nil {
		before.Close()
	}
}

func (a *adapter) now() (link transports.Link, closed bool) {
	a.plugged.L.Lock()
	defer a.plugged.L.Unlock()
	return a.link, a.closed
}

func (a *adapter) ReadFrames(frames []transports.Frame) (int, error) {
	for {
		a.plugged.L.Lock()
		for a.link == nil && !a.closed {
			a.plugged.Wait()
		}
		link, closed := a.link, a.closed
		a.plugged.L.Unlock()
		if closed {
			return 0, transports.ErrClosed
		}
		if n, err := link.ReadFrames(frames); err == nil {
			return n, nil
		}
		a.plugged.L.Lock()
		if a.link == link {
			a.link = nil
		}
		a.plugged.L.Unlock()
	}
}

func (a *adapter) WriteFrames(frames []transports.Frame) {
	if link, _ := a.now(); link != nil {
		link.WriteFrames(frames)
	}
}

func (a *adapter) MTU() int                               { return 60 }
func (a *adapter) FormatAddr(addr transports.Addr) string { return "adapter" }
func (a *adapter) Stats() transports.Stats                { return transports.Stats{} }
func (a *adapter) Close() error {
	a.plugged.L.Lock()
	a.closed = true
	a.plugged.L.Unlock()
	a.plug(nil)
	return nil
}

// TestUnplugLosesNothing: the adapter of each kind of port is pulled out in the middle of things, several times, and put in again under another name. What the device was told is safe
// has arrived, and so has all the rest in the end, in both directions.
func TestUnplugLosesNothing(t *testing.T) {
	for _, framing := range fleet.Framings() {
		t.Run(framing, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "usb-adapter")
			a := newAdapter()
			plug := func() {
				link, pts := port(t, framing)
				os.Remove(path)
				if err := os.Symlink(pts, path); err != nil {
					t.Fatal(err)
				}
				a.plug(link)
			}
			plug()
			mqtt := peertest.FreePort(t)
			startMidge(t, portConfig(mqtt, peertest.FreePort(t), framing, path))
			here := subscribe(t, mqtt, "-t", "up/#", "-q", "1")
			cfg := patient("valve")
			d := newDevice(t, a, cfg)
			d.connectAtLast()
			d.subscribe("down/valve", mqttsn.AtLeastOnce)
			const rounds = 3
			sent, got := []string{}, map[string]bool{}
			for round := range rounds {
				for i := range 4 {
					m := fmt.Sprintf("%d.%d", round, i)
					d.publish("up/valve", m, mqttsn.AtLeastOnce)
					publish(t, mqtt, "-t", "down/valve", "-m", m, "-q", "1")
					sent = append(sent, m)
				}
				a.plug(nil)
				os.Remove(path)
				plug()
			}
			acknowledged := 0
			for deadline := time.After(patience); acknowledged < len(sent) || len(got) < len(sent); {
				select {
				case e := <-d.events:
					switch e := e.(type) {
					case client.Published:
						acknowledged++
					case client.Message:
						got[string(e.Payload)] = true
					}
				case <-deadline:
					t.Fatalf("everything is acknowledged and delivered in the end: %d and %d of %d", acknowledged, len(got), len(sent))
				}
			}
			for _, m := range sent {
				if !got[m] {
					t.Errorf("command %s has arrived", m)
				}
			}
			here.wait("the last message arrives", func(line string) bool { return line == "up/valve "+sent[len(sent)-1] })
			arrived := []string{}
			for _, line := range here.output() {
				if m, ok := strings.CutPrefix(line, "up/valve "); ok && !slices.Contains(arrived, m) {
					arrived = append(arrived, m)
				}
			}
			equal(t, "every message that was acknowledged has arrived, in order", arrived, sent)
		})
	}
}
