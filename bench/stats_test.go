package main

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestMedian(t *testing.T) {
	for _, r := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(r.in); got != r.want {
			t.Errorf("median of %v: got %g, want %g", r.in, got, r.want)
		}
	}
}

func TestSummary(t *testing.T) {
	s := summary([]figures{
		{rate: 10, cpu: 3, due: 100, lost: 1},
		{rate: 30, cpu: 1, due: 300, lost: 9, twice: 2},
		{rate: 20, cpu: 2, due: 200, late: 4},
	})
	if s.rate != 20 || s.cpu != 2 {
		t.Errorf("rate and CPU are medians: got %g and %g, want 20 and 2", s.rate, s.cpu)
	}
	if s.lost != 9 || s.due != 300 || s.twice != 2 || s.late != 4 {
		t.Errorf("faults are those of the worst run: got %+v", s)
	}
}

func TestNumbers(t *testing.T) {
	for _, r := range []struct{ got, want string }{
		{grouped(0), "0"}, {grouped(999.6), "1,000"}, {grouped(1234567), "1,234,567"}, {grouped(-1234), "-1,234"}, {grouped(-0.2), "0"},
		{ratio(19, 1), "19x"}, {ratio(3, 2), "1.5x"}, {ratio(1, 4), "0.25x"}, {ratio(1, 0), "-"}, {ratio(0, 1), "-"},
	} {
		if r.got != r.want {
			t.Errorf("numbers read well: got %q, want %q", r.got, r.want)
		}
	}
}

func TestTable(t *testing.T) {
	var r results
	r.at("qos0-fanin", "midge").add(figures{rate: 1_900_000, cpu: .4, own: .2, due: 5e6}, nil)
	r.at("qos0-fanin", "mosquitto").add(figures{rate: 100_000, cpu: 8, own: .5, others: .31, due: 5e5, lost: 5e3}, nil)
	r.at("qos0-fanin", "mochi").add(figures{}, errors.New("start mochi: no luck"))
	r.at("slow-publishers", "midge").add(figures{rate: 5000, cpu: 18, own: 20, due: 25000, twice: 1, resent: 3}, nil)
	r.at("slow-publishers", "mosquitto").add(figures{rate: 5000, cpu: 12, own: 20, due: 25000}, nil)
	r.at("idle-memory", "midge").add(figures{perConn: 4096}, nil)
	r.at("idle-memory", "mosquitto").add(figures{perConn: 2048}, nil)
	var b strings.Builder
	r.write(&b)
	r.writeMarks(&b)
	const golden = "testdata/table.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the table is as in %s (rewrite with -update): got\n%s", golden, b.String())
	}
}

func TestParseProc(t *testing.T) {
	got, err := parseAnon([]byte("Name:\tx\nRssAnon:\t     252 kB\nRssFile:\t 4 kB\n"))
	if err != nil || got != 252<<10 {
		t.Errorf("RssAnon is read in KB: got %d, error %v", got, err)
	}
	if _, err := parseAnon([]byte("Name:\tx\n")); err == nil {
		t.Error("a status without RssAnon is an error")
	}
	busy, err := parseBusy([]byte("cpu  1 2 3 1000 1000 4 5 6 7 8\ncpu0 1\n"))
	if err != nil || busy != 21*10*time.Millisecond {
		t.Errorf("busy is all but idle and waiting for the disk: got %s, error %v", busy, err)
	}
	if _, err := parseBusy([]byte("intr 1\n")); err == nil {
		t.Error("a stat without a cpu line is an error")
	}
}

func TestCPUTime(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for i := range 10_000_000 {
		sum ^= i
	}
	after, err := cpuTime(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("work uses CPU time: %s before, %s after %d rounds, error %v", before, after, sum, err)
	}
	if _, err := cpuTime(1<<22 + 1); err == nil {
		t.Error("a process that does not exist has no CPU clock")
	}
}

func TestOptions(t *testing.T) {
	opt, err := parseOptions([]string{"-quick", "-only", "qos0-fanin, sn-20", "-peers", "midge"})
	if err != nil || opt.runs != 1 || len(opt.only) != 2 || len(opt.peers) != 1 {
		t.Errorf("flags are read: got %+v, error %v", opt, err)
	}
	for _, args := range [][]string{{"-only", "qos3"}, {"-peers", "emqx"}, {"-runs", "-1"}, {"qos0-fanin"}} {
		if _, err := parseOptions(args); err == nil {
			t.Errorf("%v is refused", args)
		}
	}
}
