package fleet

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"midge/mqttsn/client"
)

// DeviceReport is what one device has done.
type DeviceReport struct {
	Device  string // client id
	Sleeper bool
	State   client.State

	Sent          uint64 // messages that it published, at any QoS
	Confirmable   uint64 // of them at QoS 1 and 2
	Acknowledged  uint64 // of those: confirmed by the gateway
	Open          uint64 // of all: not answered, or not sent, yet
	Lost          uint64 // at QoS 1 and 2: refused, or of a fate that nobody can know
	Skipped       uint64 // readings and answers never handed over, because too many waited already
	Retransmitted uint64 // frames sent again because no answer came
	Received      uint64 // commands
	Duplicates    uint64 // frames that repeated what had been handled before
	Connects      uint64 // sessions opened; each but the first is a reconnect
	Losses        uint64 // times that the gateway was given up, or dismissed the device
	Refusals      uint64 // CONNECTs that were refused
	Sleeps        uint64 // times that it fell asleep
}

// Reconnects counts the sessions after the first.
func (d DeviceReport) Reconnects() uint64 { return d.Connects - min(d.Connects, 1) }

// Totals are the sums over a fleet.
type Totals struct {
	DeviceReport // sums; Device, Sleeper and State mean nothing

	Elapsed    time.Duration
	Count      int    // devices
	Sleepers   int    // of them
	Reached    int    // devices that opened a session at least once
	Reconnects uint64 // sessions after the first of each device
	ByState    [client.Leaving + 1]int
}

// Add counts a device in.
func (t *Totals) Add(d DeviceReport) {
	t.Count++
	t.ByState[d.State]++
	if d.Sleeper {
		t.Sleepers++
	}
	if d.Connects > 0 {
		t.Reached++
	}
	t.Reconnects += d.Reconnects()
	t.Sent += d.Sent
	t.Confirmable += d.Confirmable
	t.Acknowledged += d.Acknowledged
	t.Open += d.Open
	t.Lost += d.Lost
	t.Skipped += d.Skipped
	t.Retransmitted += d.Retransmitted
	t.Received += d.Received
	t.Duplicates += d.Duplicates
	t.Connects += d.Connects
	t.Losses += d.Losses
	t.Refusals += d.Refusals
	t.Sleeps += d.Sleeps
}

// String is one line for a progress display.
func (t Totals) String() string {
	asleep := t.ByState[client.Asleep] + t.ByState[client.Awake]
	return fmt.Sprintf("%6s  active %d, asleep %d of %d  sent %d, acknowledged %d, open %d, lost %d  retransmitted %d  commands %d",
		t.Elapsed.Truncate(time.Second), t.ByState[client.Active]+t.ByState[client.FallingAsleep], asleep, t.Count,
		t.Sent, t.Acknowledged, t.Open, t.Lost, t.Retransmitted, t.Received)
}

// Report is what a fleet has done.
type Report struct {
	Totals
	Seed        uint64
	Sessionless bool           // at QoS −1 nobody connects
	Devices     []DeviceReport // in order of their numbers

	FramesIn, FramesOut uint64 // on all links
	LinkErrors          map[string]uint64
	Strays              uint64 // frames on a shared line for none of the devices
}

// Failure is nil when all is well. Otherwise it says in one sentence what was lost; messages without an answer count only for a fleet that
// had the time to wait for it, as interrupted ones have not.
func (r Report) Failure(interrupted bool) error {
	switch {
	case r.Lost > 0:
		return fmt.Errorf("%d messages at QoS 1 or 2 were lost", r.Lost)
	case r.Open > 0 && !interrupted:
		return fmt.Errorf("%d messages had no answer at the end", r.Open)
	case r.Reached < r.Count && !r.Sessionless && !interrupted:
		return fmt.Errorf("%d of %d devices never reached the gateway", r.Count-r.Reached, r.Count)
	}
	return nil
}

// rowsMax is how many devices the printed report names.
const rowsMax = 20

// Print writes the report as a table: a row for each device, of a large fleet only of the first that met with trouble.
func (r Report) Print(w io.Writer) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(d DeviceReport, reconnects uint64) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", d.Device, d.Sent, d.Acknowledged, d.Open, d.Lost,
			d.Retransmitted, d.Received, d.Duplicates, reconnects, d.Sleeps)
	}
	fmt.Fprintln(table, "device\tsent\tacked\topen\tlost\tresent\tcommands\trepeats\treconnects\tsleeps\t")
	rows, left := r.rows()
	for _, d := range rows {
		row(d, d.Reconnects())
	}
	all := r.DeviceReport
	all.Device = fmt.Sprintf("all %d", r.Count)
	row(all, r.Reconnects)
	table.Flush()
	fmt.Fprint(w, text.String())
	if left > 0 {
		fmt.Fprintf(w, "%d more devices are not listed\n", left)
	}
	if r.Skipped > 0 {
		fmt.Fprintf(w, "%d messages were never handed over, because too many waited already\n", r.Skipped)
	}
	fmt.Fprintf(w, "%v, seed %d, %d sleepers; frames out %d, in %d%s\n", r.Elapsed.Round(100*time.Millisecond), r.Seed, r.Sleepers,
		r.FramesOut, r.FramesIn, r.linkErrors())
}

// rows are the devices to name.
func (r Report) rows() (rows []DeviceReport, left int) {
	if len(r.Devices) <= rowsMax {
		return r.Devices, 0
	}
	for _, d := range r.Devices {
		if d.trouble() && len(rows) < rowsMax {
			rows = append(rows, d)
		}
	}
	return rows, len(r.Devices) - len(rows)
}

func (d DeviceReport) trouble() bool {
	return d.Lost > 0 || d.Open > 0 || d.Skipped > 0 || d.Losses > 0 || d.Refusals > 0
}

func (r Report) linkErrors() string {
	var b strings.Builder
	for _, reason := range slices.Sorted(maps.Keys(r.LinkErrors)) {
		if n := r.LinkErrors[reason]; n > 0 {
			fmt.Fprintf(&b, ", %s %d", reason, n)
		}
	}
	if r.Strays > 0 {
		fmt.Fprintf(&b, ", strays %d", r.Strays)
	}
	return b.String()
}
