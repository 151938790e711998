package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker/mqtt"
)

// A peer is the server's end of a connection in memory, driven by the test.
type peer struct {
	t    *testing.T
	conn net.Conn
	v    mqtt.Version
	in   []byte
}

// next reads one packet.
func (p *peer) next() (byte, []byte) {
	p.t.Helper()
	for {
		h, err := mqtt.ParseHeader(p.in)
		if err == nil && len(p.in) >= h.Total() {
			body := p.in[h.Size:h.Total()]
			p.in = p.in[h.Total():]
			return h.First, body
		}
		buf := make([]byte, 4096)
		n, err := p.conn.Read(buf)
		if err != nil {
			return 0, nil
		}
		p.in = append(p.in, buf[:n]...)
	}
}

// want reads one packet and expects its type.
func (p *peer) want(what string, t mqtt.PacketType) []byte {
	p.t.Helper()
	first, body := p.next()
	if mqtt.PacketType(first>>4) != t {
		p.t.Fatalf("%s: want %v, got %v", what, t, mqtt.PacketType(first>>4))
	}
	return body
}

func (p *peer) send(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatalf("the client reads: %v", err)
	}
}

// accept answers CONNECT.
func (p *peer) accept() {
	p.t.Helper()
	p.want("the client begins with CONNECT", mqtt.TypeConnect)
	p.send((&mqtt.Connack{}).Append(nil, p.v))
}

// A run is a program under test, with connections in memory.
type run struct {
	t           *testing.T
	conns       chan net.Conn // the server's ends
	stdin       *io.PipeWriter
	out, errors bytes.Buffer
	code        chan int
	cancel      context.CancelFunc
	refuse      bool // the next dial fails
}

func start(t *testing.T, p program, args ...string) *run {
	t.Helper()
	o, err := parseOptions(p, args)
	if err != nil {
		t.Fatal(err)
	}
	x := &run{t: t, conns: make(chan net.Conn), code: make(chan int, 1)}
	o.complain = func(format string, args ...any) {
		x.errors.WriteString(strings.TrimSpace(fail(0, format, args...).text) + "\n")
	}
	in, w := io.Pipe()
	x.stdin = w
	r, err := newRunner(o, in, &x.out)
	if err != nil {
		t.Fatal(err)
	}
	r.dial = func(ctx context.Context) (net.Conn, error) {
		if x.refuse {
			x.refuse = false
			return nil, errors.New("connection refused")
		}
		client, server := net.Pipe()
		select {
		case x.conns <- server:
			return client, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	x.cancel = cancel
	if o.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
	}
	go func() {
		defer cancel()
		defer in.Close()
		x.code <- r.exitCode(r.run(ctx))
	}()
	return x
}

// peer is the server's end of the next connection.
func (x *run) peer(v mqtt.Version) *peer { return &peer{t: x.t, conn: <-x.conns, v: v} }

// end closes the connection, waits for the program and expects its code.
func (x *run) end(p *peer, code int) {
	x.t.Helper()
	if p != nil {
		p.conn.Close()
	}
	if got := <-x.code; got != code {
		x.t.Errorf("the program ends with code %d: got %d, %q", code, got, x.errors.String())
	}
}

func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, subProgram, "-t", "a", "-k", "60")
		p := x.peer(mqtt.V311)
		p.accept()
		begin := time.Now()
		p.want("the client subscribes", mqtt.TypeSubscribe)
		p.want("a ping comes when nothing was sent", mqtt.TypePingreq)
		if d := time.Since(begin); d != 60*time.Second {
			t.Errorf("a ping comes after the keep-alive time of 60 s: got %v", d)
		}
		p.send(mqtt.AppendPingresp(nil))
		p.want("and again", mqtt.TypePingreq)
		if d := time.Since(begin); d != 120*time.Second {
			t.Errorf("the next one comes 60 s later: got %v", d)
		}
		if _, body := p.next(); body != nil || time.Since(begin) != 180*time.Second {
			t.Errorf("a server that does not answer for 60 s is left: got %x after %v", body, time.Since(begin))
		}
		p.conn.Close()
		p = x.peer(mqtt.V311)
		if d := time.Since(begin); d != 181*time.Second {
			t.Errorf("the client connects again after a second: got %v", d)
		}
		p.accept()
		p.want("and subscribes again", mqtt.TypeSubscribe)
		x.cancel()
		p.want("Ctrl-C disconnects", mqtt.TypeDisconnect)
		x.end(p, 0)
	})
}

func TestServerKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, subProgram, "-t", "a", "-V", "5")
		p := x.peer(mqtt.V5)
		p.want("CONNECT", mqtt.TypeConnect)
		props := &mqtt.Properties{ServerKeepAlive: 10}
		props.Mark(mqtt.PropServerKeepAlive)
		begin := time.Now()
		p.send((&mqtt.Connack{Props: props}).Append(nil, mqtt.V5))
		p.want("SUBSCRIBE", mqtt.TypeSubscribe)
		p.want("a ping", mqtt.TypePingreq)
		if d := time.Since(begin); d != 10*time.Second {
			t.Errorf("the server's keep-alive of 10 s counts: got %v", d)
		}
		x.cancel()
		if body := p.want("Ctrl-C disconnects", mqtt.TypeDisconnect); len(body) == 0 || body[0] != 4 {
			t.Errorf("Ctrl-C asks for the will: got % x", body)
		}
		x.end(p, 0)
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		x := start(t, subProgram, "-t", "a", "-W", "5")
		p := x.peer(mqtt.V311)
		p.accept()
		p.want("SUBSCRIBE", mqtt.TypeSubscribe)
		p.want("-W disconnects", mqtt.TypeDisconnect)
		x.end(p, exitTimeout)
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("-W 5 ends after 5 s: got %v", d)
		}
	})
}

func TestTimeoutWhileTheServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, subProgram, "-t", "a", "-W", "5")
		p := x.peer(mqtt.V311)
		p.accept()
		p.want("SUBSCRIBE", mqtt.TypeSubscribe)
		p.conn.Close()
		x.end(nil, exitTimeout)
	})
}

func TestFirstConnectionRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, subProgram, "-t", "a")
		x.cancel()
		x.end(nil, 0)
		x = start(t, pubProgram, "-t", "a", "-n")
		p := x.peer(mqtt.V311)
		p.want("CONNECT", mqtt.TypeConnect)
		p.send((&mqtt.Connack{Reason: mqtt.BadUserNameOrPassword}).Append(nil, mqtt.V311))
		x.end(p, 4)
		if !strings.Contains(x.errors.String(), "Bad User Name or Password") {
			t.Errorf("the reason is told: got %q", x.errors.String())
		}
	})
}

func TestPublisherLosesItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, pubProgram, "-t", "a", "-m", "x", "-q", "1")
		p := x.peer(mqtt.V311)
		p.accept()
		p.want("PUBLISH", mqtt.TypePublish)
		x.end(p, exitLost)
	})
}

func TestGarbageFromTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, b := range [][]byte{{0x00}, {0x20, 0xFF, 0xFF, 0xFF, 0xFF}, {0x20, 1, 0}, {0xC0, 0},
			[]byte("HTTP/1.1 400 Bad Request\r\n\r\n" + strings.Repeat("Bad Request. ", 10))} {
			x := start(t, subProgram, "-t", "a")
			p := x.peer(mqtt.V311)
			p.want("CONNECT", mqtt.TypeConnect)
			p.send(b)
			x.end(p, exitProtocol)
		}
	})
}

