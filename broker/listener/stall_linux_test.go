package listener

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"midge/broker"
	"midge/broker/mqtt"
)

// TestStalledReaderIsCutOff has a subscriber stop reading for ever, without keep-alive, so that nothing of MQTT would ever end it.
func TestStalledReaderIsCutOff(t *testing.T) {
	s := New(broker.New(broker.Limits{}), Config{Stall: time.Second}, slog.New(slog.DiscardHandler))
	addr := serveOn(t, s)
	good := dialTCP(t, addr).connect(mqtt.Connect{Version: mqtt.V311, ClientID: "good", CleanStart: true}).subscribe("#", 0)
	stuck := dialTCP(t, addr)
	stuck.SetReadBuffer(4 << 10)
	stuck.connect(mqtt.Connect{Version: mqtt.V311, ClientID: "stuck", CleanStart: true, Will: &mqtt.Will{Topic: "lost"}}).subscribe("t", 0)
	pub := dialTCP(t, addr).connect(mqtt.Connect{Version: mqtt.V311, ClientID: "pub", CleanStart: true})
	go func() { // more than the sockets between them hold
		for range 100 {
			pub.Write(publishPacket(pub.v, "t", string(make([]byte, 100_000)), 0, 0))
		}
	}()
	for n := 0; ; n++ {
		p, err := readPacket(good)
		if err != nil {
			t.Fatalf("a subscriber that takes nothing is cut off, so that its will is published: got %d messages, then %v", n, err)
		}
		if len(p) < 100 {
			break
		}
	}
	if n := s.Connections(); n != 2 {
		t.Errorf("the others stay, but %d connections are open", n)
	}
}

// TestLostPeersAreProbed: what no packet tells, a host that is gone without a word, the kernel finds.
func TestLostPeersAreProbed(t *testing.T) {
	mine, theirs := tcpPair(t)
	defer mine.Close()
	defer theirs.Close()
	watch(theirs, 90*time.Second)
	raw, err := theirs.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if on, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE); on != 1 || err != nil {
			t.Errorf("an idle connection is probed: got %d, %v", on, err)
		}
		if ms, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); ms != 90_000 || err != nil {
			t.Errorf("and one with something under way has so many milliseconds: got %d, %v", ms, err)
		}
	})
}

func tcpPair(t *testing.T) (mine net.Conn, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	mine, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return mine, nc.(*net.TCPConn)
}

// serveOn runs a server on a port of its own until the test ends.
func serveOn(t *testing.T, s *Server) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l, Policy{}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("the server ends without an error: %v", err)
		}
	})
	return l.Addr().String()
}
