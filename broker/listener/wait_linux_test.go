package listener

import (
	"context"
	"io"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/transports"
	"midge/transports/udp"
)

// TestFewProcessors has two loops and a UDP link wait at their warmest in a program with few processors: all are served. That they leave a
// processor to each other is internal/quiet's test.
func TestFewProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2} {
		runtime.GOMAXPROCS(procs)
		a := dialTCP(t, serve(t, Policy{})).connect(mqtt.Connect{Version: mqtt.V311, ClientID: "a", CleanStart: true})
		b := dialTCP(t, serve(t, Policy{})).connect(mqtt.Connect{Version: mqtt.V311, ClientID: "b", CleanStart: true})
		u := dialEcho(t)
		const rounds = 200
		for range rounds {
			for _, c := range []*tcpClient{a, b} {
				c.Write(mqtt.AppendPingreq(nil))
				c.want("PINGREQ is answered", 0xD0, 0)
			}
			u.Write([]byte("x"))
			if _, err := io.ReadFull(u, make([]byte, 1)); err != nil {
				t.Fatalf("a datagram is answered: %v", err)
			}
		}
	}
}

// dialEcho returns a connection to a link whose datagrams another goroutine than the reader sends back, as a gateway does.
func dialEcho(t *testing.T) net.Conn {
	t.Helper()
	l, err := udp.Listen(udp.Config{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	frames := make(chan transports.Frame)
	done := make(chan struct{})
	go func() {
		defer close(frames)
		for {
			in := []transports.Frame{{Data: make([]byte, 0, 10)}}
			if n, err := l.ReadFrames(in); err != nil {
				return
			} else if n == 1 {
				frames <- in[0]
			}
		}
	}()
	go func() {
		defer close(done)
		for f := range frames {
			l.WriteFrames([]transports.Frame{f})
		}
	}()
	c, err := net.Dial("udp", l.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { c.Close(); l.Close(); <-done })
	return c
}

// TestLoopThatHasEnded posts a connection to a loop that ended in the meantime.
func TestLoopThatHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := New(broker.New(broker.Limits{}), Config{}, slog.New(slog.DiscardHandler))
	l, err := newLoop(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	l.run()
	mine, _ := s.byHand(t, ctx, l)
	if n, err := mine.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a connection that comes too late is closed: got %d octets, %v", n, err)
	}
	if n := s.Connections(); n != 0 {
		t.Errorf("and forgotten: %d are counted", n)
	}
}

// byHand accepts a connection into a loop that nobody runs.
func (s *Server) byHand(t *testing.T, ctx context.Context, l *loop) (mine *tcpClient, theirs *conn) {
	t.Helper()
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer nl.Close()
	mine = dialTCP(t, nl.Addr().String())
	nc, err := nl.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{server: s, policy: Policy{}.withDefaults(), ctx: ctx, lastRead: time.Now()}
	s.admit()
	l.take(c, nc)()
	return mine, c
}

// TestSilenceThatIsOurs looks at the timers after a stall: what came in time lies unread in the socket.
func TestSilenceThatIsOurs(t *testing.T) {
	ctx := t.Context()
	s := New(broker.New(broker.Limits{}), Config{}, slog.New(slog.DiscardHandler))
	l, err := newLoop(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	defer l.free()
	mine, c := s.byHand(t, ctx, l)
	now := time.Now()
	l.answer(now)
	connect := mqtt.Connect{Version: mqtt.V311, ClientID: "c", CleanStart: true, KeepAlive: 10}
	arrive := func(b []byte) { // returns when the octets are there, however busy the machine is
		mine.Write(b)
		unix.Poll([]unix.PollFd{{Fd: int32(c.wire.(*sock).fd), Events: unix.POLLIN}}, -1)
	}
	arrive(connect.Append(nil))
	l.fire(now.Add(connectTimeout))
	mine.want("a CONNECT that lay unread when its time was over is taken", 0x20, 2, 0, 0)
	arrive(mqtt.AppendPingreq(nil))
	l.fire(now.Add(time.Minute))
	mine.want("a PINGREQ that lay unread when its time was over is answered", 0xD0, 0)
	l.fire(now.Add(time.Minute + 14*time.Second))
	if len(l.socks) != 1 || c.wire.(*sock).lingers {
		t.Errorf("and counts from when it was heard")
	}
	l.fire(now.Add(time.Minute + 15*time.Second))
	mine.wantEnd("silence that is the client's ends the connection")
	if len(l.socks) != 1 {
		t.Errorf("which lingers until the client has ended its side")
	}
	l.fire(now.Add(time.Minute + 15*time.Second + lingerWait))
	if len(l.socks) != 0 || s.Connections() != 0 {
		t.Errorf("but not for long: %d are in the loop, %d counted", len(l.socks), s.Connections())
	}
}
