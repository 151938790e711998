package listener

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// lateConn calls when in the middle of its being accepted.
type lateConn struct {
	net.Conn
	when func()
}

func (c *lateConn) RemoteAddr() net.Addr {
	c.when()
	return c.Conn.RemoteAddr()
}

func TestConnectionAcceptedWhileTheServerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		h := &house{t: t, ctx: ctx, broker: broker.New(broker.Limits{}), pipes: make(chan net.Conn)}
		server := New(h.broker, Config{}, slog.New(slog.DiscardHandler))
		done := make(chan error)
		go func() { done <- server.Serve(ctx, h, Policy{}) }()
		mine, theirs := net.Pipe()
		h.pipes <- &lateConn{theirs, func() {
			cancel()
			synctest.Wait() // all connections that are known by now have been told
		}}
		start := time.Now()
		if n, err := mine.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a connection that comes in the moment of the end is closed: got %d octets, %v", n, err)
		}
		if err := <-done; err != nil || time.Since(start) > time.Second {
			t.Errorf("and does not hold up the server's end: Serve returned %v after %v", err, time.Since(start))
		}
	})
}

func TestServeEndsWithItsListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		done <- New(broker.New(broker.Limits{}), Config{}, slog.New(slog.DiscardHandler)).Serve(context.Background(), l, Policy{})
	}()
	c := dialTCP(t, l.Addr().String()).connect(mqtt.Connect{Version: mqtt.V5, ClientID: "c", CleanStart: true})
	l.Close()
	c.want("clients of a listener that was closed are told", 0xE0, 1, byte(mqtt.ServerShuttingDown))
	c.wantEnd("and disconnected")
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve says that its listener was closed, not %v", err)
	}
}

// failing is a listener that fails some times before each connection.
type failing struct {
	*house
	times, left int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left--; f.left >= 0 && f.ctx.Err() == nil {
		return nil, syscall.EMFILE
	}
	f.left = f.times
	return f.house.Accept()
}

func TestAcceptGoesOnAfterErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(context.Background())
		h := &house{t: t, ctx: ctx, broker: broker.New(broker.Limits{}), pipes: make(chan net.Conn)}
		done := make(chan error)
		server := New(h.broker, Config{}, slog.New(slog.NewTextHandler(&log, nil)))
		go func() { done <- server.Serve(ctx, &failing{h, 50, 50}, Policy{}) }()
		h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "a", CleanStart: true})
		h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "b", CleanStart: true})
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve ends without an error, not with %v", err)
		}
		if n := strings.Count(log.String(), "accept failed"); n != 3 {
			t.Errorf("each row of failures is logged once, so 3 times: got %d", n)
		}
	})
}

// TestPolicyIsReplaced gives a listener that is served another policy.
func TestPolicyIsReplaced(t *testing.T) {
	in(t, Policy{MaximumPacketSize: 100}, broker.Limits{}, func(h *house) {
		before := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "before", CleanStart: true})
		h.listener.SetPolicy(Policy{MaximumPacketSize: 200})
		after := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "after", CleanStart: true})
		large := string(make([]byte, 150))
		after.publish("t", large, 1, 1)
		after.want("a connection that comes after the change may do what the new policy allows", 0x40, 2, 0, 1)
		before.publish("t", large, 1, 1)
		before.wantClosed("one that came before keeps its own")
	})
}
