package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// tinyDurable is every durable work in a second or two.
var tinyDurable = durableScale{
	budget: 200 * time.Millisecond, paced: 300 * time.Millisecond, settle: time.Millisecond, senders: 2, window: 8, queued: 200, sessions: 2, retained: 40,
}

// TestEveryDurableWork: each runs on a server that keeps its state, is killed, and comes back.
func TestEveryDurableWork(t *testing.T) {
	p, err := finders["mochi"](t.Context(), t.TempDir(), options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range durableWorks {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			f, err := runDurable(t.Context(), w, p, tinyDurable)
			if err != nil {
				t.Fatalf("the work runs on a small scale: %v", err)
			}
			if f.rate == 0 || f.cpu == 0 || f.written == 0 || f.due == 0 {
				t.Errorf("messages are acknowledged, and cost processor time and writes: %+v", f)
			}
			if restarts := strings.HasPrefix(w.name, "restart") || w.name == "durable"; restarts != (f.ready > 0 && f.anon > 0) {
				t.Errorf("a restart is measured where there is one: %+v", f)
			}
			if f.lost > f.due/10 {
				t.Errorf("a server that syncs has nearly all that it acknowledged: %s", f.wrong())
			}
		})
	}
}

// TestLossIsFound: a server that keeps nothing has lost everything that it acknowledged.
func TestLossIsFound(t *testing.T) {
	p, err := finders["mochi"](t.Context(), t.TempDir(), options{})
	if err != nil {
		t.Fatal(err)
	}
	p.durable = func(storeOptions) launcher { return p.launch }
	sc := tinyDurable
	f, err := runDurable(t.Context(), durableWorks[0], p, sc)
	if err != nil || f.due == 0 || f.lost != f.due {
		t.Errorf("all that was acknowledged is lost: %+v, error %v", f, err)
	}
}

func TestCheckOfWhatWasAcknowledged(t *testing.T) {
	c := &crowd{senders: []*sender{{number: 0, seq: 6}}}
	for _, seq := range []uint32{0, 1, 2, 4} {
		c.senders[0].mark(seq)
	}
	l := newLedger(1)
	for _, seq := range []uint32{0, 2, 3, 2} {
		l.note(0, seq)
	}
	var f durableFigures
	f.check(c, &l)
	if f.due != 4 || f.lost != 2 || f.twice != 1 {
		t.Errorf("of four acknowledged messages 1 and 4 are lost, one came twice: got %+v", f)
	}
}

func TestWrittenBy(t *testing.T) {
	before, err := writtenBy(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	median, slow, err := syncTime(t.TempDir())
	if err != nil || median <= 0 || slow < median {
		t.Fatalf("the device has a median and a slow sync time: %v, %v, error %v", median, slow, err)
	}
	after, err := writtenBy(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after != before && after-before < syncTimes*4096 {
		t.Errorf("%d writes of 4 KB are counted where the file system is on a device: got %d octets", syncTimes, after-before)
	}
}

func TestDurableTable(t *testing.T) {
	var r durableResults
	r.at("durable", "midge").add(durableFigures{rate: 60_000, written: 400, drain: 120_000, ready: 0.5, due: 10}, nil)
	r.at("durable", "midge").add(durableFigures{rate: 40_000, written: 600, drain: 80_000, ready: 0.5, due: 10, lost: 1}, nil)
	r.at("durable", "mosquitto").add(durableFigures{rate: 5_000, written: 50_000, due: 10}, nil)
	var b strings.Builder
	r.write(&b)
	r.writeMarks(&b)
	for _, want := range []string{
		"50,000     10x", "500   0.01x", "1 lost (10.0 %)", "none lost",
		"mark durable          at least 50000 msg/s (where a sync takes 0.3 ms): 50000.00, reached",
		"mark durable          nothing lost: MISSED",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table has %q:\n%s", want, b.String())
		}
	}
}
