package demo

import (
	"fmt"
	"strings"
	"time"

	"midge/broker"
	"midge/gateway"
)

// view is what is shown at one moment.
type view struct {
	elapsed time.Duration
	devices []gateway.Device
	broker  broker.Counters
	events  []string // with their times, the latest last
}

// banner tells what runs where and what to try.
func (w where) banner() []string {
	links := "udp " + w.sn
	if w.serial != "" {
		links += ", serial " + w.serial
	}
	port := w.mqtt[strings.LastIndexByte(w.mqtt, ':')+1:]
	lines := []string{
		fmt.Sprintf("Midge demo: %d simulated devices, %d of them mostly asleep. Ctrl-C ends it.", w.devices, len(w.sleepers)),
		fmt.Sprintf("  MQTT %s   MQTT-SN %s", w.mqtt, links),
	}
	if w.http != "" {
		lines = append(lines, "  health and figures: http://"+w.http+"/healthz and /metrics")
	}
	if w.why != "" {
		lines = append(lines, "  "+w.why)
	}
	target := "udp-01"
	if len(w.sleepers) > 0 {
		target = w.sleepers[len(w.sleepers)-1]
	}
	return append(lines,
		"Try in another terminal, in the same folder; the second speaks to a sleeper:",
		fmt.Sprintf("  go run ./cmd/midge sub -t 'sensors/#' -v -p %s", port),
		fmt.Sprintf("  go run ./cmd/midge pub -t sensors/%s/set -m 21.5 -q 1 -p %s", target, port),
		"  (or mosquitto_sub and mosquitto_pub with the same flags)")
}

// sums is the line below the table.
func (v view) sums() string {
	var in, out, resent uint64
	held, asleep, queued := 0, 0, 0
	for _, d := range v.devices {
		in, out, resent, queued = in+d.In, out+d.Out, resent+d.Retransmitted, queued+d.Queued
		if here(d.State) || d.State == gateway.Connecting {
			held++
		}
		if d.State == gateway.Asleep {
			asleep++
		}
	}
	return fmt.Sprintf("%v: %d devices, %d asleep; in %d, out %d, queued %d, resent %d; MQTT clients %d",
		v.elapsed.Truncate(time.Second), held, asleep, in, out, queued, resent, max(0, v.broker.Connected-held))
}

// Rows of the screen that are not the table's: an empty line above it, its head, one below, the sums.
const (
	aroundTable = 4
	eventsShown = 4 // at most, below the sums
	rowsLeast   = 5 // of the table, before the banner goes
)

// draw lays the view out on a screen of so many columns and rows and returns its lines, none of them longer, no more than rows. What
// does not fit is left out: first events, then devices down to rowsLeast lines, then the banner.
func (v view) draw(banner []string, cols, rows int) (lines []string) {
	if rows-aroundTable-len(banner) < min(rowsLeast, len(v.devices)) {
		banner = nil
	}
	events := v.events[max(0, len(v.events)-eventsShown):]
	spare := rows - aroundTable - len(banner) - len(v.devices)
	events = events[len(events)-max(0, min(len(events), spare)):]

	lines = append(lines, banner...)
	lines = append(lines, "")
	lines = append(lines, table(v.devices, cols, rows-aroundTable-len(banner))...)
	lines = append(lines, "", v.sums())
	lines = append(lines, events...)
	lines = lines[:min(len(lines), max(rows, 0))]
	for i := range lines {
		lines[i] = strings.TrimRight(cut(lines[i], cols), " ")
	}
	return lines
}
