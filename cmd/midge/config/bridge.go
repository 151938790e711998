package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Bridge is one connection to another broker.
type Bridge struct {
	Name     string `toml:"name"`      // unique; letters, digits, '.', '_', '-'
	Address  string `toml:"address"`   // URL: mqtt:// or tcp://, mqtts:// or ssl://; see Upstream
	ClientID string `toml:"client_id"` // "" = "midge-<node id>-<name>"; see ClientIDAt
	Username string `toml:"username"`  // "" = none
	Password string `toml:"password"`
	CAFile   string `toml:"ca_file"`   // PEM; "" = the system's certificates
	CertFile string `toml:"cert_file"` // PEM; "" = no client certificate
	KeyFile  string `toml:"key_file"`  // PEM; goes with CertFile

	KeepAlive         Duration      `toml:"keep_alive"`         // whole seconds, 1…65535
	MaxInflight       int           `toml:"max_inflight"`       // messages sent and not yet acknowledged, 1…65535
	AvailabilityTopic string        `toml:"availability_topic"` // with {node} and {bridge}; "" = none; see AvailabilityAt
	Topics            []BridgeTopic `toml:"topic"`
}

// BridgeTopic is one line of what a bridge carries.
type BridgeTopic struct {
	Filter       string `toml:"filter"`        // the only part with wildcards; "" = the prefixes are one whole topic each
	Direction    string `toml:"direction"`     // one of Directions; "out" = to the other broker
	QoS          uint8  `toml:"qos"`           // 0…2: a message goes at the lower of this and its own
	LocalPrefix  string `toml:"local_prefix"`  // put in front of Filter here
	RemotePrefix string `toml:"remote_prefix"` // put in front of Filter at the other broker
}

// setDefaults gives every [[bridge]] what it does not say.
func (b *Bridge) setDefaults() {
	b.KeepAlive = Duration{time.Minute}
	b.MaxInflight = 20
	b.AvailabilityTopic = "midge/{node}/{bridge}/state"
}

// setDefaults gives every [[bridge.topic]] what it does not say.
func (t *BridgeTopic) setDefaults() {
	t.Direction = "out"
	t.QoS = 1
}

// Local is the filter in this broker.
func (t BridgeTopic) Local() string { return t.LocalPrefix + t.Filter }

// Remote is the filter at the other broker.
func (t BridgeTopic) Remote() string { return t.RemotePrefix + t.Filter }

// Out reports whether messages go to the other broker.
func (t BridgeTopic) Out() bool { return t.Direction == "out" || t.Direction == "both" }

// In reports whether messages come from the other broker.
func (t BridgeTopic) In() bool { return t.Direction == "in" || t.Direction == "both" }

// ClientIDAt is the client id that the bridge of the named node gives upstream.
func (b Bridge) ClientIDAt(node string) string {
	if b.ClientID != "" {
		return b.ClientID
	}
	return "midge-" + node + "-" + b.Name
}

// AvailabilityAt is the topic upstream that tells whether the bridge of the named node is connected; "" = none.
func (b Bridge) AvailabilityAt(node string) string {
	return strings.NewReplacer("{node}", node, "{bridge}", b.Name).Replace(b.AvailabilityTopic)
}

// Upstream is where the bridge connects: host:port, and whether inside TLS. The port is 1883, or 8883 with TLS, unless
// the address names one. An error is one sentence that follows the words "bridge address".
func (b Bridge) Upstream() (hostPort string, tls bool, err error) {
	u, err := url.Parse(b.Address)
	if err != nil || u.Scheme == "" || u.Opaque != "" || u.Hostname() == "" {
		return "", false, fmt.Errorf(`%q is not a URL; write for example "mqtts://broker.example.com:8883"`, hideUser(b.Address))
	}
	port := u.Port()
	switch u.Scheme {
	case "mqtt", "tcp":
		port = cmp.Or(port, "1883")
	case "mqtts", "ssl":
		port, tls = cmp.Or(port, "8883"), true
	case "ws", "wss":
		return "", false, fmt.Errorf("scheme %q is not served by this version yet; write mqtt:// or mqtts://", u.Scheme)
	default:
		return "", false, fmt.Errorf("scheme %q is unknown; write mqtt:// or mqtts://", u.Scheme)
	}
	if u.User != nil {
		return "", false, errors.New("must not hold a user; write the keys username and password")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return "", false, errors.New("must end after the port")
	}
	hostPort = net.JoinHostPort(u.Hostname(), port)
	return hostPort, tls, checkPort(port)
}

// hideUser cuts what may be a password out of an address that is to be shown.
func hideUser(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return "…@" + address[i+1:]
	}
	return address
}
