package listener

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// house is a server in a synctest bubble with in-memory connections.
type house struct {
	t        *testing.T
	broker   *broker.Broker
	server   *Server
	listener *Listener
	ctx      context.Context
	end      func() // stops the server and waits for it
	pipes    chan net.Conn
}

// in runs f in a bubble with a server, which must have ended without a goroutine left when f is done.
func in(t *testing.T, policy Policy, limits broker.Limits, f func(*house)) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, policy, limits)
		f(h)
		h.end()
	})
}

// open starts a server. It may be ended more than once.
func open(t *testing.T, policy Policy, limits broker.Limits) *house {
	h := &house{t: t, broker: broker.New(limits), pipes: make(chan net.Conn)}
	h.server = New(h.broker, Config{}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	h.ctx = ctx
	h.listener = h.server.Listener(h, policy)
	var running sync.WaitGroup
	running.Go(func() { h.listener.Serve(ctx) })
	running.Go(func() { h.broker.Run(ctx) })
	h.end = func() {
		cancel()
		running.Wait()
	}
	return h
}

// Accept, Close and Addr make the house a net.Listener.
func (h *house) Accept() (net.Conn, error) {
	select {
	case c := <-h.pipes:
		return c, nil
	case <-h.ctx.Done():
		return nil, net.ErrClosed
	}
}
func (h *house) Close() error   { return nil }
func (h *house) Addr() net.Addr { return &net.TCPAddr{} }

// client is one end of a connection; what arrives is read all the time, as packets.
type client struct {
	h       *house
	v       mqtt.Version
	nc      net.Conn
	packets chan []byte // closed with the connection
}

func (h *house) dial(v mqtt.Version) *client {
	mine, theirs := net.Pipe()
	h.pipes <- theirs
	c := &client{h: h, v: v, nc: mine, packets: make(chan []byte, 1000)}
	go func() {
		defer close(c.packets)
		for {
			p, err := readPacket(mine)
			if err != nil {
				mine.Close()
				return
			}
			c.packets <- p
		}
	}()
	return c
}

func (c *client) send(b []byte) { c.nc.Write(b) }

func (c *client) connect(p mqtt.Connect) *client {
	c.h.t.Helper()
	p.Version = c.v
	c.send(terse(p))
	if got := c.next(); got == nil || got[0] != 0x20 || got[3] != 0 {
		c.h.t.Fatalf("CONNECT of %q is accepted: got % x", p.ClientID, got)
	}
	return c
}

// terse is a CONNECT that asks for no reason strings, unless it has properties of its own: the tests here compare octets.
func terse(p mqtt.Connect) []byte {
	if p.Props == nil {
		p.Props = &mqtt.Properties{RequestProblemInfo: 0}
		p.Props.Mark(mqtt.PropRequestProblemInfo)
	}
	return p.Append(nil)
}

// next returns the packet that comes next, nil when the connection has ended or nothing comes.
func (c *client) next() []byte {
	synctest.Wait()
	select {
	case p := <-c.packets:
		return p
	default:
		return nil
	}
}

func (c *client) want(sentence string, want ...byte) {
	c.h.t.Helper()
	if got := c.next(); string(got) != string(want) {
		c.h.t.Errorf("%s: got % x, want % x", sentence, got, want)
	}
}

func (c *client) wantClosed(sentence string) {
	c.h.t.Helper()
	synctest.Wait()
	select {
	case p, open := <-c.packets:
		if open {
			c.h.t.Errorf("%s: % x came instead", sentence, p)
		}
	default:
		c.h.t.Errorf("%s: it is still open", sentence)
	}
}

func (c *client) subscribe(filter string, qos mqtt.QoS) {
	p := mqtt.Subscribe{ID: 1, Subscriptions: []mqtt.Subscription{{Filter: filter, QoS: qos}}}
	c.send(p.Append(nil, c.v))
	if got := c.next(); got == nil || got[0] != 0x90 {
		c.h.t.Fatalf("SUBSCRIBE is answered by SUBACK: got % x", got)
	}
}

func (c *client) publish(topic, payload string, qos mqtt.QoS, id uint16) {
	p := mqtt.Publish{Topic: []byte(topic), Payload: []byte(payload), QoS: qos, ID: id}
	c.send(p.Append(nil, c.v))
}

func TestKeepAlive(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		watcher := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "watcher", CleanStart: true})
		watcher.subscribe("will", 0)
		c := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", CleanStart: true, KeepAlive: 10, Will: &mqtt.Will{Topic: "will", Payload: []byte("x")}})
		time.Sleep(14 * time.Second)
		c.send(mqtt.AppendPingreq(nil))
		c.want("PINGREQ is answered", 0xD0, 0)
		time.Sleep(14 * time.Second)
		watcher.want("a client that pinged 14 s ago is not lost at a keep-alive of 10 s")
		time.Sleep(2 * time.Second)
		c.want("after one and a half keep-alives of silence an MQTT 5 client is told why", 0xE0, 1, byte(mqtt.KeepAliveTimeout))
		c.wantClosed("and the connection is closed")
		watcher.want("and its will is published", 0x30, 7, 0, 4, 'w', 'i', 'l', 'l', 'x')
		time.Sleep(24 * time.Hour)
		watcher.send(mqtt.AppendPingreq(nil))
		watcher.want("a client without keep-alive is never cut", 0xD0, 0)
	})
}

