package normative

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/listener"
	"midge/broker/mqtt"
)

// playVirtually plays a trace in a bubble, over pipes.
func playVirtually(t *testing.T, tr *trace, v mqtt.Version) {
	synctest.Test(t, func(t *testing.T) {
		w := &bubble{settings: newSettings(t), pipes: make(chan net.Conn), done: make(chan struct{})}
		playAll(t, tr, v, w, true)
	})
}

// playOverTCP plays it over sockets. What must not come is not waited for.
func playOverTCP(t *testing.T, tr *trace, v mqtt.Version) {
	playAll(t, tr, v, &sockets{settings: newSettings(t)}, false)
}

func playAll(t *testing.T, tr *trace, v mqtt.Version, w world, checkRest bool) {
	p := &player{world: w, v: v, clients: map[string]peer{}}
	at := step{tr.line, tr.title}
	defer func() {
		if fault := recover(); fault != nil {
			t.Errorf("%s.trace:%d: «%s» cannot be played: %v", tr.file, at.line, at.text, fault)
		}
		for _, c := range p.clients {
			c.drop()
		}
		w.end()
	}()
	for _, at = range tr.steps {
		if err := p.play(at.text); err != nil {
			t.Errorf("%s.trace:%d: %s: «%s»: %v", tr.file, at.line, tr.title, at.text, err)
			return
		}
	}
	if !checkRest {
		return
	}
	if err := p.rest(); err != nil {
		t.Errorf("%s.trace:%d: %s: %v", tr.file, at.line, tr.title, err)
	}
}

// settings are what a «server» step may set.
type settings struct {
	t      *testing.T
	policy listener.Policy
	limits broker.Limits
	server *listener.Server
	stop   func() // ends the server and waits for it; nil before it has begun
}

func newSettings(t *testing.T) settings { return settings{t: t} }

func (s *settings) set(key, value string) {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
		panic(fmt.Sprintf("%s=%s is no number", key, value))
	case key == "max-packet-size":
		s.policy.MaximumPacketSize = uint32(n)
	case key == "receive-maximum":
		s.policy.ReceiveMaximum = uint16(n)
	case key == "topic-aliases":
		s.policy.TopicAliasMaximum = n
	case key == "max-keep-alive":
		s.policy.MaxKeepAlive = uint16(n)
	case key == "maximum-qos":
		s.policy.QoSRefused = mqtt.QoS(n) + 1
	case key == "retain-available":
		s.policy.RetainRefused = n == 0
	case key == "login":
		s.policy.Auth = door{}
	case key == "payload-format-check":
		s.policy.PayloadFormatCheck = n == 1
	case key == "response-information":
		s.policy.ResponseInformation = n == 1
	case key == "subscriptions":
		s.limits.Subscriptions = n
	case key == "sessions":
		s.limits.Sessions = n
	case key == "total-bytes":
		s.limits.TotalBytes = n
	default:
		panic("no setting " + key)
	}
}

// begin starts the server on l, if it has not been.
func (s *settings) begin(l net.Listener) {
	b := broker.New(s.limits)
	s.server = listener.New(b, listener.Config{}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- s.server.Serve(ctx, l, s.policy) }()
	go func() { done <- b.Run(ctx) }()
	s.stop = func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				s.t.Errorf("the server ends without an error: %v", err)
			}
		}
	}
}

func (s *settings) end() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// door lets in user u with password p, who may do everything but what concerns the topics below secret.
type door struct{}

func (door) Enhanced(string, listener.Login) listener.Exchange { return nil }

func (door) Login(_ time.Time, l listener.Login) (listener.Verdict, func(context.Context) listener.Verdict) {
	if l.Username != "u" || string(l.Password) != "p" {
		return listener.Verdict{Reason: mqtt.NotAuthorized, Why: "it is not u"}, nil
	}
	return listener.Verdict{Username: "u"}, nil
}

func (door) Access(string, string) broker.Access { return noSecrets{} }

func (door) Stays(*listener.Verdict) bool { return true }

type noSecrets struct{}

func (noSecrets) MayWrite(topic string) bool      { return !strings.HasPrefix(topic, "secret/") }
func (noSecrets) MayRead(topic string) bool       { return !strings.HasPrefix(topic, "secret/") }
func (noSecrets) MaySubscribe(filter string) bool { return filter != "secret/#" }

// bubble is a world of pipes and virtual time. It is the server's net.Listener.
type bubble struct {
	settings
	pipes chan net.Conn
	done  chan struct{} // closed by Close
}

func (w *bubble) wait(d time.Duration) { time.Sleep(d) }

func (w *bubble) Accept() (net.Conn, error) {
	select {
	case c := <-w.pipes:
		return c, nil
	case <-w.done:
		return nil, net.ErrClosed
	}
}

func (w *bubble) Close() error {
	close(w.done)
	return nil
}

func (w *bubble) Addr() net.Addr { return &net.TCPAddr{} }

func (w *bubble) dial() peer {
	if w.stop == nil {
		w.begin(w)
	}
	mine, theirs := net.Pipe()
	w.pipes <- theirs
	p := &pipe{nc: mine, packets: make(chan []byte, 10_000)}
	go func() {
		defer close(p.packets)
		for {
			b, err := readPacket(mine)
			if err != nil {
				mine.Close()
				return
			}
			p.packets <- b
		}
	}()
	return p
}

// pipe is a peer in a bubble.
type pipe struct {
	nc      net.Conn
	packets chan []byte // closed with the connection
	gone    bool
}

func (p *pipe) send(b []byte) { p.nc.Write(b) }
func (p *pipe) closed() bool  { return p.gone }

func (p *pipe) drop() {
	p.gone = true
	p.nc.Close()
	synctest.Wait()
}

func (p *pipe) next() (b []byte, ended bool) {
	synctest.Wait()
	select {
	case b, open := <-p.packets:
		return b, !open
	default:
		return nil, false
	}
}

// sockets is a world of TCP and real time.
type sockets struct {
	settings
	addr string
}

func (w *sockets) wait(time.Duration) { panic("time does not pass over TCP") }

func (w *sockets) dial() peer {
	if w.stop == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.t.Fatal(err)
		}
		w.addr = l.Addr().String()
		w.begin(l)
	}
	nc, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	return &socket{nc: nc}
}

// socket is a peer over TCP.
type socket struct {
	nc   net.Conn
	gone bool
}

func (p *socket) send(b []byte) { p.nc.Write(b) }
func (p *socket) closed() bool  { return p.gone }

func (p *socket) drop() {
	p.gone = true
	p.nc.Close()
}

func (p *socket) next() (b []byte, ended bool) {
	b, err := readPacket(p.nc)
	if err != nil {
		return nil, !os.IsTimeout(err)
	}
	return b, false
}

// readPacket reads one packet.
func readPacket(r io.Reader) ([]byte, error) {
	var b []byte
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(r, one); err != nil {
			return nil, err
		}
		b = append(b, one[0])
		h, err := mqtt.ParseHeader(b)
		if err == mqtt.ErrIncomplete {
			continue
		}
		if err != nil {
			return nil, err
		}
		body := make([]byte, h.Length)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, err
		}
		return append(b, body...), nil
	}
}