// Lines are read only while there is room in the window, and what was in flight is sent again on the next connection.
func TestLinesFlowAndReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, pubProgram, "-t", "a", "-l", "-q", "1", "-M", "2")
		p := x.peer(mqtt.V311)
		p.accept()
		fed := make(chan struct{})
		go func() {
			defer close(fed)
			for _, s := range []string{"one\n", "two\n", "three\n", "four\n"} {
				io.WriteString(x.stdin, s)
			}
			x.stdin.Close()
		}()
		p.want("line one", mqtt.TypePublish)
		p.want("line two", mqtt.TypePublish)
		synctest.Wait()
		p.send(ack(mqtt.TypePuback, 1, 0, mqtt.V311))
		if body := p.want("line three goes when one was acknowledged", mqtt.TypePublish); !bytes.HasSuffix(body, []byte("three")) {
			t.Errorf("lines keep their order: got %q", body)
		}
		p.conn.Close()
		p = x.peer(mqtt.V311)
		p.accept()
		for _, want := range []string{"two", "three"} {
			first, body := p.next()
			if first != 0x3A || !bytes.HasSuffix(body, []byte(want)) {
				t.Errorf("%q is sent again with DUP: got %#x %q", want, first, body)
			}
		}
		p.send(append(ack(mqtt.TypePuback, 2, 0, mqtt.V311), ack(mqtt.TypePuback, 3, 0, mqtt.V311)...))
		p.want("line four", mqtt.TypePublish)
		<-fed
		p.send(ack(mqtt.TypePuback, 4, 0, mqtt.V311))
		p.want("the end", mqtt.TypeDisconnect)
		x.end(p, 0)
	})
}

// TestRemovalsKeepToReceiveMaximum: however many retained messages there are to delete, the server is sent no more at a time than it takes.
func TestRemovalsKeepToReceiveMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, subProgram, "-t", "#", "-V", "5", "--remove-retained", "-C", "3")
		p := x.peer(mqtt.V5)
		p.want("the client begins with CONNECT", mqtt.TypeConnect)
		props := &mqtt.Properties{ReceiveMaximum: 2}
		props.Mark(mqtt.PropReceiveMaximum)
		p.send((&mqtt.Connack{Props: props}).Append(nil, mqtt.V5))
		p.want("SUBSCRIBE", mqtt.TypeSubscribe)
		var retained []byte
		for _, topic := range []string{"a", "b", "c"} {
			retained = (&mqtt.Publish{Topic: []byte(topic), Payload: []byte("x"), Retain: true}).Append(retained, mqtt.V5)
		}
		p.send(retained)
		p.want("the first is deleted", mqtt.TypePublish)
		p.want("so is the second", mqtt.TypePublish)
		p.conn.SetReadDeadline(time.Now().Add(time.Second))
		if first, _ := p.next(); first != 0 {
			t.Errorf("the third has to wait: got %#x", first)
		}
		p.conn.SetReadDeadline(time.Time{})
		p.send(ack(mqtt.TypePuback, 2, 0, mqtt.V5))
		p.want("it is deleted when one was acknowledged", mqtt.TypePublish)
		p.send(append(ack(mqtt.TypePuback, 3, 0, mqtt.V5), ack(mqtt.TypePuback, 4, 0, mqtt.V5)...))
		p.want("the end comes after the last", mqtt.TypeDisconnect)
		x.end(p, 0)
	})
}

func TestSessionTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, subProgram, "-t", "a", "-V", "5", "-i", "ID")
		p := x.peer(mqtt.V5)
		p.accept()
		p.want("SUBSCRIBE", mqtt.TypeSubscribe)
		p.send((&mqtt.Disconnect{Reason: mqtt.SessionTakenOver}).Append(nil, mqtt.V5))
		x.end(p, exitLost)
	})
}

func TestEverySubscriptionRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, subProgram, "-t", "a", "-t", "b")
		p := x.peer(mqtt.V311)
		p.accept()
		p.want("SUBSCRIBE", mqtt.TypeSubscribe)
		p.send((&mqtt.Suback{ID: 1, Codes: []mqtt.ReasonCode{0x80, 0x80}}).Append(nil, mqtt.V311))
		p.want("DISCONNECT", mqtt.TypeDisconnect)
		x.end(p, 1)
	})
}

// The connection stays open after DISCONNECT until the server closes it, but not for ever.
func TestServerThatDoesNotClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, pubProgram, "-t", "a", "-m", "x")
		p := x.peer(mqtt.V311)
		p.accept()
		p.want("PUBLISH", mqtt.TypePublish)
		p.want("DISCONNECT", mqtt.TypeDisconnect)
		begin := time.Now()
		if got := <-x.code; got != 0 || time.Since(begin) != drainTimeout {
			t.Errorf("the program ends %v later: got %d after %v", drainTimeout, got, time.Since(begin))
		}
		p.conn.Close()
	})
}
