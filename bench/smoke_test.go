package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
)

// TestMain lets the test binary be the child process of an embedded peer, as the program itself is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "serve-") {
		if err := command(os.Args[1:]); err != nil {
			println(err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// tiny is every work in a fraction of a second.
var tiny = scale{
	budget: 100 * time.Millisecond, idle: 8, pause: time.Millisecond,
	slow: 3, snClosed: 3, snPaced: 3, asleep: 3, lull: time.Millisecond, fanSubs: 2, publisher: 2,
}

// startMochi serves in this process until the test ends.
func startMochi(t *testing.T) (*mochi.Server, target) {
	t.Helper()
	addr, err := freeTCP()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newMochi(addr, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, target{name: "mochi", mqtt: addr, pid: os.Getpid()}
}

func TestEveryWork(t *testing.T) {
	for _, w := range works {
		t.Run(w.name, func(t *testing.T) {
			s, tgt := startMochi(t)
			if w.sn {
				tgt.sn = startGateway(t, s)
			}
			f, err := w.run(t.Context(), tgt, tiny)
			if err != nil {
				t.Fatalf("the work runs on a small scale: %v", err)
			}
			if w.name == "idle-memory" || w.name == "sn-asleep" {
				return
			}
			if f.rate == 0 || f.cpu == 0 || f.due == 0 {
				t.Errorf("messages arrive and cost something: %+v", f)
			}
			// Mochi may drop what comes too fast at QoS 0; it must not repeat or reorder.
			if f.twice != 0 || f.late != 0 || !strings.HasPrefix(w.name, "qos0") && f.lost != 0 {
				t.Errorf("every message comes once and in order: %s", f.wrong())
			}
			if w.sn && f.resent == 0 {
				t.Error("what the gateway lost was sent again, and counted")
			}
		})
	}
}

func TestEndedContextEndsARun(t *testing.T) {
	_, tgt := startMochi(t)
	sc := tiny
	sc.budget = time.Hour
	for _, w := range works[:5] {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := w.run(ctx, tgt, sc); err == nil {
			t.Errorf("%s with an hour to go ends with the context and says so", w.name)
		}
	}
}

func TestChildProcess(t *testing.T) {
	p, err := finders["mochi"](t.Context(), t.TempDir(), options{})
	if err != nil {
		t.Fatal(err)
	}
	var r results
	takeTurns(t.Context(), &r, works[0], []peer{p}, tiny, 2)
	if len(r) != 1 || len(r[0].runs) != 2 || len(r[0].errs) != 0 {
		t.Errorf("two runs on child processes give two figures: %+v", r[0])
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	p, err := finders["mochi"](t.Context(), t.TempDir(), options{})
	if err != nil {
		t.Fatal(err)
	}
	start := p.launch
	p.launch = func(dir, _, sn string) (*exec.Cmd, error) { return start(dir, "256.0.0.1:1", sn) }
	_, err = startServer(t.Context(), p)
	if err == nil || !strings.Contains(err.Error(), "mochi: listen on 256.0.0.1:1") {
		t.Errorf("a server that ends at once is an error with its own words: got %v", err)
	}
}

// startGateway answers MQTT-SN on UDP as far as the generator speaks it, loses each client's first PUBLISH, and
// publishes the others through s. It is the smallest gateway on which retransmission can be seen.
func startGateway(t *testing.T, s *mochi.Server) (addr string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serveGateway(conn, s)
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return conn.LocalAddr().String()
}

func serveGateway(conn net.PacketConn, s *mochi.Server) {
	topics, published := map[string]string{}, map[string]string{}
	buf := make([]byte, 256)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		m, peer := buf[:n], from.String()
		switch m[1] {
		case snConnect:
			conn.WriteTo([]byte{3, snConnack, 0}, from)
		case snRegister:
			topics[peer] = string(m[6:])
			conn.WriteTo([]byte{7, snRegack, 0, 1, m[4], m[5], 0}, from)
		case snSubscribe:
			conn.WriteTo([]byte{8, snSuback, snQoS1, 0, 1, m[3], m[4], 0}, from)
		case snDisconnect:
			conn.WriteTo([]byte{2, snDisconnect}, from)
		case snPublish:
			id := string(m[5:7])
			if published[peer] == "" {
				published[peer] = "lost"
				continue
			}
			if published[peer] != id {
				published[peer] = id
				s.Publish(topics[peer], append([]byte(nil), m[7:]...), false, 1)
			}
			conn.WriteTo([]byte{7, snPuback, m[3], m[4], m[5], m[6], 0}, from)
		}
	}
}