// TestKeepAliveOfEveryVersion: one and a half keep-alives of silence end a connection, and not a moment less, also of MQTT 3 clients, who are not told why.
func TestKeepAliveOfEveryVersion(t *testing.T) {
	for _, v := range []mqtt.Version{mqtt.V31, mqtt.V311, mqtt.V5} {
		for _, keepAlive := range []uint16{1, 10, 600, 65535} {
			in(t, Policy{}, broker.Limits{}, func(h *house) {
				c := h.dial(v).connect(mqtt.Connect{ClientID: "c", CleanStart: true, KeepAlive: keepAlive})
				allowed := time.Duration(keepAlive) * 3 * time.Second / 2
				time.Sleep(allowed - time.Millisecond)
				c.want("nothing happens before its time") // nil
				if n := h.server.Connections(); n != 1 {
					t.Errorf("MQTT %v, keep-alive %d s: after 1.5 times that, less a moment, the connection stands", v, keepAlive)
				}
				time.Sleep(2 * time.Millisecond)
				if v == mqtt.V5 {
					c.want("an MQTT 5 client is told why", 0xE0, 1, byte(mqtt.KeepAliveTimeout))
				}
				c.wantClosed(fmt.Sprintf("MQTT %v, keep-alive %d s: after 1.5 times that the connection is closed", v, keepAlive))
			})
		}
	}
}

func TestConnectMustComeInTime(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		c := h.dial(mqtt.V311)
		c.send([]byte{0x10, 20, 0, 4})
		time.Sleep(connectTimeout - time.Second)
		c.send([]byte{'M'})
		time.Sleep(2 * time.Second)
		c.wantClosed("a connection without a whole CONNECT within 10 s is closed, however slowly it talks")
	})
}

func TestTakeOver(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		first := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", CleanStart: true})
		h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", CleanStart: true})
		first.want("the client whose session is taken over is told", 0xE0, 1, byte(mqtt.SessionTakenOver))
		first.wantClosed("and its connection is closed")
	})
}

func TestShutdownTellsClientsAndFiresNoWill(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		c := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", CleanStart: true, Will: &mqtt.Will{Topic: "will", Payload: []byte("x"), Retain: true}})
		h.end()
		h.end = func() {}
		c.want("a client is told that the server shuts down", 0xE0, 1, byte(mqtt.ServerShuttingDown))
		if n := h.broker.Counters().Retained; n != 0 {
			t.Errorf("the server's own end is no client's loss: %d wills were published", n)
		}
	})
}

// TestSlowSubscriber floods a subscriber that does not read: the publisher is slowed at first, then goes on; another subscriber gets everything.
func TestSlowSubscriber(t *testing.T) {
	in(t, Policy{}, broker.Limits{QueueMessages: 5_000}, func(h *house) {
		mine, theirs := net.Pipe()
		h.pipes <- theirs
		stuck := mqtt.Connect{Version: mqtt.V311, ClientID: "stuck", CleanStart: true}
		mine.Write(stuck.Append(nil))
		readPacket(mine)
		sub := mqtt.Subscribe{ID: 1, Subscriptions: []mqtt.Subscription{{Filter: "#"}}}
		mine.Write(sub.Append(nil, mqtt.V311))
		readPacket(mine) // and from here on it does not read
		good := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "good", CleanStart: true})
		good.subscribe("#", 0)
		pub := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "pub", CleanStart: true})
		const n = 12_000
		received := make(chan int)
		go func() {
			count := 0
			for range good.packets {
				if count++; count == n {
					break
				}
			}
			received <- count
		}()
		start := time.Now()
		for i := range n {
			pub.publish("t", fmt.Sprint(i), 0, 0)
		}
		if got := <-received; got != n {
			t.Errorf("the subscriber that reads gets all %d messages, not %d", n, got)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("a dead reader held its publisher for %v: it may be a brake for a moment only", took)
		}
		if dropped := h.broker.Counters().Dropped["queue_full"]; dropped == 0 {
			t.Errorf("what the dead reader lost is counted: %v", h.broker.Counters().Dropped)
		}
		mine.Close()
	})
}

func TestPacketTooLargeForClient(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		props := &mqtt.Properties{MaximumPacketSize: 40}
		props.Mark(mqtt.PropMaximumPacketSize)
		c := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", CleanStart: true, Props: props})
		c.subscribe("t", 1)
		pub := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "pub", CleanStart: true})
		pub.publish("t", string(make([]byte, 100)), 1, 7)
		pub.want("the publisher is acknowledged", 0x40, 2, 0, 7)
		pub.publish("t", "small", 1, 8)
		c.want("the large message is skipped and the next one delivered", 0x32, 11, 0, 1, 't', 0, 2, 0, 's', 'm', 'a', 'l', 'l')
		if n := h.broker.Counters().Dropped["packet_too_large"]; n != 1 {
			t.Errorf("the skipped message is counted once, not %d times", n)
		}
	})
}

