package demo

import (
	"fmt"

	"midge/gateway"
)

// watch finds what has happened between two snapshots of the gateway. It is a machine.
type watch struct {
	seen map[string]gateway.Device
}

// compare returns one sentence for each event since the last call, in order of the devices.
func (w *watch) compare(devices []gateway.Device) (events []string) {
	now := make(map[string]gateway.Device, len(devices))
	for _, d := range devices {
		now[d.ID] = d
		old, known := w.seen[d.ID]
		if !known {
			old = gateway.Device{ID: d.ID, State: gateway.Disconnected}
		}
		events = append(events, between(old, d)...)
	}
	w.seen = now
	return events
}

// here reports a state in which the gateway holds the device's session.
func here(s gateway.State) bool {
	return s == gateway.Active || s == gateway.Asleep || s == gateway.Awake
}

// between tells what became of one device.
func between(old, d gateway.Device) (events []string) {
	say := func(format string, args ...any) { events = append(events, fmt.Sprintf(format, args...)) }
	id := clean(d.ID)
	if here(d.State) && !here(old.State) {
		say("%s connected on link %s", id, clean(d.Link))
	}
	if old.Link != "" && old.Link != d.Link {
		say("%s moved to link %s", id, clean(d.Link))
	}
	if n := d.Out - min(d.Out, old.Out); n > 0 {
		say("%s delivered to %s", count(n, "message was", "messages were"), id)
	}
	if d.State == gateway.Asleep && d.Queued > old.Queued {
		say("%s for %s until it wakes", count(uint64(d.Queued), "message waits", "messages wait"), id)
	}
	if d.State != old.State {
		switch d.State {
		case gateway.Asleep:
			if old.State != gateway.Awake {
				say("%s fell asleep for %v", id, d.Sleep)
			}
		case gateway.Lost:
			say("%s was silent for too long and counts as lost", id)
		case gateway.Disconnected:
			say("%s disconnected", id)
		}
	}
	return events
}

func count(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
