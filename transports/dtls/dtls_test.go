package dtls

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"midge/internal/certtest"
	"midge/transports"
	"midge/transports/linktest"
)

func TestMain(m *testing.M) { linktest.Main(m) }

var key = []byte("sixteen octets!!")

func listen(t testing.TB, change func(*Config)) *Link {
	t.Helper()
	c := Config{Address: "127.0.0.1:0", PSK: PSK{"sensor-7": key}}
	if change != nil {
		change(&c)
	}
	l, err := Listen(c)
	if err != nil {
		t.Fatalf("Listen: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// tryDial shakes hands as sensor-7 unless change says otherwise.
func tryDial(t testing.TB, address string, patience time.Duration, change func(*DialConfig)) (*Device, error) {
	t.Helper()
	c := DialConfig{Address: address, Identity: "sensor-7", Key: key}
	if change != nil {
		change(&c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d, err := Dial(ctx, c)
	if err == nil {
		t.Cleanup(func() { d.Close() })
	}
	return d, err
}

func dial(t testing.TB, address string, change func(*DialConfig)) *Device {
	t.Helper()
	d, err := tryDial(t, address, 10*time.Second, change)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	return d
}

// read waits for one frame.
func read(t testing.TB, l transports.Link) transports.Frame {
	t.Helper()
	frames := []transports.Frame{{Data: make([]byte, 0, l.MTU())}}
	timer := time.AfterFunc(10*time.Second, func() { l.Close() })
	defer timer.Stop()
	if n, err := l.ReadFrames(frames); n != 1 || err != nil {
		t.Fatalf("a frame comes: %d, %v", n, err)
	}
	return frames[0]
}

// send sends one message and wants it to arrive.
func send(t testing.TB, from, to transports.Link, addr transports.Addr, sentence string) transports.Frame {
	t.Helper()
	m := linktest.Message(20, byte(time.Now().UnixNano()))
	from.WriteFrames([]transports.Frame{{Addr: addr, Data: m}})
	f := read(t, to)
	if !bytes.Equal(f.Data, m) {
		t.Fatalf("%s: got % x, want % x", sentence, f.Data, m)
	}
	return f
}

func TestConforms(t *testing.T) {
	certs := newCerts(t)
	for name, ends := range map[string]struct {
		gateway func(*Config)
		device  func(*DialConfig)
	}{
		"pre-shared key": {nil, nil},
		"certificates":   {certs.gateway, certs.device("sensor-7")},
	} {
		t.Run(name, func(t *testing.T) {
			linktest.Conformance(t, func(t *testing.T) (transports.Link, func() transports.Link) {
				gw := listen(t, ends.gateway)
				return gw, func() transports.Link { return dial(t, gw.LocalAddr().String(), ends.device) }
			})
		})
	}
}

func TestIdentity(t *testing.T) {
	certs := newCerts(t)
	for _, row := range []struct {
		name    string
		gateway func(*Config)
		device  func(*DialConfig)
		want    string // "": it does not come in
	}{
		{"a pre-shared key", nil, nil, "sensor-7"},
		{"a wrong key", nil, func(c *DialConfig) { c.Key = []byte("another key of 16") }, ""},
		{"an identity that nobody knows", nil, func(c *DialConfig) { c.Identity = "sensor-8" }, ""},
		{"a certificate", certs.gateway, certs.device("boat"), "boat"},
		{"a certificate without a name", certs.gateway, certs.device(""), ""},
		{"no certificate where one is required", certs.gateway, func(c *DialConfig) { c.Key, c.RootCAs = nil, certs.pool }, ""},
		{"a certificate that nobody vouches for", certs.gateway, func(c *DialConfig) {
			newCerts(t).device("boat")(c)
			c.RootCAs = certs.pool
		}, ""},
		{"a gateway that nobody vouches for", certs.gateway, func(c *DialConfig) {
			certs.device("boat")(c)
			c.RootCAs = newCerts(t).pool
		}, ""},
		{"a key where both ways are open", certs.both, nil, "sensor-7"},
		{"a certificate where both ways are open", certs.both, certs.device("boat"), "boat"},
	} {
		t.Run(row.name, func(t *testing.T) {
			gw := listen(t, row.gateway)
			patience := 10 * time.Second
			if row.want == "" {
				patience = time.Second // a wrong key is met with silence (RFC 6347 §4.1.2.7)
			}
			d, err := tryDial(t, gw.LocalAddr().String(), patience, row.device)
			if row.want == "" {
				if err == nil {
					// The gateway may refuse when the device believes that all is done.
					d.WriteFrames([]transports.Frame{{Data: linktest.Message(9, 1)}})
					b := make([]byte, 100)
					d.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
					if _, err = d.conn.Read(b); err == nil {
						t.Errorf("%s does not come in", row.name)
					}
				}
				if n := len(gw.sessions); n != 0 {
					t.Errorf("%s leaves no session: %d", row.name, n)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s comes in: %v", row.name, err)
			}
			f := send(t, d, gw, transports.Addr{}, "its message arrives")
			if got := gw.Identity(f.Addr); got != row.want {
				t.Errorf("%s gives the name %q: got %q", row.name, row.want, got)
			}
			if got := gw.FormatAddr(f.Addr); !strings.HasSuffix(got, "("+row.want+")") {
				t.Errorf("the address for people has the name: %q", got)
			}
		})
	}
}

// relay passes datagrams on as a router with address translation does, until it forgets the way and takes another port.
type relay struct {
	inside  *net.UDPConn
	outside chan *net.UDPConn
	device  chan net.Addr
}

func newRelay(t *testing.T, gateway string) *relay {
	t.Helper()
	inside, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{inside: inside, outside: make(chan *net.UDPConn, 1), device: make(chan net.Addr, 1)}
	r.outside <- nil
	r.device <- nil
	r.forget(t, gateway)
	go func() {
		b := make([]byte, 9000)
		for {
			n, from, err := inside.ReadFrom(b)
			if err != nil {
				return
			}
			<-r.device
			r.device <- from
			out := <-r.outside
			out.Write(b[:n])
			r.outside <- out
		}
	}()
	t.Cleanup(func() {
		inside.Close()
		out := <-r.outside
		out.Close()
		r.outside <- out // whoever is in the middle of a datagram goes on to the end
	})
	return r
}

// forget gives the device another port outside.
func (r *relay) forget(t *testing.T, gateway string) {
	t.Helper()
	to, _ := net.ResolveUDPAddr("udp4", gateway)
	out, err := net.DialUDP("udp4", nil, to)
	if err != nil {
		t.Fatal(err)
	}
	if old := <-r.outside; old != nil {
		old.Close()
	}
	r.outside <- out
	go func() {
		b := make([]byte, 9000)
		for {
			n, err := out.Read(b)
			if err != nil {
				return
			}
			device := <-r.device
			r.device <- device
			r.inside.WriteTo(b[:n], device)
		}
	}()
}

func TestASessionOutlivesItsAddress(t *testing.T) {
	gw := listen(t, nil)
	r := newRelay(t, gw.LocalAddr().String())
	d := dial(t, r.inside.LocalAddr().String(), nil)
	before := send(t, d, gw, transports.Addr{}, "a message arrives")
	where := gw.FormatAddr(before.Addr)
	r.forget(t, gw.LocalAddr().String())
	after := send(t, d, gw, transports.Addr{}, "a message from another address arrives, without a new handshake")
	if after.Addr != before.Addr || gw.Identity(after.Addr) != "sensor-7" {
		t.Errorf("it is of the same peer: %v and %v", before.Addr, after.Addr)
	}
	if now := gw.FormatAddr(after.Addr); now == where {
		t.Errorf("whose address is the new one: %s", now)
	}
	send(t, gw, d, after.Addr, "and the answer finds it there")
}

func TestTheMostSilentSessionMakesRoom(t *testing.T) {
	gw := listen(t, func(c *Config) { c.Sessions = 2 })
	at := gw.LocalAddr().String()
	first, second := dial(t, at, nil), dial(t, at, nil)
	send(t, second, gw, transports.Addr{}, "the second is heard")
	send(t, first, gw, transports.Addr{}, "the first is heard after it")
	third := dial(t, at, nil)
	send(t, third, gw, transports.Addr{}, "the third has room")
	send(t, first, gw, transports.Addr{}, "the one that was heard later is still there")
	second.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := second.conn.Read(make([]byte, 100)); err == nil {
		t.Error("the one that was silent for longest is told that its session has ended")
	}
}

func TestRubbishIsNoPeer(t *testing.T) {
	gw := listen(t, nil)
	c, err := net.Dial("udp", gw.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, b := range [][]byte{{}, {22}, {22, 0xFE, 0xFD}, bytes.Repeat([]byte{0xFF}, 1000), bytes.Repeat([]byte{22, 0xFE, 0xFD, 0}, 200), linktest.Message(20, 1)} {
		c.Write(b)
	}
	send(t, dial(t, gw.LocalAddr().String(), nil), gw, transports.Addr{}, "after rubbish a device is heard as before")
	if n := gw.Stats().Errors[transports.ReasonMalformed]; n != 5 {
		t.Errorf("what is not DTLS is counted, a plain MQTT-SN message too: 5 datagrams, got %d", n)
	}
}

func TestListenErrors(t *testing.T) {
	gw := listen(t, nil)
	for sentence, c := range map[string]Config{
		"an address in use is an error":                {Address: gw.LocalAddr().String(), PSK: PSK{"a": key}},
		"so is a link that could believe nobody":       {Address: "127.0.0.1:0"},
		"a message longer than pion reads is an error": {Address: "127.0.0.1:0", PSK: PSK{"a": key}, MTU: mtuMax + 1},
		"an address without port is an error":          {Address: "127.0.0.1", PSK: PSK{"a": key}},
	} {
		if l, err := Listen(c); err == nil {
			l.Close()
			t.Error(sentence)
		}
	}
}

// certs are an authority and who trusts it.
type certs struct {
	*certtest.Authority
	t    *testing.T
	pool *x509.CertPool
}

func newCerts(t *testing.T) *certs {
	c := &certs{certtest.New(t), t, x509.NewCertPool()}
	c.pool.AddCert(c.Cert)
	return c
}

func (c *certs) gateway(g *Config) {
	g.PSK = nil
	g.Certificates = []tls.Certificate{c.Issue("gateway").TLS(c.t)}
	g.ClientCAs, g.RequireCert = c.pool, true
}

func (c *certs) both(g *Config) {
	psk := g.PSK
	c.gateway(g)
	g.PSK, g.RequireCert = psk, false
}

func (c *certs) device(name string) func(*DialConfig) {
	return func(d *DialConfig) {
		cert := c.Issue(name).TLS(c.t)
		d.Key, d.RootCAs, d.Certificate = nil, c.pool, &cert
	}
}

// TestMessagesComeWhenTheirAddressIsKnown: what a session has read of a datagram comes when it is done with that, in order, and at once if it is.
func TestMessagesComeWhenTheirAddressIsKnown(t *testing.T) {
	f := &flow{}
	f.arrived.L = &f.mu
	var got []int
	say := func(n int) { f.settled(func() { got = append(got, n) }) }
	want := func(sentence string, want ...int) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", sentence, got, want)
		}
	}
	say(1)
	want("nothing is under way", 1)
	for range 2 {
		f.put(record{}, []byte("datagram"), netip.MustParseAddrPort("127.0.0.1:1"))
	}
	f.ReadFrom(make([]byte, 100))
	say(2)
	want("the session is at work on a datagram", 1)
	say(3)
	want("its second message shows that it is done with the first", 1, 2)
	f.ReadFrom(make([]byte, 100))
	want("who reads on is done with it", 1, 2, 3)
	say(4)
	f.settled(func() {})
	want("at the end nothing is held back", 1, 2, 3, 4)
}
