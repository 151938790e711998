package gateway

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// grid is what TestLossByLink measures.
const (
	gridDevices  = 5
	gridMessages = 40 // of each
	gridEvery    = 2 * time.Minute
	gridPath     = "testdata/loss.txt"
)

// gridLinks are the links of the grid, and where their time goes.
var gridLinks = []struct {
	name string
	air  func(*place) medium
	line bool // frames are lost, and time is spent, on the line; else on the air
}{
	{"udp", newDatagrams, false},
	{"hdlc 9600", newWire(forwarder, 9600, 0), true},
	{"hdlc 115200", newWire(forwarder, 115200, 0), true},
	{"slip 115200", newWire(bridge, 115200, 0), false},
	{"xbee 802.15.4", newWire(modem802154, 38400, 0), false},
	{"xbee zigbee", newWire(modemZigBee, 38400, 0), false},
}

const gridHead = `# What loss costs, by link and QoS: messages of 18 to 20 octets, one every two minutes and device, to topics that are registered. Of each: how many were delivered in the end, in
# percent; frames by both sides for each message, repetitions, keep-alive and new connections included; milliseconds of air (udp: 802.11 at 1 Mbit/s; slip, xbee: 802.15.4) or of line
# (hdlc) for each; and the seconds within which 95 of 100 came. loss is that of frames, each way: datagrams that vanish, packets that are damaged on the line, radio frames that are not
# heard. T_retry is 10 s; devices repeat three times, the gateway four, and a device that is lost then connects again. Its keep-alive is four minutes. Rewritten by go test ./gateway -run TestLossByLink -update.
`

// TestLossByLink is the price of loss as a table: reports up, commands down.
func TestLossByLink(t *testing.T) {
	if raceDetector { // there is no goroutine in it: one cell of each link will do
		for i := range gridLinks {
			playGrid(t, i, 0.3, 2, true)
		}
		return
	}
	var text strings.Builder
	text.WriteString(gridHead)
	for _, down := range []bool{false, true} {
		way := map[bool]string{false: "up: from a device to an MQTT client", true: "down: from an MQTT client to a device"}[down]
		fmt.Fprintf(&text, "\n%s\n%-14s %5s  %-31s %-31s %s\n", way, "link", "loss", "QoS 0:  %  frames     ms  95% s", "QoS 1:  %  frames     ms  95% s", "QoS 2:  %  frames     ms  95% s")
		for i, link := range gridLinks {
			for _, loss := range []int{0, 5, 10, 20, 30, 40, 50} {
				fmt.Fprintf(&text, "%-14s %3d %%", link.name, loss)
				for qos := range 3 {
					c := playGrid(t, i, float64(loss)/100, qos, down)
					fmt.Fprintf(&text, "  %8.1f %6.1f %7.1f %6.1f", c.delivered, c.frames, c.ms, c.delay)
					if qos > 0 && c.delivered != 100 {
						t.Errorf("%s at QoS %d over %s at %d %% loss: everything arrives in the end, not %.1f %%", way, qos, link.name, loss, c.delivered)
					}
				}
				text.WriteString("\n")
			}
		}
	}
	if *update {
		if err := os.WriteFile(gridPath, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(gridPath)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(text.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("line %d of %s is\n%s\nand now\n%s", i+1, gridPath, line, got[min(i, len(got)-1)])
		}
	}
}

// cell is one measurement: percent, frames and milliseconds for each message, and seconds.
type cell struct{ delivered, frames, ms, delay float64 }

func playGrid(t *testing.T, link int, loss float64, qos int, down bool) cell {
	w := &world{seed: uint64(1 + link), plan: plan{devices: gridDevices}, start: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), measured: map[string]time.Time{}}
	w.now = w.start
	w.mqtt.w, w.mqtt.commander.w, w.mqtt.commander.rng = w, w, w.stream(3)
	w.box = newBox(w, false)
	p := w.newPlace("link", gridLinks[link].air)
	w.newWatcher("watcher", 0)
	for i := range gridDevices {
		h := habits{every: gridEvery, qos: qos, keepAlive: 4 * time.Minute, commands: -1}
		if down {
			h.commands = qos
		}
		d := w.newDev(i, h, quality{})
		d.place = p
		p.air.join(d)
	}
	w.box.start()
	for _, d := range w.devs { // all is registered before anything is lost
		d.c.Connect(w.now)
		d.settle()
		w.run(w.now.Add(10 * time.Second))
		for range 6 {
			if down {
				w.mqtt.command(d)
			} else {
				d.report()
				d.settle()
			}
			w.run(w.now.Add(5 * time.Second))
		}
	}
	w.spoil(p, link, loss)
	w.count, w.delays = counts{}, nil
	clear(w.measured)
	for range gridMessages {
		for _, d := range w.devs {
			if down {
				w.mqtt.commandAt(d, qos)
			} else {
				d.report()
				d.settle()
			}
			w.run(w.now.Add(gridEvery / gridDevices))
		}
	}
	spent := w.count
	for end := w.now.Add(48 * time.Hour); qos > 0 && w.now.Before(end) && len(w.delays) < gridDevices*gridMessages; {
		w.run(w.now.Add(gridEvery))
		spent = w.count
	}
	if len(w.faults) > 0 {
		t.Errorf("%s at %v %% loss: %s", gridLinks[link].name, 100*loss, strings.Join(w.faults, "\n"))
	}
	const all = gridDevices * gridMessages
	c := cell{delivered: 100 * float64(len(w.delays)) / all, frames: float64(spent.frames) / all, ms: float64(spent.air.Microseconds()) / 1000 / all}
	if gridLinks[link].line {
		c.ms = float64(spent.line.Microseconds()) / 1000 / all
	}
	if slices.Sort(w.delays); len(w.delays) > 0 {
		c.delay = w.delays[(len(w.delays)-1)*95/100].Seconds()
	}
	return c
}

// spoil makes the link lose frames.
func (w *world) spoil(p *place, link int, loss float64) {
	if x, ok := p.air.(*wire); ok && gridLinks[link].line {
		x.damage = loss
		return
	}
	for _, d := range w.devs {
		d.path.loss, d.down.loss = loss, loss
	}
}

// published and arrived measure how long a message takes, if somebody wants to know.
func (w *world) published(payload []byte) {
	if w.measured != nil {
		w.measured[string(payload)] = w.now
	}
}

func (w *world) arrived(payload []byte) {
	if at, ok := w.measured[string(payload)]; ok {
		delete(w.measured, string(payload))
		w.delays = append(w.delays, w.now.Sub(at))
	}
}
