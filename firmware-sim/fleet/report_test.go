package fleet

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"midge/mqttsn/client"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the text is that of %s, got:\n%s", path, got)
	}
}

// reportOf sums device reports.
func reportOf(devices ...DeviceReport) Report {
	r := Report{Seed: 42, Devices: devices, FramesOut: 1234, FramesIn: 1200, LinkErrors: map[string]uint64{"fault_lost": 55, "crc": 0, "queue_full": 3}, Strays: 2}
	for _, d := range devices {
		r.Add(d)
	}
	r.Elapsed = 61*time.Second + 234*time.Millisecond
	return r
}

func TestReportText(t *testing.T) {
	small := reportOf(
		DeviceReport{Device: "sim-01", State: client.Active, Sent: 120, Confirmable: 100, Acknowledged: 99, Open: 1, Retransmitted: 17, Received: 2, Connects: 1},
		DeviceReport{Device: "sim-02", State: client.Asleep, Sleeper: true, Sent: 6, Confirmable: 6, Acknowledged: 5, Lost: 1, Duplicates: 2, Connects: 3, Losses: 2, Sleeps: 12, Skipped: 4},
	)
	var many []DeviceReport
	for i := range 30 {
		d := DeviceReport{Device: fmt.Sprintf("sim-%02d", i+1), Sent: 10, Confirmable: 10, Acknowledged: 10, Connects: 1}
		if i%10 == 9 {
			d.Acknowledged, d.Open, d.Losses, d.Connects = 9, 1, 1, 2
		}
		many = append(many, d)
	}
	var b strings.Builder
	small.Print(&b)
	fmt.Fprintf(&b, "\n%s\n\n", small.Totals)
	reportOf(many...).Print(&b)
	golden(t, "report.txt", b.String())
}

func TestFailure(t *testing.T) {
	good := DeviceReport{Confirmable: 1, Acknowledged: 1, Connects: 1}
	rows := []struct {
		d                  DeviceReport
		whole, interrupted string
	}{
		{good, "", ""},
		{DeviceReport{Lost: 1, Connects: 1}, "1 messages at QoS 1 or 2 were lost", "1 messages at QoS 1 or 2 were lost"},
		{DeviceReport{Open: 2, Connects: 1}, "2 messages had no answer at the end", ""},
		{DeviceReport{}, "1 of 1 devices never reached the gateway", ""},
	}
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	for _, row := range rows {
		r := reportOf(row.d)
		if got := text(r.Failure(false)); got != row.whole {
			t.Errorf("a whole run of %+v fails with %q, got %q", row.d, row.whole, got)
		}
		if got := text(r.Failure(true)); got != row.interrupted {
			t.Errorf("an interrupted run of %+v fails with %q, got %q", row.d, row.interrupted, got)
		}
	}
}
