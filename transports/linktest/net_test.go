package linktest_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"midge/transports"
	"midge/transports/linktest"
)

func TestMain(m *testing.M) { linktest.Main(m) }

func TestNetConforms(t *testing.T) {
	linktest.Conformance(t, func(*testing.T) (transports.Link, func() transports.Link) {
		n := linktest.NewNet(1)
		return n.Gateway(), func() transports.Link { return n.Device() }
	})
}

func frames(n int) []transports.Frame {
	f := make([]transports.Frame, n)
	for i := range f {
		f[i].Data = make([]byte, 0, 64)
	}
	return f
}

func TestNetReachesWhomItShould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := linktest.NewNet(7)
		gw, a, b := n.Gateway(), n.Device(), n.Device()
		if a.Addr() == b.Addr() {
			t.Fatal("two devices have two addresses")
		}
		gw.WriteFrames([]transports.Frame{{Addr: b.Addr(), Data: linktest.Message(9, 1)}, {Broadcast: true, Data: linktest.Message(5, 2)}})
		got := frames(4)
		if k, _ := a.ReadFrames(got); k != 1 || !got[0].Broadcast || !bytes.Equal(got[0].Data, linktest.Message(5, 2)) {
			t.Errorf("device a hears the broadcast only: %d %+v", k, got[:k])
		}
		got = frames(4)
		if k, _ := b.ReadFrames(got); k != 2 || got[0].Broadcast || !got[1].Broadcast {
			t.Errorf("device b hears its own frame, then the broadcast: %d %+v", k, got[:k])
		}
		a.WriteFrames([]transports.Frame{{Broadcast: true, Data: linktest.Message(3, 3)}})
		got = frames(4)
		if k, _ := gw.ReadFrames(got); k != 1 || got[0].Addr != a.Addr() || !got[0].Broadcast {
			t.Errorf("the gateway hears device a's broadcast with its address: %d %+v", k, got[:k])
		}
		got = frames(4)
		if k, _ := b.ReadFrames(got); k != 1 || got[0].Addr != a.Addr() || !got[0].Broadcast {
			t.Errorf("so does device b: %d %+v", k, got[:k])
		}
		gw.WriteFrames([]transports.Frame{{Addr: transports.MakeAddr([]byte{9}), Data: linktest.Message(9, 1)}})
		if got := gw.Stats().Errors[transports.ReasonAddress]; got != 1 {
			t.Errorf("a frame to nobody is counted: got %d, want 1", got)
		}
	})
}

func TestNetIsTheSameFromTheSameSeed(t *testing.T) {
	a, b, c := linktest.NewNet(3), linktest.NewNet(3), linktest.NewNet(4)
	x, y, z := a.Device().Addr(), b.Device().Addr(), c.Device().Addr()
	if x != y || x == z {
		t.Errorf("the seed decides the addresses: %v %v %v", x, y, z)
	}
}
