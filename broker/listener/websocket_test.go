package listener

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"midge/broker"
	"midge/broker/mqtt"
)

// dialWebSocket connects as MQTT clients do.
func dialWebSocket(addr string, header http.Header) (net.Conn, error) {
	ws, err := openWebSocket(context.Background(), addr, nil, header)
	if err != nil {
		return nil, err
	}
	return websocket.NetConn(context.Background(), ws, websocket.MessageBinary), nil
}

// openWebSocket connects to addr, or over nc where there is one.
func openWebSocket(ctx context.Context, addr string, nc net.Conn, header http.Header) (*websocket.Conn, error) {
	o := &websocket.DialOptions{Subprotocols: []string{"mqtt"}, HTTPHeader: header}
	if nc != nil {
		o.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nc, nil }}}
	}
	ws, answer, err := websocket.Dial(ctx, "ws://"+addr, o)
	if err != nil && answer != nil {
		b, _ := io.ReadAll(answer.Body)
		err = errors.New(answer.Status + ": " + strings.TrimSpace(string(b)))
	}
	return ws, err
}

// webClient is a client whose messages a test makes itself.
type webClient struct {
	t  *testing.T
	ws *websocket.Conn
}

func webClientOf(t *testing.T, addr string) *webClient {
	t.Helper()
	ws, err := openWebSocket(t.Context(), addr, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	return &webClient{t, ws}
}

func (c *webClient) send(kind websocket.MessageType, b []byte) {
	if err := c.ws.Write(c.t.Context(), kind, b); err != nil {
		c.t.Errorf("a message goes out: %v", err)
	}
}

// want reads messages until all octets are there.
func (c *webClient) want(sentence string, want ...byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	var got []byte
	for len(got) < len(want) {
		kind, b, err := c.ws.Read(ctx)
		if err != nil || kind != websocket.MessageBinary {
			c.t.Fatalf("%s: after % x came a message of type %v, %v", sentence, got, kind, err)
		}
		got = append(got, b...)
	}
	if !bytes.Equal(got, want) {
		c.t.Errorf("%s: got % x, want % x", sentence, got, want)
	}
}

// Tests MQTT 5: 6.0.0-2 6.0.0-4
// Tests MQTT 3.1.1: 6.0.0-2 6.0.0-4
func TestWebSocketMessagesAndPackets(t *testing.T) {
	c := webClientOf(t, serve(t, Policy{WebSocket: &WebSocket{}}))
	if got := c.ws.Subprotocol(); got != "mqtt" {
		t.Errorf("the subprotocol is mqtt, not %q", got)
	}
	connect := connectPacket(mqtt.V311, "c")
	c.send(websocket.MessageBinary, connect[:1])
	c.send(websocket.MessageBinary, nil)
	c.send(websocket.MessageBinary, connect[1:9])
	pings := mqtt.AppendPingreq(mqtt.AppendPingreq(nil))
	c.send(websocket.MessageBinary, append(connect[9:], pings[:3]...))
	c.want("a packet may come in several messages, and a message may hold several", 0x20, 2, 0, 0, 0xD0, 0)
	w, err := c.ws.Writer(t.Context(), websocket.MessageBinary)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(pings[3:]) // each Write is a frame
	w.Write(pings[:1])
	w.Write(pings[1:])
	w.Close()
	c.want("or one in several frames", 0xD0, 0, 0xD0, 0, 0xD0, 0)
	go c.ws.Read(t.Context()) // pongs come while one reads
	if err := c.ws.Ping(t.Context()); err != nil {
		t.Errorf("a ping of WebSocket is answered: %v", err)
	}
}

// Tests MQTT 5: 6.0.0-1
// Tests MQTT 3.1.1: 6.0.0-1
func TestWebSocketTextEndsTheConnection(t *testing.T) {
	addr := serve(t, Policy{WebSocket: &WebSocket{}})
	watcher := webClientOf(t, addr)
	sub := mqtt.Subscribe{ID: 1, Subscriptions: []mqtt.Subscription{{Filter: "will"}}}
	watcher.send(websocket.MessageBinary, append(connectPacket(mqtt.V311, "watcher"), sub.Append(nil, mqtt.V311)...))
	watcher.want("a client subscribes", 0x20, 2, 0, 0, 0x90, 3, 0, 1, 0)
	c := webClientOf(t, addr)
	connect := mqtt.Connect{Version: mqtt.V311, ClientID: "c", CleanStart: true, Will: &mqtt.Will{Topic: "will", Payload: []byte("x")}}
	c.send(websocket.MessageBinary, connect.Append(nil))
	c.want("a client comes in", 0x20, 2, 0, 0)
	c.send(websocket.MessageText, mqtt.AppendPingreq(nil))
	if _, _, err := c.ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusUnsupportedData {
		t.Errorf("text ends the connection with status 1003: got %v", err)
	}
	watcher.want("and publishes the will", 0x30, 7, 0, 4, 'w', 'i', 'l', 'l', 'x')
}

func TestWebSocketEnds(t *testing.T) {
	addr := serve(t, Policy{WebSocket: &WebSocket{}})
	c := webClientOf(t, addr)
	disconnect := mqtt.Disconnect{}
	c.send(websocket.MessageBinary, append(connectPacket(mqtt.V5, "c"), disconnect.Append(nil, mqtt.V5)...))
	if _, b, err := c.ws.Read(t.Context()); err != nil || b[0] != 0x20 {
		t.Errorf("CONNACK comes: got % x, %v", b, err)
	}
	if _, b, err := c.ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("after DISCONNECT the server ends with status 1000: got % x, %v", b, err)
	}
	c = webClientOf(t, addr)
	c.send(websocket.MessageBinary, append(connectPacket(mqtt.V5, "c"), 0xF1, 0))
	if _, b, err := c.ws.Read(t.Context()); err != nil || b[0] != 0x20 {
		t.Errorf("CONNACK comes: got % x, %v", b, err)
	}
	c.want("a fault is told", 0xE0, 1, byte(mqtt.ProtocolError))
	if _, _, err := c.ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("and the WebSocket ends in order: got %v", err)
	}
}

