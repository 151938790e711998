package importer

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// A listener is one of Mosquitto's listeners.
type listener struct {
	line     directive // that began it; of the default listener the first option
	port     int
	host     string // as written; "" = all addresses
	socket   string // path of a Unix socket, port 0
	protocol string // mqtt or websockets
	options  []directive
	security security
	plugins  []*plugin // of plugin_use
	origins  []string

	served  bool // it is there: a default listener may be spoken of without
	keys    table
	useless string    // why it cannot be carried over at all; "" = it can
	subject directive // that asked for the certificate's subject as user name
}

func (c *conf) startListener(d directive) *listener {
	l := &listener{line: d, protocol: "mqtt", served: true, keys: table{header: "[[listener]]"}}
	c.listeners = append(c.listeners, l)
	return l
}

// standardListener is Mosquitto's default listener, on port 1883 unless port says otherwise.
func (c *conf) standardListener(d directive) *listener {
	if c.standard == nil {
		c.standard = c.startListener(d)
		c.standard.port, c.standard.served = 1883, false
	}
	return c.standard
}

// newListener begins a listener: port, and an address or the path of a socket.
func newListener(c *conf, at *cursor, d directive) {
	c.named = true
	at.listener = &listener{protocol: "mqtt"} // for the options below, should this line be wrong
	port, ok := c.number(d, 0, 65535)
	if !ok {
		return
	}
	rest := strings.TrimSpace(strings.TrimPrefix(d.rest, d.first()))
	if strings.HasPrefix(rest, "#") {
		rest = ""
	}
	if port == 0 && rest == "" {
		c.wrong(d, "port 0 is for a Unix socket, whose path is missing")
		return
	}
	if !plainText(rest) {
		c.wrong(d, "the address is not UTF-8 text")
		return
	}
	l := c.startListener(d)
	at.listener = l
	l.port = port
	if port == 0 {
		l.socket = rest
	} else {
		l.host, _, _ = strings.Cut(rest, " ")
	}
}

// port and bindAddress speak of the default listener.
func port(c *conf, at *cursor, d directive) {
	c.named = true
	at.listener = c.standardListener(d)
	at.listener.served = true
	if n, ok := c.number(d, 1, 65535); ok {
		at.listener.port = n
	}
}

func bindAddress(c *conf, at *cursor, d directive) {
	c.named = true
	at.listener = c.standardListener(d)
	at.listener.served = true
	if host, ok := c.text(d); ok {
		at.listener.host = host
	}
}

func bindInterface(c *conf, at *cursor, d directive) {
	c.lose(d, "Midge listens on addresses; write the interface's address into address")
}

func socketDomain(c *conf, at *cursor, d directive) {
	l := at.listener
	v, ok := c.word(d)
	if !ok {
		return
	}
	switch v {
	case "ipv4", "ipv6":
		if l.host == "" || l.host == "0.0.0.0" || l.host == "::" {
			c.lose(d, "Midge listens on IPv4 and IPv6; write one address into address to have only that")
		}
	default:
		c.wrong(d, fmt.Sprintf("%q is neither ipv4 nor ipv6", v))
	}
}

func protocol(c *conf, at *cursor, d directive) {
	v, ok := c.word(d)
	if !ok {
		return
	}
	switch v {
	case "mqtt", "websockets":
		at.listener.protocol = v
	case "http_api":
		at.listener.useless = "Midge has another HTTP interface, under [http]"
	default:
		c.wrong(d, fmt.Sprintf("%q is not one of mqtt, websockets, http_api", v))
	}
}

// place is the address as Midge writes it: host:port, or the path of the socket.
func (l *listener) place() string {
	if l.socket != "" {
		return l.socket
	}
	return net.JoinHostPort(strings.Trim(l.host, "[]"), strconv.Itoa(l.port))
}

// loopback reports whether only this machine reaches the listener.
func (l *listener) loopback() bool {
	if l.socket != "" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(l.host, "[]"))
	return l.host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
