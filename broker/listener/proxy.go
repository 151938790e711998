package listener

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// proxied is what a header of the PROXY protocol, version 1 or 2 (haproxy.org/download/3.0/doc/proxy-protocol.txt), says of a connection.
type proxied struct {
	client net.Addr // nil: the proxy speaks for itself, or does not say for whom
	name   string   // common name of the certificate that the client has shown to the proxy and the proxy has verified; "" = none
}

const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n" // of version 2
	proxyLineMax   = 107                      // octets of a version 1 header, with CRLF
	proxyBodyMax   = 8 << 10                  // of a version 2 header behind its first 16: addresses, and what a proxy tells of a certificate
)

var errNoProxyHeader = errors.New("there is no PROXY header")

// readProxyHeader reads a header and not an octet more: what follows is for others to read.
func readProxyHeader(r io.Reader) (proxied, error) {
	head := make([]byte, len(proxySignature), 16) // no header is shorter
	if _, err := io.ReadFull(r, head); err != nil {
		return proxied{}, fmt.Errorf("PROXY header: %w", err)
	}
	switch {
	case string(head) == proxySignature:
		return readProxyV2(r, head[:16])
	case strings.HasPrefix(string(head), "PROXY "):
		return readProxyV1(r, head)
	}
	return proxied{}, errNoProxyHeader
}

func readProxyV1(r io.Reader, line []byte) (proxied, error) {
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) == proxyLineMax {
			return proxied{}, errors.New("PROXY header does not end")
		}
		line = append(line, 0)
		if _, err := io.ReadFull(r, line[len(line)-1:]); err != nil {
			return proxied{}, fmt.Errorf("PROXY header: %w", err)
		}
	}
	return parseProxyV1(string(line[:len(line)-2]))
}

// parseProxyV1 parses a line such as "PROXY TCP4 192.0.2.7 192.0.2.1 50000 1883".
func parseProxyV1(line string) (proxied, error) {
	f := strings.Split(line, " ")
	if len(f) >= 2 && f[1] == "UNKNOWN" { // "the receiver must ignore anything presented before the CRLF"
		return proxied{}, nil
	}
	if len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6" {
		return proxied{}, fmt.Errorf("PROXY header %q is none", line)
	}
	var ends [2]netip.AddrPort
	for i := range ends {
		ip, err := netip.ParseAddr(f[2+i])
		port, failed := strconv.ParseUint(f[4+i], 10, 16)
		if err != nil || failed != nil || ip.Zone() != "" || ip.Is4() != (f[1] == "TCP4") {
			return proxied{}, fmt.Errorf("PROXY header %q has no addresses", line)
		}
		ends[i] = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	}
	return proxied{client: net.TCPAddrFromAddrPort(ends[0])}, nil
}

// readProxyV2 reads the rest of a header that has begun with the signature. head has room for 16 octets.
func readProxyV2(r io.Reader, head []byte) (proxied, error) {
	if _, err := io.ReadFull(r, head[len(proxySignature):]); err != nil {
		return proxied{}, fmt.Errorf("PROXY header: %w", err)
	}
	n := binary.BigEndian.Uint16(head[14:])
	if n > proxyBodyMax {
		return proxied{}, fmt.Errorf("PROXY header of %d octets is larger than any", n)
	}
	all := append(head, make([]byte, n)...)
	if _, err := io.ReadFull(r, all[len(head):]); err != nil {
		return proxied{}, fmt.Errorf("PROXY header: %w", err)
	}
	return parseProxyV2(all)
}

// Octets of version 2.
const (
	proxyLocal, proxyProxy              = 0x20, 0x21       // version 2 with its command
	proxyUnspec, proxyTCP4, proxyTCP6   = 0x00, 0x11, 0x21 // family with transport
	proxyUnix                           = 0x31
	proxyCRC32C, proxySSL               = 0x03, 0x20 // kinds of fields
	proxySSLName                        = 0x22       // a field of proxySSL: the common name
	proxyOnThisConnection, proxySession = 0x02, 0x04 // the certificate was shown, now or in the session that is resumed
)

// proxyAddresses are how many octets the addresses of a family take.
var proxyAddresses = map[byte]int{proxyUnspec: 0, proxyTCP4: 12, proxyTCP6: 36, proxyUnix: 216}

// parseProxyV2 parses a whole header.
func parseProxyV2(all []byte) (p proxied, err error) {
	command, family, body := all[12], all[13], all[16:]
	size, known := proxyAddresses[family]
	switch {
	case command == proxyLocal:
		return p, nil // "the receiver must … ignore the protocol block"
	case command != proxyProxy:
		return p, fmt.Errorf("PROXY header has command %#02x, which is unknown", command)
	case !known:
		return p, fmt.Errorf("PROXY header has family %#02x, which carries no MQTT", family)
	case len(body) < size:
		return p, errors.New("PROXY header ends in its addresses")
	}
	switch family {
	case proxyTCP4:
		p.client = &net.TCPAddr{IP: slices.Clone(net.IP(body[:4])), Port: int(binary.BigEndian.Uint16(body[8:]))}
	case proxyTCP6:
		p.client = &net.TCPAddr{IP: slices.Clone(net.IP(body[:16])), Port: int(binary.BigEndian.Uint16(body[32:]))}
	}
	err = eachField(body[size:], func(kind byte, value []byte) error {
		switch kind {
		case proxyCRC32C:
			return checkProxySum(all, value)
		case proxySSL:
			p.name, err = verifiedName(value)
			return err
		}
		return nil
	})
	return p, err
}

// eachField walks through fields of kind, length and value.
func eachField(b []byte, take func(kind byte, value []byte) error) error {
	for len(b) > 0 {
		if len(b) < 3 || len(b) < 3+int(binary.BigEndian.Uint16(b[1:])) {
			return errors.New("PROXY header ends in a field")
		}
		n := 3 + int(binary.BigEndian.Uint16(b[1:]))
		if err := take(b[0], b[3:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// checkProxySum compares the sum of the header in which the sum itself, a piece of all, is zero.
func checkProxySum(all, sum []byte) error {
	if len(sum) != 4 {
		return errors.New("PROXY header has a checksum of the wrong length")
	}
	want := binary.BigEndian.Uint32(sum)
	clear(sum)
	got := crc32.Checksum(all, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(sum, want)
	if got != want {
		return errors.New("PROXY header does not fit its checksum")
	}
	return nil
}

// verifiedName is the common name in a field proxySSL, if the client has shown a certificate and the proxy has verified it.
func verifiedName(b []byte) (name string, err error) {
	if len(b) < 5 {
		return "", errors.New("PROXY header ends in a field")
	}
	shown, verified := b[0]&(proxyOnThisConnection|proxySession) != 0, binary.BigEndian.Uint32(b[1:]) == 0
	err = eachField(b[5:], func(kind byte, value []byte) error {
		if kind == proxySSLName && shown && verified {
			name = string(value)
		}
		return nil
	})
	return name, err
}
