package modem_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"midge/transports"
	"midge/transports/linktest"
	"midge/transports/xbee"
	"midge/transports/xbee/modem"
)

func TestMain(m *testing.M) { linktest.Main(m) }

// fast is a rate at which tests need not wait for the line.
const fast = 4_000_000

func TestConforms(t *testing.T) {
	for _, c := range []modem.Config{{AP: 1}, {AP: 2}, {AP: 2, AO: 1}, {AP: 1, Network: "802.15.4"}, {AP: 2, Network: "802.15.4"}} {
		t.Run(fmt.Sprintf("AP=%d AO=%d %s", c.AP, c.AO, c.Network), func(t *testing.T) {
			linktest.Conformance(t, func(t *testing.T) (transports.Link, func() transports.Link) {
				m, path, err := modem.OnPty(c)
				if err != nil {
					t.Fatal(err)
				}
				return open(t, xbee.Config{Device: path}), func() transports.Link { return m }
			})
		})
	}
}

func open(t *testing.T, c xbee.Config) *xbee.Link {
	t.Helper()
	c.Baud = fast
	l, err := xbee.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// pair is a radio's host and the radio.
func pair(t *testing.T, c modem.Config) (*xbee.Link, *modem.Modem) {
	t.Helper()
	m, path, err := modem.OnPty(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return open(t, xbee.Config{Device: path}), m
}

// reader reads a link into a channel.
func reader(l transports.Link) <-chan transports.Frame {
	c := make(chan transports.Frame, 256)
	go func() {
		defer close(c)
		for {
			f := []transports.Frame{{Data: make([]byte, 0, 512)}}
			if _, err := l.ReadFrames(f); err != nil {
				return
			}
			c <- f[0]
		}
	}()
	return c
}

func want(t *testing.T, c <-chan transports.Frame, sentence string, message []byte) transports.Frame {
	t.Helper()
	select {
	case f := <-c:
		if !bytes.Equal(f.Data, message) {
			t.Fatalf("%s: got %x, want %x", sentence, f.Data, message)
		}
		return f
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: nothing came in 20 s", sentence)
	}
	return transports.Frame{}
}

// until waits for what a link's figures say.
func until(t *testing.T, l transports.Link, sentence string, ok func(transports.Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(l.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v", sentence, l.Stats())
		}
	}
}

func end(links ...transports.Link) {
	for _, l := range links {
		l.Close()
	}
}

// TestSilentNodeHoldsNobodyUp: the frames to one node are never reported within the test; forty to others go meanwhile.
func TestSilentNodeHoldsNobodyUp(t *testing.T) {
	host, m := pair(t, modem.Config{Poll: time.Minute})
	atNodes, atHost := reader(m), reader(host)
	for i := range 3 {
		m.WriteFrames([]transports.Frame{{Addr: modem.Addr(i), Data: linktest.Message(5, 1)}})
	}
	for range 3 {
		want(t, atHost, "the host hears three nodes", linktest.Message(5, 1))
	}
	m.Sleep(modem.Addr(0))
	until(t, host, "the host knows its radio", func(s transports.Stats) bool { return s.Up })
	began := time.Now()
	for i := range 40 {
		host.WriteFrames([]transports.Frame{{Addr: modem.Addr(0), Data: linktest.Message(9, byte(i))}, {Addr: modem.Addr(1 + i%2), Data: linktest.Message(10, byte(i))}})
	}
	for i := range 40 {
		want(t, atNodes, "the nodes that are awake get theirs, in order", linktest.Message(10, byte(i)))
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("they do not wait for the one that sleeps: %v", took)
	}
	m.WriteFrames([]transports.Frame{{Addr: modem.Addr(0), Data: linktest.Message(6, 1)}})
	want(t, atNodes, "the node that wakes gets what the modem kept for it", linktest.Message(9, 0))
	end(host, m)
	for range atNodes {
	}
	for range atHost {
	}
}

// TestResetInTheMiddle: the modem restarts while it has frames; the host asks it again and goes on.
func TestResetInTheMiddle(t *testing.T) {
	host, m := pair(t, modem.Config{Delay: time.Minute})
	atNodes, atHost := reader(m), reader(host)
	m.WriteFrames([]transports.Frame{{Data: linktest.Message(5, 1)}})
	node := want(t, atHost, "a node is heard", linktest.Message(5, 1)).Addr
	host.WriteFrames([]transports.Frame{{Addr: node, Data: linktest.Message(9, 1)}})
	want(t, atNodes, "it gets an answer, which is not reported", linktest.Message(9, 1))
	m.Set(func(c *modem.Config) { c.Delay, c.AP = 0, 1 })
	m.Reset(0)
	until(t, host, "what the modem had is counted", func(s transports.Stats) bool { return s.Errors[transports.ReasonRadioReset] == 1 })
	host.WriteFrames([]transports.Frame{{Addr: node, Data: linktest.Message(9, 2)}})
	want(t, atNodes, "after the reset, in another API mode, messages go again", linktest.Message(9, 2))
	end(host, m)
	for range atNodes {
	}
	for range atHost {
	}
}

// TestNoBufferIsOfferedAgain: a modem that has room for one frame gets forty, none is lost and none overtakes another to the same node.
func TestNoBufferIsOfferedAgain(t *testing.T) {
	host, m := pair(t, modem.Config{Buffers: 1, Delay: time.Millisecond})
	atNodes, atHost := reader(m), reader(host)
	for i := range 4 {
		m.WriteFrames([]transports.Frame{{Addr: modem.Addr(i), Data: linktest.Message(5, 1)}})
		want(t, atHost, "a node is heard", linktest.Message(5, 1))
	}
	next := map[transports.Addr]byte{}
	for i := range 10 {
		for n := range 4 {
			host.WriteFrames([]transports.Frame{{Addr: modem.Addr(n), Data: linktest.Message(9, byte(i))}})
		}
	}
	for range 40 {
		select {
		case f := <-atNodes:
			if !bytes.Equal(f.Data, linktest.Message(9, next[f.Addr])) {
				t.Fatalf("node %s gets its messages in order: got %x, want number %d", xbee.FormatAddr(f.Addr), f.Data, next[f.Addr])
			}
			next[f.Addr]++
		case <-time.After(20 * time.Second):
			t.Fatalf("every message arrives: %v %+v", next, host.Stats())
		}
	}
	end(host, m)
	for range atNodes {
	}
	for range atHost {
	}
}

// TestTransparentRadio: people pair a radio in transparent mode with a gateway. They are told in words; once it is set otherwise it works.
func TestTransparentRadio(t *testing.T) {
	host, m := pair(t, modem.Config{Dumb: true})
	atHost := reader(host)
	until(t, host, "the radio's mode is named", func(s transports.Stats) bool {
		return bytes.Contains([]byte(s.Why), []byte("is in transparent mode (AP=0), where messages have no address: set AP to 2, or 1, and write it (WR)"))
	})
	end(host, m)
	for range atHost {
	}
}
