package config

import (
	"io/fs"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"midge/broker/topic"
)

// listeners checks every [[listener]].
func (v checker) listeners() {
	for i, l := range v.c.Listeners {
		at := element("listener", i)
		if !v.oneOf(at+".type", l.Type, ListenerTypes) {
			continue
		}
		v.listenerKeys(at, l)
		v.listenerBounds(at, l)
		v.span(at+".max_keepalive", l.MaxKeepalive, 0, 65535*time.Second) // 16 bits in CONNACK
		v.wholeSeconds(at+".max_keepalive", l.MaxKeepalive)
		if l.TLS() {
			v.listenerTLS(at, l)
		}
		if l.WebSocket() {
			v.listenerWebSocket(at, l)
		}
		if !v.listenerAddress(at, l) {
			continue
		}
		v.admission(at, l)
		if _, later := l.SystemdName(); v.c.MustBeLocal(l) && !l.local() && !later {
			v.reach(at+".address", l.Address, l.Public, "lets everyone who reaches it publish and subscribe")
		}
	}
}

// local reports whether only this machine reaches the listener.
func (l Listener) local() bool { return l.Type == "unix" || loopback(l.Address) }

// MustBeLocal reports whether only this machine may reach the listener: everybody who does may come in, and nobody has said that this is meant.
func (c *Config) MustBeLocal(l Listener) bool { return c.open(l) && !l.Public }

// Local reports whether only this machine reaches an address that is listened on.
func Local(a net.Addr) bool {
	if a, ok := a.(*net.TCPAddr); ok {
		return a.IP.IsLoopback()
	}
	return a.Network() == "unix"
}

// SystemdName is the name of the socket that systemd has opened for the listener. Who reaches it is seen when Midge starts.
func (l Listener) SystemdName() (name string, ok bool) {
	return strings.CutPrefix(l.Address, "systemd:")
}

func (v checker) listenerAddress(at string, l Listener) bool {
	path := at + ".address"
	if name, ok := l.SystemdName(); ok {
		if name == "" || strings.Contains(name, ":") {
			v.addf(path, `[listener] address = %q names no socket of systemd; write for example "systemd:mqtt"`, l.Address)
		}
		return name != ""
	}
	if l.Type != "unix" {
		return v.required(path, l.Address, "[listener]", "127.0.0.1:1883") && v.address(path, l.Address)
	}
	if mode, err := strconv.ParseUint(l.Mode, 8, 32); err != nil || mode > 0o777 {
		v.addf(at+".mode", `[listener] mode = %q is no mode of a file; write for example "0660"`, l.Mode)
	}
	switch {
	case !v.required(path, l.Address, "[listener] of type unix", "/run/midge/mqtt.sock"):
		return false
	case strings.HasPrefix(l.Address, "@"):
		v.addf(path, "[listener] address = %q is an abstract socket, which everybody may use; write the path of a file", l.Address)
	case len(l.Address) > socketPathMax:
		v.addf(path, "[listener] address = %q has %d octets; the path of a socket has at most %d", l.Address, len(l.Address), socketPathMax)
	default:
		return true
	}
	return false
}

// socketPathMax is how many octets the kernel takes for the path of a socket.
const socketPathMax = 107

// FileMode is the mode of a listener's socket.
func (l Listener) FileMode() fs.FileMode {
	mode, _ := strconv.ParseUint(l.Mode, 8, 32) // validated
	return fs.FileMode(mode)
}

// WebSocket reports whether MQTT goes over WebSockets.
func (l Listener) WebSocket() bool { return l.Type == "ws" || l.Type == "wss" }

func (v checker) listenerWebSocket(at string, l Listener) {
	if l.Path != "" && !strings.HasPrefix(l.Path, "/") {
		v.addf(at+".path", `[listener] path = %q does not begin with "/"; write %q`, l.Path, "/"+l.Path)
	}
	for i, o := range l.Origins {
		u, err := url.Parse(o)
		if o == "*" || o == "null" || err == nil && u.Scheme != "" && u.Host != "" && o == u.Scheme+"://"+u.Host {
			continue
		}
		v.addf(element(at+".origins", i), `[listener] origins: %q is no origin of a page; write for example "https://example.com", or "*" for all`, o)
	}
}

