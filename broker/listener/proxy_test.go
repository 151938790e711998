package listener

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// proxyV2 makes a header of version 2.
func proxyV2(command, family byte, body ...byte) []byte {
	b := append([]byte(proxySignature), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

// field is a field of a header.
func field(kind byte, value ...byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value))), value...)
}

// summed adds the field of a checksum.
func summed(header []byte) []byte {
	b := append(header, field(proxyCRC32C, 0, 0, 0, 0)...)
	binary.BigEndian.PutUint16(b[14:], uint16(len(b)-16))
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// shown is a field that tells of a certificate.
func shown(client byte, verify uint32, name string) []byte {
	v := binary.BigEndian.AppendUint32([]byte{client}, verify)
	v = append(v, field(0x21, []byte("TLSv1.3")...)...)
	return field(proxySSL, append(v, field(proxySSLName, []byte(name)...)...)...)
}

// Addresses of the headers below: from 192.0.2.7:50000 and [2001:db8::7]:50000 to port 1883.
var (
	tcp4 = unhex("c0000207 c0000201 c350 075b")
	tcp6 = unhex("20010db8000000000000000000000007 20010db8000000000000000000000001 c350 075b")
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

var proxyHeaders = []struct {
	sentence     string
	header       []byte
	client, name string // "" = none
	err          string
}{
	{"version 1, IPv4", []byte("PROXY TCP4 192.0.2.7 192.0.2.1 50000 1883\r\n"), "192.0.2.7:50000", "", ""},
	{"version 1, IPv6", []byte("PROXY TCP6 2001:db8::7 2001:db8::1 50000 1883\r\n"), "[2001:db8::7]:50000", "", ""},
	{"version 1, of whom is not known", []byte("PROXY UNKNOWN\r\n"), "", "", ""},
	{"version 1, the longest", []byte("PROXY UNKNOWN " + strings.Repeat("f", proxyLineMax-16) + "\r\n"), "", "", ""},
	{"version 1 without end", []byte("PROXY UNKNOWN " + strings.Repeat("f", proxyLineMax)), "", "", "PROXY header does not end"},
	{"version 1 of the other family", []byte("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n"), "", "", `PROXY header "PROXY TCP4 2001:db8::7 2001:db8::1 1 2" has no addresses`},
	{"version 1 with a port that is none", []byte("PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n"), "", "", `PROXY header "PROXY TCP4 192.0.2.7 192.0.2.1 1 65536" has no addresses`},
	{"version 1 of UDP", []byte("PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n"), "", "", `PROXY header "PROXY UDP4 192.0.2.7 192.0.2.1 1 2" is none`},
	{"version 2, IPv4", proxyV2(proxyProxy, proxyTCP4, tcp4...), "192.0.2.7:50000", "", ""},
	{"version 2, IPv6", proxyV2(proxyProxy, proxyTCP6, tcp6...), "[2001:db8::7]:50000", "", ""},
	{"version 2 of the proxy itself, whatever it says", proxyV2(proxyLocal, 0xFF, 1, 2, 3), "", "", ""},
	{"version 2, of whom is not known", proxyV2(proxyProxy, proxyUnspec, field(0xE0, 1)...), "", "", ""},
	{"version 2, a Unix socket", proxyV2(proxyProxy, proxyUnix, make([]byte, 216)...), "", "", ""},
	{"version 2 with a checksum", summed(proxyV2(proxyProxy, proxyTCP4, tcp4...)), "192.0.2.7:50000", "", ""},
	{"version 2 with a wrong checksum", proxyV2(proxyProxy, proxyTCP4, append(tcp4, field(proxyCRC32C, 1, 2, 3, 4)...)...), "", "", "PROXY header does not fit its checksum"},
	{"version 2 with a verified certificate", proxyV2(proxyProxy, proxyTCP4, append(tcp4, shown(7, 0, "pump")...)...), "192.0.2.7:50000", "pump", ""},
	{"version 2 with one of a resumed session", proxyV2(proxyProxy, proxyTCP4, append(tcp4, shown(5, 0, "pump")...)...), "192.0.2.7:50000", "pump", ""},
	{"version 2 with one that was not verified", proxyV2(proxyProxy, proxyTCP4, append(tcp4, shown(7, 1, "pump")...)...), "192.0.2.7:50000", "", ""},
	{"version 2 with a name and no certificate", proxyV2(proxyProxy, proxyTCP4, append(tcp4, shown(1, 0, "pump")...)...), "192.0.2.7:50000", "", ""},
	{"version 2 of UDP", proxyV2(proxyProxy, 0x12, tcp4...), "", "", "PROXY header has family 0x12, which carries no MQTT"},
	{"version 2 with an unknown command", proxyV2(0x22, proxyTCP4, tcp4...), "", "", "PROXY header has command 0x22, which is unknown"},
	{"version 3", proxyV2(0x31, proxyTCP4, tcp4...), "", "", "PROXY header has command 0x31, which is unknown"},
	{"version 2 without its addresses", proxyV2(proxyProxy, proxyTCP6, tcp4...), "", "", "PROXY header ends in its addresses"},
	{"version 2 cut in a field", proxyV2(proxyProxy, proxyTCP4, append(tcp4, 4, 0, 9, 1)...), "", "", "PROXY header ends in a field"},
	{"version 2 larger than any", append([]byte(proxySignature), proxyProxy, proxyTCP4, 0xFF, 0xFF), "", "", "PROXY header of 65535 octets is larger than any"},
	{"a CONNECT", connectPacket(mqtt.V5, "c"), "", "", "there is no PROXY header"},
}

func TestProxyHeaders(t *testing.T) {
	for _, row := range proxyHeaders {
		const after = "what follows"
		r := strings.NewReader(string(row.header) + after)
		p, err := readProxyHeader(r)
		client, text := "", ""
		if p.client != nil {
			client = p.client.String()
		}
		if err != nil {
			text, client, p.name = err.Error(), "", ""
		}
		if client != row.client || p.name != row.name || text != row.err {
			t.Errorf("%s gives %q, %q, error %q: got %q, %q, %q", row.sentence, row.client, row.name, row.err, client, p.name, text)
		}
		if rest, _ := io.ReadAll(r); err == nil && string(rest) != after {
			t.Errorf("%s: what follows is left to be read: got %q", row.sentence, rest)
		}
		for n := range len(row.header) {
			if _, err := readProxyHeader(bytes.NewReader(row.header[:n])); err == nil {
				t.Errorf("%s cut after %d octets is none", row.sentence, n)
			}
		}
	}
}

func FuzzProxyHeader(f *testing.F) {
	for _, row := range proxyHeaders {
		f.Add(row.header)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		p, err := readProxyHeader(r)
		if err != nil {
			return
		}
		used := b[:len(b)-r.Len()]
		if len(used) > 16+proxyBodyMax {
			t.Errorf("a header is at most %d octets: this has %d", 16+proxyBodyMax, len(used))
		}
		if again, err := readProxyHeader(bytes.NewReader(used)); err != nil || again.name != p.name || (again.client == nil) != (p.client == nil) {
			t.Errorf("a header is what is read of it: %+v and %+v, %v", p, again, err)
		}
	})
}

// TestProxiedConnection has a proxy speak for clients.
func TestProxiedConnection(t *testing.T) {
	var seen recorder
	in(t, Policy{ProxyProtocol: true, IdentityAsUsername: true, ConnectionsPerAddress: 1, Auth: &seen}, broker.Limits{}, func(h *house) {
		dial := func(header []byte) net.Conn {
			mine, theirs := net.Pipe()
			h.pipes <- theirs
			mine.Write(header)
			return mine
		}
		comesIn := func(nc net.Conn) error {
			nc.SetDeadline(time.Now().Add(20 * time.Second))
			nc.Write(connectPacket(mqtt.V311, "c"))
			p, err := readPacket(nc)
			if err == nil && (p[0] != 0x20 || p[3] != 0) {
				return errors.New("refused")
			}
			return err
		}
		first := dial(proxyV2(proxyProxy, proxyTCP4, append(tcp4, shown(7, 0, "pump")...)...))
		if err := comesIn(first); err != nil {
			t.Errorf("a client of whom the proxy tells comes in: %v", err)
		}
		if got := seen.last; got.Identity != "pump" || got.Peer.String() != "192.0.2.7:50000" {
			t.Errorf("its address and its name are those that the proxy tells: got %+v", got)
		}
		for _, row := range []struct {
			sentence string
			header   []byte
			reason   string
		}{
			{"a second connection of that address is one too many", proxyV2(proxyProxy, proxyTCP4, append(tcp4, shown(7, 0, "pump")...)...), "too_many_of_address"},
			{"a client without a verified certificate has no name", proxyV2(proxyProxy, proxyTCP6, append(tcp6, shown(7, 1, "pump")...)...), "no_identity"},
			{"nor has one of which version 1 tells", []byte("PROXY TCP4 192.0.2.8 192.0.2.1 50000 1883\r\n"), "no_identity"},
			{"who does not come through the proxy does not come in", connectPacket(mqtt.V311, "c"), "no_proxy_header"},
		} {
			before := h.server.Refused()[row.reason]
			nc := dial(row.header)
			if n, err := nc.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%s: got %d octets, %v", row.sentence, n, err)
			}
			if got := h.server.Refused()[row.reason] - before; got != 1 {
				t.Errorf("%s and is counted as %s: got %v", row.sentence, row.reason, h.server.Refused())
			}
		}
		start := time.Now()
		late := dial([]byte("PROXY TCP4"))
		if _, err := late.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != connectTimeout {
			t.Errorf("a header that does not end ends the connection after 10 s: got %v after %v", err, time.Since(start))
		}
		first.Close()
		synctest.Wait()
		if err := comesIn(dial(proxyV2(proxyProxy, proxyTCP4, append(tcp4, shown(7, 0, "pump")...)...))); err != nil {
			t.Errorf("when the first has gone its address may come again: %v", err)
		}
	})
}

// recorder is an Authenticator that lets everyone in and keeps what it was asked last.
type recorder struct {
	everyone
	last Login
}

func (r *recorder) Login(now time.Time, l Login) (Verdict, func(context.Context) Verdict) {
	r.last = l
	return r.everyone.Login(now, l)
}

// TestProxiedSocket has a proxy speak for a client over a real socket, which goes to the loop afterwards.
func TestProxiedSocket(t *testing.T) {
	nc, err := net.Dial("tcp", serve(t, Policy{ProxyProtocol: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	nc.Write(mqtt.AppendPingreq(append([]byte("PROXY TCP4 192.0.2.7 192.0.2.1 50000 1883\r\n"), connectPacket(mqtt.V311, "c")...)))
	for _, want := range []byte{0x20, 0xD0} {
		if p, err := readPacket(nc); err != nil || p[0] != want {
			t.Errorf("what comes in one piece with the header is read: got % x, %v; want %x", p, err, want)
		}
	}
}
