package listener

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// mute is a client whose octets nobody reads before it says so.
func (h *house) mute(p mqtt.Connect) net.Conn {
	mine, theirs := net.Pipe()
	h.pipes <- theirs
	p.CleanStart = true
	mine.Write(p.Append(nil))
	if got, err := readPacket(mine); err != nil || got[0] != 0x20 {
		h.t.Fatalf("CONNECT of %q is accepted: got % x, %v", p.ClientID, got, err)
	}
	return mine
}

// awake runs f with a server and in-memory connections in real time: a goroutine that waits for a mutex holds up the clock of a synctest bubble.
func awake(t *testing.T, f func(*house)) {
	h := &house{t: t, broker: broker.New(broker.Limits{}), pipes: make(chan net.Conn)}
	h.server = New(h.broker, Config{}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	h.ctx = ctx
	done := make(chan struct{})
	go func() { h.server.Serve(ctx, h, Policy{}); close(done) }()
	h.end = func() {
		cancel()
		<-done
	}
	defer h.end()
	f(h)
}

// TestSilenceWhileNobodyListens has a client stop reading, ask some more and fall silent.
func TestSilenceWhileNobodyListens(t *testing.T) {
	awake(t, func(h *house) {
		watcher := h.mute(mqtt.Connect{Version: mqtt.V311, ClientID: "watcher"})
		sub := mqtt.Subscribe{ID: 1, Subscriptions: []mqtt.Subscription{{Filter: "#"}}}
		watcher.Write(sub.Append(nil, mqtt.V311))
		readPacket(watcher)
		c := h.mute(mqtt.Connect{Version: mqtt.V311, ClientID: "c", KeepAlive: 1, Will: &mqtt.Will{Topic: "lost"}})
		c.SetWriteDeadline(time.Now().Add(3 * time.Second))
		for range 100 {
			c.Write(mqtt.AppendPingreq(nil))
		}
		watcher.SetReadDeadline(time.Now().Add(10 * time.Second))
		if got, err := readPacket(watcher); err != nil || got[0] != 0x30 {
			t.Errorf("keep-alive ends a connection also when its answers are stuck: its will is published, not % x, %v", got, err)
		}
		c.Close()
	})
}

// TestAnswersThatNobodyTakes sends PINGREQs without end to a server that cannot answer.
func TestAnswersThatNobodyTakes(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		c := h.mute(mqtt.Connect{Version: mqtt.V311, ClientID: "c"})
		const all = 20 * answersMax
		pings := bytes.Repeat(mqtt.AppendPingreq(nil), 64)
		sent := 0
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for ; sent < all; sent += 64 {
				c.Write(pings)
			}
		}()
		synctest.Wait()
		if sent > 2*answersMax {
			t.Errorf("the server stops reading after some %d answers that are not taken, not after %d", answersMax, sent)
		}
		if n, err := io.CopyN(io.Discard, c, 2*all); err != nil {
			t.Errorf("it goes on when they are taken, so that all %d come: got %d octets, %v", all, n, err)
		}
		<-ended
		c.Close()
	})
}

func TestManyStuckClientsDoNotHoldUpTheEnd(t *testing.T) {
	awake(t, func(h *house) {
		for i := range 50 {
			c := h.mute(mqtt.Connect{Version: mqtt.V311, ClientID: fmt.Sprint(i)})
			defer c.Close()
			c.Write(mqtt.AppendPingreq(nil))
		}
		start := time.Now()
		h.end()
		if took := time.Since(start); took > 4*time.Second { // one after the other would be 5 s; a second is usual
			t.Errorf("the server ends at once whoever listens, not after %v", took)
		}
	})
}

// sink is a wire that takes so many octets and no more.
type sink struct {
	room, taken int
	finished    bool
}

func (s *sink) write(b []byte) ([]byte, error) {
	n := min(s.room, len(b))
	s.room, s.taken = s.room-n, s.taken+n
	return b[n:], nil
}
func (s *sink) pump()   {}
func (s *sink) hurry()  {}
func (s *sink) heed()   {}
func (s *sink) finish() { s.finished = true }
func (s *sink) fail()   {}

func (s *sink) consult(ask func()) bool {
	ask()
	return true
}

// bare is a connection that has a session and no shell.
func bare(t *testing.T, b *broker.Broker, id string, w wire) *conn {
	server := New(b, Config{}, slog.New(slog.DiscardHandler))
	c := &conn{server: server, policy: Policy{}.withDefaults(), ctx: context.Background(), wire: w, lastRead: time.Now()}
	feed(t, c, connectPacket(mqtt.V311, id), 1000)
	return c
}

// feed gives octets to a connection as a socket does, in reads of at most step.
func feed(t *testing.T, c *conn, b []byte, step int) {
	t.Helper()
	for len(b) > 0 {
		ws := borrow(&c.partial)
		n := copy(ws.free(), b[:min(step, len(b))])
		if err := c.received(time.Now(), ws.filled(n)); err != nil {
			t.Fatalf("what is fed is right: %v", err)
		}
		b = b[n:]
	}
}

// TestWhatIsPulledForAStuckClient lets small messages make the pump greedy before large ones come.
func TestWhatIsPulledForAStuckClient(t *testing.T) {
	b := broker.New(broker.Limits{})
	c := bare(t, b, "c", &sink{room: 40_000})
	sub := mqtt.Subscribe{ID: 1, Subscriptions: []mqtt.Subscription{{Filter: "#"}}}
	feed(t, c, sub.Append(nil, c.version), 1000)
	c.drain(1)
	pub := bare(t, b, "pub", &sink{room: 1 << 30})
	for range 8 + 32 + 128 {
		feed(t, pub, publishPacket(mqtt.V311, "t", "x", 0, 0), 1000)
	}
	const large = 1 << 20
	for range 50 {
		feed(t, pub, publishPacket(mqtt.V311, "t", string(make([]byte, large)), 0, 0), readSize)
	}
	if p := c.drain(100); p != full {
		t.Fatalf("the wire is full: got %d", p)
	}
	if got := len(c.rest); got > pullBytes+2*large {
		t.Errorf("of 50 MB that wait for a client that does not read, at most two messages lie in its connection, not %d octets", got)
	}
	left := 0
	c.wire = &sink{room: 1 << 30}
	for c.drain(1) == more {
		left++
	}
	if got := c.wire.(*sink).taken; got < 49*large || left == 0 {
		t.Errorf("the rest follows when it reads: %d octets", got)
	}
}

// TestLargePacketInSmallPieces bounds what a client costs that sends a large packet slowly.
func TestLargePacketInSmallPieces(t *testing.T) {
	b := broker.New(broker.Limits{})
	c := bare(t, b, "c", &sink{})
	p := publishPacket(mqtt.V311, "t", string(make([]byte, 1<<20)), 0, 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	feed(t, c, p, 512)
	runtime.ReadMemStats(&after)
	cost := after.TotalAlloc - before.TotalAlloc
	if cost > 100<<20 { // the race detector's pools lose some
		t.Errorf("a packet of 1 MB in pieces of 512 octets takes a few MB of buffers, not %d MB", cost>>20)
	}
}
