package listener

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"midge/broker/mqtt"
)

// tcpClient is a client on a real socket. Nothing is read before it is asked for.
type tcpClient struct {
	t testing.TB
	*net.TCPConn
	v mqtt.Version
}

func dialTCP(t testing.TB, addr string) *tcpClient {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return &tcpClient{t: t, TCPConn: nc.(*net.TCPConn), v: mqtt.V311}
}

func (c *tcpClient) connect(p mqtt.Connect) *tcpClient {
	c.t.Helper()
	c.v = p.Version
	c.Write(terse(p))
	if got, err := readPacket(c); err != nil || got[0] != 0x20 || got[3] != 0 {
		c.t.Fatalf("CONNECT of %q is accepted: got % x, %v", p.ClientID, got, err)
	}
	return c
}

func (c *tcpClient) subscribe(filter string, qos mqtt.QoS) *tcpClient {
	c.t.Helper()
	p := mqtt.Subscribe{ID: 1, Subscriptions: []mqtt.Subscription{{Filter: filter, QoS: qos}}}
	c.Write(p.Append(nil, c.v))
	if got, err := readPacket(c); err != nil || got[0] != 0x90 {
		c.t.Fatalf("SUBSCRIBE is answered by SUBACK: got % x, %v", got, err)
	}
	return c
}

func (c *tcpClient) want(sentence string, want ...byte) {
	c.t.Helper()
	got, err := readPacket(c)
	if err != nil || !bytes.Equal(got, want) {
		c.t.Errorf("%s: got % x, %v; want % x", sentence, got[:min(len(got), 40)], err, want[:min(len(want), 40)])
	}
}

func (c *tcpClient) wantEnd(sentence string) {
	c.t.Helper()
	got, err := readPacket(c)
	if err != io.EOF {
		c.t.Errorf("%s: got % x, %v instead of the end of the stream", sentence, got, err)
	}
}

func publishPacket(v mqtt.Version, topic, payload string, qos mqtt.QoS, id uint16) []byte {
	p := mqtt.Publish{Topic: []byte(topic), Payload: []byte(payload), QoS: qos, ID: id}
	return p.Append(nil, v)
}

func connectPacket(v mqtt.Version, id string) []byte {
	p := mqtt.Connect{Version: v, ClientID: id, CleanStart: true}
	return p.Append(nil)
}

func TestLastWordsArriveThoughInputIsUnread(t *testing.T) {
	c := dialTCP(t, serve(t, Policy{}))
	c.Write(append(connectPacket(mqtt.V5, "c"), 0xF1, 0))
	if _, err := c.Write(make([]byte, 4<<20)); err != nil { // much more than one read
		t.Errorf("what the client still sends is taken, or the connection would be reset: %v", err)
	}
	if got, err := readPacket(c); err != nil || got[0] != 0x20 {
		t.Fatalf("CONNACK comes: got % x, %v", got, err)
	}
	c.want("the fault is told", 0xE0, 1, byte(mqtt.ProtocolError))
	c.wantEnd("and the connection ends")
}

func TestWhatCameBeforeTheEndIsAnswered(t *testing.T) {
	disconnect := mqtt.Disconnect{}
	for _, row := range []struct {
		name string
		last []byte
		want []byte // after the answers; nil: nothing
	}{
		{"DISCONNECT", disconnect.Append(nil, mqtt.V5), nil},
		{"a packet with wrong flags", []byte{0xF1, 0}, []byte{0xE0, 1, byte(mqtt.ProtocolError)}},
		{"a second CONNECT", connectPacket(mqtt.V5, "c"), []byte{0xE0, 1, byte(mqtt.ProtocolError)}},
		{"a packet that no client sends", []byte{0xD0, 0}, []byte{0xE0, 1, byte(mqtt.ProtocolError)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			addr := serve(t, Policy{})
			watcher := dialTCP(t, addr).connect(mqtt.Connect{Version: mqtt.V311, ClientID: "watcher", CleanStart: true}).subscribe("t", 0)
			c := dialTCP(t, addr)
			var all []byte
			all = append(all, connectPacket(mqtt.V5, "c")...)
			all = append(all, publishPacket(mqtt.V5, "t", "1", 1, 7)...)
			all = append(all, publishPacket(mqtt.V5, "t", "2", 2, 8)...)
			all = mqtt.AppendPingreq(all)
			all = append(all, row.last...)
			all = append(all, publishPacket(mqtt.V5, "t", "3", 1, 9)...)
			c.Write(all)
			if got, err := readPacket(c); err != nil || got[0] != 0x20 {
				t.Fatalf("CONNACK comes first: got % x, %v", got, err)
			}
			answers := map[string]bool{}
			for range 3 {
				got, err := readPacket(c)
				if err != nil {
					t.Fatalf("three answers come: got %v, then %v", answers, err)
				}
				answers[fmt.Sprintf("% x", got)] = true
			}
			for _, want := range []string{"40 02 00 07", "50 02 00 08", "d0 00"} {
				if !answers[want] {
					t.Errorf("%s is among the answers to what came before: got %v", want, answers)
				}
			}
			if row.want != nil {
				c.want("then the fault is told", row.want...)
			}
			c.wantEnd("then the connection ends, and nothing that came after is answered")
			watcher.want("the first message is delivered", 0x30, 4, 0, 1, 't', '1')
			watcher.want("the second too", 0x30, 4, 0, 1, 't', '2')
			watcher.Write(mqtt.AppendPingreq(nil))
			watcher.want("what came after is not", 0xD0, 0)
		})
	}
}