// TLS reports whether connections are encrypted.
func (l Listener) TLS() bool { return l.Type == "tls" || l.Type == "wss" }

// keysOfTypes are the keys of listeners that belong to some types only.
var keysOfTypes = []struct {
	types []string
	named string
	keys  []string
}{
	{[]string{"unix"}, "unix", []string{"mode"}},
	{[]string{"ws", "wss"}, "ws and wss", []string{"path", "origins"}},
	{[]string{"tls", "wss"}, "tls and wss", []string{"cert_file", "key_file", "tls_version", "require_certificate", "ca_file", "crl_file"}},
}

// listenerKeys refuses keys of another type: they would have no effect. Only a file tells what was written.
func (v checker) listenerKeys(at string, l Listener) {
	for _, group := range keysOfTypes {
		for _, key := range group.keys {
			if path := at + "." + key; !slices.Contains(group.types, l.Type) && v.src.written(path) {
				v.addf(path, "[listener] %s is for listeners of type %s; this one is of type %s", key, group.named, l.Type)
			}
		}
	}
}

// listenerTLS checks what stands beside the types tls and wss. The files are opened when Midge starts.
func (v checker) listenerTLS(at string, l Listener) {
	v.required(at+".cert_file", l.CertFile, "[listener] of type "+l.Type, "server.pem")
	v.required(at+".key_file", l.KeyFile, "[listener] of type "+l.Type, "server.key")
	v.oneOf(at+".tls_version", l.TLSVersion, TLSVersions)
	switch {
	case l.RequireCertificate && l.CAFile == "":
		v.addf(at+".require_certificate", "[listener] require_certificate needs a ca_file beside it: who may sign the certificates of clients")
	case l.CRLFile != "" && !l.RequireCertificate:
		v.addf(at+".crl_file", "[listener] crl_file needs require_certificate = true beside it")
	}
}

// listenerBounds checks what stands beside every type.
func (v checker) listenerBounds(at string, l Listener) {
	if l.UseIdentityAsUsername && !l.RequireCertificate && !l.ProxyProtocol {
		v.addf(at+".use_identity_as_username", "[listener] use_identity_as_username needs require_certificate = true beside it (types tls and wss), or proxy_protocol = true")
	}
	v.mountPoint(at, "[listener]", l.MountPoint)
	for _, n := range []struct {
		key         string
		value       int
		least, most int
	}{
		{"max_connections", l.MaxConnections, 0, math.MaxInt32},
		{"max_connections_per_address", l.MaxConnectionsPerAddress, 0, math.MaxInt32},
		{"connect_rate", l.ConnectRate, 0, math.MaxInt32},
		{"connect_rate_per_address", l.ConnectRatePerAddress, 0, math.MaxInt32},
		{"max_packet_size", l.MaxPacketSize, packetLeast, 268_435_455}, // the largest that MQTT has (MQTT 5 §2.1.4)
		{"receive_maximum", l.ReceiveMaximum, 1, 65535},
		{"max_topic_alias", l.MaxTopicAlias, 0, 65535},
		{"max_qos", l.MaxQoS, 0, 2},
	} {
		v.number(at+"."+n.key, n.value, n.least, n.most)
	}
}

// mountPoint checks what a listener or a link puts in front of topics.
func (v checker) mountPoint(at, section, pattern string) {
	if err := topic.ValidMount(pattern); err != nil {
		v.addf(at+".mount_point", "%s mount_point = %q: %v; write for example \"barn/\" or \"devices/%%c/\"", section, pattern, err)
	}
}

// packetLeast is Mosquitto's: the shortest CONNECT that says something.
const packetLeast = 20
