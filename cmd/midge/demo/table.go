package demo

import (
	"fmt"
	"strings"

	"midge/gateway"
)

// Widths in columns. Device, link and message take what they need and get.
const (
	deviceMost   = 23 // longest client id of the rule (§5.3.1)
	linkMost     = 10
	stateWidth   = 12
	numbersWidth = 28 // four numbers, as the format in row has them
	messageLeast = 16
	wholeTopic   = 40 // a message column so wide shows the whole topic
)

// layout is how wide the columns are.
type layout struct{ device, link, message int }

func layoutOf(devices []gateway.Device, cols int) layout {
	l := layout{device: len("device"), link: len("link")}
	for _, d := range devices {
		l.device = max(l.device, len(clean(d.ID)))
		l.link = max(l.link, len(clean(d.Link)))
	}
	l.device, l.link = min(l.device, deviceMost), min(l.link, linkMost)
	rest := cols - (l.device + 1 + l.link + 1 + stateWidth + 1 + numbersWidth)
	if missing := messageLeast - rest; missing > 0 {
		shorter := max(min(missing, l.device-len("device")), 0)
		l.device -= shorter
		rest += shorter
	}
	l.message = max(rest, messageLeast)
	return l
}

// table is a head and a row for each device, in at most rows+1 lines; the last one tells how many did not fit.
func table(devices []gateway.Device, cols, rows int) []string {
	l := layoutOf(devices, cols)
	lines := []string{fmt.Sprintf("%s %s %s %s %6s %6s %6s %6s", fit("device", l.device), fit("link", l.link), fit("state", stateWidth),
		fit("last message", l.message), "in", "out", "queued", "resent")}
	left := 0
	if rows = max(rows, 1); len(devices) > rows {
		left = len(devices) - (rows - 1)
		devices = devices[:rows-1]
	}
	for _, d := range devices {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %6d %6d %6d %6d", fit(clean(d.ID), l.device), fit(clean(d.Link), l.link), fit(stateText(d), stateWidth),
			fit(messageText(d, l.message), l.message), d.In, d.Out, d.Queued, d.Retransmitted))
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", left))
	}
	return lines
}

func stateText(d gateway.Device) string {
	if d.State == gateway.Asleep {
		return fmt.Sprintf("asleep %v", d.Sleep)
	}
	return d.State.String()
}

// messageText is the last topic and value. What every topic of the device begins with is left out where room is short.
func messageText(d gateway.Device, width int) string {
	topic := d.LastTopic
	if width < wholeTopic {
		topic = strings.TrimPrefix(topic, "sensors/"+d.ID+"/")
	}
	return strings.TrimSpace(clean(topic) + " " + clean(string(d.LastValue)))
}