func TestQuotaWithoutReasonCodes(t *testing.T) {
	in(t, Policy{}, broker.Limits{TotalBytes: 1}, func(h *house) {
		sub := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "sub", CleanStart: true})
		sub.subscribe("t", 1)
		v3 := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "v3", CleanStart: true})
		v3.publish("t", "x", 1, 7)
		v3.wantClosed("an MQTT 3 client must not take a refused message for delivered: its connection is closed")
		v5 := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "v5", CleanStart: true})
		v5.publish("t", "x", 1, 7)
		v5.want("an MQTT 5 client is told", 0x40, 3, 0, 7, byte(mqtt.QuotaExceeded))
	})
}

func TestTopicAlias(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		c := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", CleanStart: true})
		c.subscribe("#", 0)
		alias := func(topic string, alias uint16) {
			p := mqtt.Publish{Topic: []byte(topic), Props: &mqtt.Properties{TopicAlias: alias}}
			p.Props.Mark(mqtt.PropTopicAlias)
			c.send(p.Append(nil, mqtt.V5))
		}
		for _, topic := range []string{"a", "", "b", ""} {
			alias(topic, 1)
		}
		for _, topic := range "aabb" {
			c.want("an alias stands for the topic it was last given with", 0x30, 4, 0, 1, byte(topic), 0)
		}
		alias("", 2)
		c.want("an alias that was never set is a protocol error", 0xE0, 1, byte(mqtt.ProtocolError))
		if n := h.server.Faults(); n["protocol_error"] != 1 || n["malformed_packet"] != 0 {
			t.Errorf("a connection closed for a fault is counted by its reason: %v", n)
		}
	})
}

// TestWhoIsThereStandsInTheLog at the level that Midge has unless told otherwise, as Mosquitto's does.
func TestWhoIsThereStandsInTheLog(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		var log bytes.Buffer
		h.server.log = slog.New(slog.NewTextHandler(&log, nil))
		c := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "pump", CleanStart: true})
		c.send([]byte{0xE0, 0})
		c.wantClosed("a DISCONNECT ends the connection")
		h.end()
		for _, want := range []string{`msg="client connected" client=pump user="" peer=pipe version=3.1.1 clean=true`, "msg=\"client disconnected\" client=pump peer=pipe\n"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log says %q: %q", want, log.String())
			}
		}
	})
}

func TestTheLogNamesWhoseFaultItWas(t *testing.T) {
	in(t, Policy{}, broker.Limits{}, func(h *house) {
		var log bytes.Buffer
		h.server.log = slog.New(slog.NewTextHandler(&log, nil))
		c := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "pump", CleanStart: true})
		c.send([]byte{0x82, 5, 0, 1, 0, 0, 0})
		c.wantClosed("a SUBSCRIBE with an empty filter ends the connection")
		h.end()
		if text := log.String(); !strings.Contains(text, "closed for a fault") || !strings.Contains(text, "client=pump") {
			t.Errorf("the log names the client that was at fault: %q", text)
		}
	})
}

// TestManyPackets cuts a stream of packets into reads of every size: what comes out does not depend on it.
func TestManyPackets(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7, 100, 70_000} {
		in(t, Policy{}, broker.Limits{}, func(h *house) {
			c := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "c", CleanStart: true})
			c.subscribe("#", 0)
			var stream []byte
			big := make([]byte, 200_000)
			for i, payload := range [][]byte{{1}, nil, big, {2}, make([]byte, 127), make([]byte, 128)} {
				p := mqtt.Publish{Topic: []byte("t"), Payload: payload, QoS: mqtt.QoS(i % 2), ID: uint16(i % 2)}
				stream = p.Append(stream, mqtt.V311)
			}
			if size < 100 {
				big = nil            // a byte at a time takes long
				stream = stream[:13] // the first two
			}
			go func() {
				for r := stream; len(r) > 0; r = r[min(size, len(r)):] {
					c.nc.Write(r[:min(size, len(r))])
				}
			}()
			var published, acked int
			for {
				p := c.next()
				if p == nil {
					break
				}
				switch p[0] & 0xF0 {
				case 0x30:
					published++
				case 0x40:
					acked++
				}
			}
			if want := 6; size >= 100 && (published != want || acked != 3) {
				t.Errorf("reads of %d octets: %d deliveries and %d acknowledgements, want %d and 3", size, published, acked, want)
			} else if size < 100 && (published != 2 || acked != 1) {
				t.Errorf("reads of %d octets: %d deliveries and %d acknowledgements, want 2 and 1", size, published, acked)
			}
		})
	}
}

func TestPacketLargerThanAllowed(t *testing.T) {
	in(t, Policy{MaximumPacketSize: 1000}, broker.Limits{}, func(h *house) {
		c := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", CleanStart: true})
		c.send([]byte{0x30, 0xFF, 0x7F})
		c.want("a packet is refused by its header, before its body is taken in", 0xE0, 1, byte(mqtt.PacketTooLarge))
		c.wantClosed("and the connection is closed")
	})
}

var _ io.Closer = (*house)(nil)