func TestWebSocketKeepAlive(t *testing.T) {
	in(t, Policy{WebSocket: &WebSocket{}}, broker.Limits{}, func(h *house) {
		mine, theirs := net.Pipe()
		h.pipes <- theirs
		ws, err := openWebSocket(context.Background(), "127.0.0.1", mine, nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		connect := mqtt.Connect{Version: mqtt.V5, ClientID: "c", CleanStart: true, KeepAlive: 10}
		ws.Write(context.Background(), websocket.MessageBinary, connect.Append(nil))
		if _, b, err := ws.Read(context.Background()); err != nil || b[0] != 0x20 {
			t.Fatalf("CONNACK comes: got % x, %v", b, err)
		}
		if _, b, err := ws.Read(context.Background()); len(b) < 3 || b[0] != 0xE0 || b[2] != byte(mqtt.KeepAliveTimeout) || time.Since(start) != 15*time.Second {
			t.Errorf("after one and a half keep-alives of silence the client is told why: got % x, %v after %v", b, err, time.Since(start))
		}
		ws.CloseNow()
		for _, text := range []string{"", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", 4000)} {
			mine, theirs := net.Pipe()
			h.pipes <- theirs
			start := time.Now()
			go io.WriteString(mine, text)
			if _, err := mine.Read(make([]byte, 1)); err != io.EOF || time.Since(start) > connectTimeout {
				t.Errorf("a request that does not come whole, or is longer than any, ends the connection after 10 s at the latest: got %v after %v", err, time.Since(start))
			}
			mine.Close()
		}
		synctest.Wait()
		if got := h.server.Refused()["no_websocket"]; got != 3 || h.server.Connections() != 0 {
			t.Errorf("all are counted and forgotten: got %d, and %d connections", got, h.server.Connections())
		}
	})
}

func TestWebSocketRequests(t *testing.T) {
	addr := serve(t, Policy{WebSocket: &WebSocket{Path: "/mqtt"}})
	request := func(path, protocol string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + protocol + "\r\n"
	}
	for _, row := range []struct{ request, want string }{
		{request("/mqtt", "Sec-WebSocket-Protocol: mqtt\r\n"), "101"},
		{request("/mqtt", "Sec-WebSocket-Protocol: mqttv3.1\r\n"), "101"},
		{request("/mqtt?x=y", "Sec-WebSocket-Protocol: wamp, MQTT\r\n"), "101"},
		{request("/", "Sec-WebSocket-Protocol: mqtt\r\n"), "404"},
		{request("/mqtt", ""), "400"},
		{request("/mqtt", "Sec-WebSocket-Protocol: mqtt5\r\n"), "400"},
		{request("/mqtt", "Sec-WebSocket-Protocol: mqtt\r\nOrigin: https://evil.example\r\n"), "403"},
		{"GET /mqtt HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n", "426"},
		{"GET /favicon.ico HTTP/1.1\r\nHost: a\r\n\r\n", "404"},
	} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(nc, row.request)
		answer := make([]byte, len("HTTP/1.1 101"))
		if _, err := io.ReadFull(nc, answer); err != nil || string(answer) != "HTTP/1.1 "+row.want {
			t.Errorf("this request is answered by %s, not %q, %v:\n%s", row.want, answer, err, row.request)
		}
		nc.Close()
	}
}

