package listener

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// TestCrowd has publishers and subscribers on two loops write to one another through sockets that are mostly full: a wake-up that is lost anywhere
// leaves a subscriber short, and a packet that two goroutines write at once leaves it with rubbish.
func TestCrowd(t *testing.T) {
	addrs := serveTwice(t)
	const publishers, each, subscribers = 4, 1500, 6
	var all sync.WaitGroup
	for i := range subscribers {
		c := dialTCP(t, addrs[i%2])
		c.SetReadBuffer(64 << 10)
		c.connect(mqtt.Connect{Version: mqtt.V311, ClientID: fmt.Sprint("sub", i), CleanStart: true}).subscribe("#", mqtt.QoS(i%2))
		all.Go(func() { receiveCrowd(c, publishers, each, i%2 == 1) })
	}
	for i := range publishers {
		c := dialTCP(t, addrs[i%2]).connect(mqtt.Connect{Version: mqtt.V311, ClientID: fmt.Sprint("pub", i), CleanStart: true})
		all.Go(func() {
			for n := range each {
				payload := make([]byte, 2+(n*37)%2000)
				payload[0], payload[1] = byte(n>>8), byte(n)
				c.Write(publishPacket(c.v, fmt.Sprint(i), string(payload), 1, uint16(n+1)))
			}
		})
		all.Go(func() {
			for n := range each {
				if p, err := readPacket(c); err != nil || p[0] != 0x40 {
					t.Errorf("publisher %d gets answer %d: % x, %v", i, n, p, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// receiveCrowd wants every publisher's messages, in order.
func receiveCrowd(c *tcpClient, publishers, each int, acknowledge bool) {
	var next [10]int
	in := bufio.NewReader(c)
	for range publishers * each {
		b, err := readPacket(in)
		if err != nil {
			c.t.Errorf("every message comes: %v after %v", err, next[:publishers])
			return
		}
		h, _ := mqtt.ParseHeader(b)
		p, err := mqtt.ParsePublish(h.First, b[h.Size:], c.v)
		if err != nil || len(p.Topic) != 1 {
			c.t.Errorf("only whole messages come: % x, %v", b[:min(len(b), 20)], err)
			return
		}
		from := p.Topic[0] - '0'
		if n := int(p.Payload[0])<<8 | int(p.Payload[1]); n != next[from] {
			c.t.Errorf("the messages of publisher %d come in order: got %d, want %d", from, n, next[from])
			return
		}
		next[from]++
		if acknowledge {
			c.Write(mqtt.AppendAck(nil, mqtt.TypePuback, p.ID, 0, c.v))
		}
	}
}

// serveTwice runs one server on two listeners.
func serveTwice(t *testing.T) (addrs [2]string) {
	t.Helper()
	s := New(broker.New(broker.Limits{}), Config{}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		start := time.Now()
		served.Wait()
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("the server's end takes a moment, not %v", took)
		}
	})
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs[i] = l.Addr().String()
		served.Go(func() { s.Serve(ctx, l, Policy{}) })
	}
	return addrs
}