func TestHalfClosedClientGetsItsAnswers(t *testing.T) {
	c := dialTCP(t, serve(t, Policy{})).connect(mqtt.Connect{Version: mqtt.V311, ClientID: "c", CleanStart: true})
	c.Write(publishPacket(c.v, "t", "x", 1, 7))
	c.CloseWrite()
	c.want("a client that has ended its side only is answered", 0x40, 2, 0, 7)
	c.wantEnd("and then the connection ends")
}

func TestLargePacketsBothWays(t *testing.T) {
	addr := serve(t, Policy{})
	c := dialTCP(t, addr).connect(mqtt.Connect{Version: mqtt.V311, ClientID: "c", CleanStart: true}).subscribe("t", 1)
	large := string(bytes.Repeat([]byte("midge"), 399_990)) // 2 MB less a little
	const n = 5
	go func() {
		for i := range n {
			c.Write(publishPacket(c.v, "t", large, 1, uint16(i+1)))
		}
	}()
	deliveries, acks := 0, 0
	for range 2 * n {
		p, err := readPacket(c)
		if err != nil {
			t.Fatalf("after %d deliveries and %d answers: %v", deliveries, acks, err)
		}
		switch p[0] & 0xF0 {
		case 0x30:
			deliveries++
			if !bytes.HasSuffix(p, []byte(large)) {
				t.Errorf("delivery %d carries what was published", deliveries)
			}
		case 0x40:
			acks++
		}
	}
	if deliveries != n || acks != n {
		t.Errorf("%d large packets in, %d out and %d answers", n, deliveries, acks)
	}
}

// TestPingsWithoutListening sends PINGREQ and takes no answer: the server stops reading, and goes on when the answers are taken.
func TestPingsWithoutListening(t *testing.T) {
	c := dialTCP(t, serve(t, Policy{})).connect(mqtt.Connect{Version: mqtt.V311, ClientID: "c", CleanStart: true})
	c.SetReadBuffer(64 << 10)
	pings := bytes.Repeat(mqtt.AppendPingreq(nil), 32<<10)
	c.SetWriteDeadline(time.Now().Add(time.Second))
	sent := 0
	for sent < 64<<20 {
		n, err := c.Write(pings[sent%2:])
		if sent += n; os.IsTimeout(err) {
			break
		} else if err != nil {
			t.Fatalf("the connection stays open: %v", err)
		}
	}
	if sent >= 64<<20 {
		t.Errorf("the server took %d octets from a client that takes no answer: it should have stopped reading", sent)
	}
	if got, err := io.CopyN(io.Discard, c, int64(sent&^1)); err != nil {
		t.Errorf("when the client listens again, all %d octets of answers come: got %d, %v", sent, got, err)
	}
}

// TestIdleConnections holds connections that do nothing, pings on each, and looks at what they cost.
func TestIdleConnections(t *testing.T) {
	addr := serve(t, Policy{})
	const n = 2000
	before := runtime.NumGoroutine()
	clients := make([]*tcpClient, n)
	for i := range clients {
		clients[i] = dialTCP(t, addr).connect(mqtt.Connect{Version: mqtt.V311, ClientID: fmt.Sprint("idle", i), CleanStart: true})
	}
	if after := runtime.NumGoroutine(); runtime.GOOS == "linux" && after > before+10 {
		t.Errorf("%d idle connections cost no goroutines: there were %d, now %d", n, before, after)
	}
	for _, c := range clients {
		c.SetDeadline(time.Now().Add(20 * time.Second)) // to connect them all may have taken as long
		c.Write(mqtt.AppendPingreq(nil))
	}
	for i, c := range clients {
		c.want(fmt.Sprintf("connection %d answers PINGREQ", i), 0xD0, 0)
	}
}