func TestOrigins(t *testing.T) {
	here, lan := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}
	for _, row := range []struct {
		allowed      []string
		origin, host string
		local        net.Addr
		want         bool
		sentence     string
	}{
		{nil, "http://pi.local", "pi.local:9001", lan, true, "a page of the same host may connect"},
		{nil, "https://PI.local:8443", "pi.local", lan, true, "whatever its port and scheme"},
		{nil, "http://192.0.2.1", "192.0.2.1:9001", lan, true, "a host without a name is one too"},
		{nil, "http://evil.example", "pi.local:9001", lan, false, "a page of another host may not"},
		{nil, "null", "pi.local:9001", lan, false, "nor may one of no host"},
		{nil, "http://localhost:3000", "127.0.0.1:9001", here, true, "this machine has several names"},
		{nil, "http://[::1]", "localhost:9001", here, true, "and several addresses"},
		{nil, "http://evil.example", "localhost:9001", here, false, "a page from elsewhere may not connect to it"},
		{nil, "http://evil.example", "evil.example:9001", here, false, "even if its name was made to point here"},
		{nil, "http://pi.local", "pi.local:9001", here, false, "which a name of this machine cannot be told from"},
		{[]string{"https://a.example"}, "https://a.example", "pi.local", lan, true, "an origin that is written may connect"},
		{[]string{"https://a.example"}, "http://a.example", "pi.local", lan, false, "by its scheme too"},
		{[]string{"https://a.example"}, "http://pi.local", "pi.local", lan, false, "and then no other may"},
		{[]string{"*"}, "null", "localhost", here, true, "a star lets all"},
	} {
		p := WebSocket{Origins: row.allowed}
		if got := p.believes(row.origin, row.host, row.local); got != row.want {
			t.Errorf("%s: %s to %s with %q gives %v", row.sentence, row.origin, row.host, row.allowed, got)
		}
	}
}

// FuzzUpgrade reads requests. Whatever they are, a WebSocket comes only of one that offers a name of MQTT and is no stranger's page.
func FuzzUpgrade(f *testing.F) {
	const good = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	f.Add([]byte(good + "Sec-WebSocket-Protocol: mqtt\r\n\r\n"))
	f.Add([]byte(good + "Sec-WebSocket-Protocol: mqttv3.1\r\nOrigin: http://127.0.0.1\r\n\r\n"))
	f.Add([]byte(good + "Sec-WebSocket-Protocol: mqtt\r\nOrigin: http://evil.example\r\n\r\n"))
	f.Add([]byte(good + "\r\n"))
	f.Add(connectPacket(mqtt.V5, "c"))
	p := &WebSocket{Path: "/mqtt"}
	f.Fuzz(func(t *testing.T, request []byte) {
		nc := &script{in: bytes.NewReader(request)}
		_, err := p.upgrade(nc)
		switched := strings.HasPrefix(nc.out.String(), "HTTP/1.1 101 ")
		if switched != (err == nil) {
			t.Errorf("a WebSocket is what was answered by 101: %v, %q", err, nc.out.String())
		}
		lower := strings.ToLower(string(request))
		if switched && (!strings.Contains(lower, "mqtt") || strings.Contains(lower, "origin: http://evil.example\r\n")) {
			t.Errorf("this is no WebSocket of ours: %q", request)
		}
	})
}

// script is a connection from loopback on which octets come and what is written is kept.
type script struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (s *script) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *script) Write(b []byte) (int, error) { return s.out.Write(b) }
func (s *script) LocalAddr() net.Addr         { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (s *script) Close() error                { return nil }
