package faults

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"midge/transports"
	"midge/transports/linktest"
)

func TestMain(m *testing.M) { linktest.Main(m) }

func TestPerfectLinkConforms(t *testing.T) {
	linktest.Conformance(t, func(*testing.T) (transports.Link, func() transports.Link) {
		n := linktest.NewNet(1)
		return Wrap(n.Gateway(), Faults{}), func() transports.Link { return Wrap(n.Device(), Faults{}) }
	})
}

func TestSlowLinkConforms(t *testing.T) {
	linktest.Conformance(t, func(*testing.T) (transports.Link, func() transports.Link) {
		n := linktest.NewNet(1)
		return Wrap(n.Gateway(), Faults{Delay: time.Millisecond}), func() transports.Link { return n.Device() }
	})
}

// fates runs n frames, one every 10 ms, through a lane and tells what came out when.
func fates(f Faults, n int) (out []string, l *lane) {
	l = newLane(f, 1)
	start := time.Unix(0, 0)
	for i := range n {
		l.push(start.Add(time.Duration(i)*10*time.Millisecond), transports.Frame{Data: []byte{byte(i >> 8), byte(i), 0}})
	}
	for due, some := l.next(); some; due, some = l.next() {
		if _, early := l.pop(due.Add(-1)); early {
			out = append(out, "early")
		}
		got, _ := l.pop(due)
		out = append(out, fmt.Sprintf("%v %x", due.Sub(start), got.Data))
	}
	return out, l
}

func TestSeedDecidesAll(t *testing.T) {
	f := Faults{Loss: 0.2, Dup: 0.1, Corrupt: 0.1, Reorder: 0.1, Delay: time.Second, Jitter: time.Second, Seed: 42}
	a, _ := fates(f, 500)
	b, _ := fates(f, 500)
	if !slices.Equal(a, b) {
		t.Error("the same seed gives every frame the same fate")
	}
	f.Seed = 43
	if c, _ := fates(f, 500); slices.Equal(a, c) {
		t.Error("another seed gives another fate")
	}
	f = Faults{Loss: 0.2, Seed: 42}
	without, _ := fates(f, 500)
	f.Dup, f.Delay = 0.5, 0
	_, l := fates(f, 500)
	if lost := uint64(500 - len(without)); l.lost != lost {
		t.Errorf("which frames are lost does not depend on the other faults: %d, %d", l.lost, lost)
	}
}

func TestFaultsHappenAsOftenAsTold(t *testing.T) {
	const n = 20_000
	_, l := fates(Faults{Loss: 0.2, Dup: 0.1, Corrupt: 0.05, Reorder: 0.02, Seed: 7}, n)
	survivors := float64(n - l.lost)
	for _, c := range []struct {
		name      string
		got, want float64
	}{{"lost", float64(l.lost), 0.2 * n}, {"duplicated", float64(l.duplicated), 0.1 * survivors}, {"corrupted", float64(l.corrupted), 0.05 * survivors}, {"reordered", float64(l.reordered), 0.02 * survivors}} {
		if c.got < 0.85*c.want || c.got > 1.15*c.want {
			t.Errorf("about %.0f of %d frames are %s, not %.0f", c.want, n, c.name, c.got)
		}
	}
}

func TestEachFaultAlone(t *testing.T) {
	for _, c := range []struct {
		name  string
		f     Faults
		check func(out []string) bool
	}{
		{"none: all in time and order", Faults{}, func(out []string) bool {
			return slices.Equal(out, []string{"0s 000000", "10ms 000100", "20ms 000200", "30ms 000300"})
		}},
		{"all lost", Faults{Loss: 1}, func(out []string) bool { return len(out) == 0 }},
		{"all twice", Faults{Dup: 1}, func(out []string) bool { return len(out) == 8 && out[0] == out[1] && out[6] == out[7] }},
		{"all late", Faults{Delay: time.Second}, func(out []string) bool {
			return slices.Equal(out, []string{"1s 000000", "1.01s 000100", "1.02s 000200", "1.03s 000300"})
		}},
		{"one bit flipped", Faults{Corrupt: 1}, func(out []string) bool {
			return len(out) == 4 && out[0] != "0s 000000" && out[3] != "30ms 000300"
		}},
	} {
		if out, _ := fates(c.f, 4); !c.check(out) {
			t.Errorf("%s: %v", c.name, out)
		}
	}
	out, l := fates(Faults{Reorder: 0.3, Seed: 3}, 30)
	order := slices.IsSortedFunc(out, func(a, b string) int { return bytes.Compare([]byte(a[len(a)-6:]), []byte(b[len(b)-6:])) })
	if order || l.reordered == 0 || len(out) != 30 {
		t.Errorf("frames held back are overtaken: %v", out)
	}
}

func TestBothDirectionsInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := linktest.NewNet(1)
		device := n.Device()
		gw := Wrap(n.Gateway(), Faults{Delay: 3 * time.Second})
		start := time.Now()
		device.WriteFrames([]transports.Frame{{Data: linktest.Message(9, 1)}})
		f := []transports.Frame{{Data: make([]byte, 0, 64)}}
		if k, err := gw.ReadFrames(f); k != 1 || err != nil || time.Since(start) != 3*time.Second || f[0].Addr != device.Addr() {
			t.Errorf("a frame arrives after 3 s: %d, %v after %v", k, err, time.Since(start))
		}
		gw.WriteFrames([]transports.Frame{{Addr: f[0].Addr, Data: linktest.Message(10, 1)}})
		if k, err := device.ReadFrames(f); k != 1 || err != nil || time.Since(start) != 6*time.Second {
			t.Errorf("and the answer after 3 s more: %d, %v after %v", k, err, time.Since(start))
		}
		device.WriteFrames([]transports.Frame{{Data: linktest.Message(9, 1)}})
		gw.Close()
		if _, err := gw.ReadFrames(f); !errors.Is(err, transports.ErrClosed) {
			t.Errorf("what is on its way at Close is lost: %v", err)
		}
		if s := gw.Stats(); s.Up || s.Errors[ReasonLost] != 0 || s.FramesOut != 1 {
			t.Errorf("the figures are those of the link inside and its faults: %+v", s)
		}
	})
}

func TestLossShowsInStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := linktest.NewNet(1)
		device := n.Device()
		gw := Wrap(n.Gateway(), Faults{Loss: 1})
		device.WriteFrames([]transports.Frame{{Data: linktest.Message(9, 1)}})
		gw.WriteFrames([]transports.Frame{{Addr: device.Addr(), Data: linktest.Message(9, 1)}})
		synctest.Wait()
		if got := gw.Stats().Errors[ReasonLost]; got != 2 {
			t.Errorf("both directions count: got %d, want 2", got)
		}
		gw.Close()
	})
}
