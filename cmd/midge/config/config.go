package config

import (
	"os"
	"strings"
	"time"
)

// Config is one whole configuration. Field comments name units and bounds; config.toml says the same to users.
type Config struct {
	Node      Node       `toml:"node"`
	Log       Log        `toml:"log"`
	Listeners []Listener `toml:"listener"`
	Auth      Auth       `toml:"auth"`
	Links     []Link     `toml:"link"`
	Gateway   Gateway    `toml:"gateway"`
	Bridges   []Bridge   `toml:"bridge"`
	Limits    Limits     `toml:"limits"`
	Store     Store      `toml:"store"`
	HTTP      HTTP       `toml:"http"`

	src source // where the values stand; empty for a Config that no file made
}

// Node is who this Midge is.
type Node struct {
	ID      string `toml:"id"`       // "" = host name; letters, digits, '.', '_', '-'
	DataDir string `toml:"data_dir"` // "" = all state in memory

	SysInterval Duration `toml:"sys_interval"` // between updates of the $SYS tree; 0 = there is none
}

// Name is the node's id, or the host name where none is configured, or "midge" where the host has no usable one.
func (n Node) Name() string {
	if n.ID != "" {
		return n.ID
	}
	if host, err := os.Hostname(); err == nil && plainName(host) {
		return host
	}
	return "midge"
}

// Log says what is logged to standard error.
type Log struct {
	Level  string `toml:"level"`  // one of LogLevels
	Format string `toml:"format"` // one of LogFormats
	Topic  bool   `toml:"topic"`  // publish it too, under $SYS/broker/log
}

// Listener is one address where MQTT clients connect. Which fields count depends on Type.
type Listener struct {
	Type    string `toml:"type"`    // one of ListenerTypes
	Address string `toml:"address"` // host:port; unix: path of the socket; "systemd:NAME"
	Public  bool   `toml:"public"`  // may be reached from other machines although nobody has to give a password

	Mode string `toml:"mode"` // unix: of the socket, octal

	Path    string   `toml:"path"`    // ws: of the URL; "" = any
	Origins []string `toml:"origins"` // ws: of pages that may connect; none = those of the same host, "*" = all

	CertFile              string `toml:"cert_file"` // tls, wss: PEM, with its key beside it
	KeyFile               string `toml:"key_file"`
	TLSVersion            string `toml:"tls_version"`              // tls, wss: the oldest spoken, one of TLSVersions
	RequireCertificate    bool   `toml:"require_certificate"`      // tls, wss: of clients
	CAFile                string `toml:"ca_file"`                  // tls, wss: PEM, who may sign them
	CRLFile               string `toml:"crl_file"`                 // tls, wss: PEM, which of them are revoked; "" = none
	UseIdentityAsUsername bool   `toml:"use_identity_as_username"` // the common name in their certificate is the user name

	AllowAnonymous *bool   `toml:"allow_anonymous"` // nil = as in Auth
	PasswordFile   *string `toml:"password_file"`   // nil = as in Auth; "" = none
	ACLFile        *string `toml:"acl_file"`        // nil = as in Auth; "" = none

	ProxyProtocol bool `toml:"proxy_protocol"` // a header of it begins every connection, and is believed

	MaxConnections           int `toml:"max_connections"`             // at a time; 0 = any number
	MaxConnectionsPerAddress int `toml:"max_connections_per_address"` // likewise
	ConnectRate              int `toml:"connect_rate"`                // new ones in a second; 0 = any number
	ConnectRatePerAddress    int `toml:"connect_rate_per_address"`    // likewise

	MountPoint string `toml:"mount_point"` // in front of every topic of its clients; %c, %u; "" = nothing

	MaxPacketSize      int      `toml:"max_packet_size"`      // octets of a packet from a client
	ReceiveMaximum     int      `toml:"receive_maximum"`      // QoS 2 messages of a client that may be open
	MaxTopicAlias      int      `toml:"max_topic_alias"`      // of a client; 0 = none
	MaxQoS             int      `toml:"max_qos"`              // of what is published, and delivered
	RetainAvailable    bool     `toml:"retain_available"`     // false: who publishes to be retained is refused
	MaxKeepalive       Duration `toml:"max_keepalive"`        // longest of MQTT 5 clients, whole seconds; 0 = any
	PayloadFormatCheck bool     `toml:"payload_format_check"` // refuse payloads that are not the UTF-8 text that they claim to be
	ResponseInfo       bool     `toml:"response_information"` // give MQTT 5 clients that ask a branch of topics for responses
}

// Link is one way to MQTT-SN devices. Which fields count depends on Type.
type Link struct {
	Name string `toml:"name"` // unique; letters, digits, '.', '_', '-'
	Type string `toml:"type"` // one of LinkTypes

	Address string   `toml:"address"`        // udp, dtls: host:port
	Groups  []string `toml:"groups"`         // udp: multicast groups to join and to advertise in, "host" or "host:port"
	Hops    int      `toml:"multicast_hops"` // udp: how far multicast goes
	Public  bool     `toml:"public"`         // udp, dtls: may be reached from other machines

	PSKFile            string `toml:"psk_file"`            // dtls: "identity:key" lines, the key in hexadecimal; "" = none
	CertFile           string `toml:"cert_file"`           // dtls: PEM, with its key beside it; "" = none
	KeyFile            string `toml:"key_file"`            // dtls
	CAFile             string `toml:"ca_file"`             // dtls: PEM, who may sign the certificates of devices; "" = they are not asked for
	RequireCertificate bool   `toml:"require_certificate"` // dtls: of devices that have no pre-shared key

	Device   string `toml:"device"`    // serial, xbee: path of the port
	DeviceTx string `toml:"device_tx"` // serial with framing loralink: path of the port to send through; "" = Device
	Baud     int    `toml:"baud"`      // serial, xbee: bits a second; 0 = 115200, xbee 9600
	Framing  string `toml:"framing"`   // serial: one of Framings

	NodeAddress int  `toml:"node_address"` // serial with framing radiohead: the gateway's own address, 1 to 254
	NodeAcks    bool `toml:"node_acks"`    // serial with framing radiohead: frames are acknowledged both ways

	Network string `toml:"network"` // xbee: one of Networks
	Radius  int    `toml:"radius"`  // xbee: hops of a broadcast that says nothing of its own; 0 = the whole network

	BitRate       int     `toml:"bit_rate"`       // bits a second of the medium; 0 = without limit, serial and xbee: by the baud
	DutyCycle     float64 `toml:"duty_cycle"`     // percent of an hour that may be sent; 100 = all of it
	FrameOverhead int     `toml:"frame_overhead"` // octets that the medium adds to each message

	MountPoint string `toml:"mount_point"` // in front of every topic of its devices; %c, %u; "" = nothing

	MaxConnections int `toml:"max_connections"` // devices connected at a time; 0 = the gateway's bound

	MaxQoS        int      `toml:"max_qos"`        // the highest that is granted to subscriptions, and taken
	MTU           int      `toml:"mtu"`            // longest MQTT-SN message in octets, both ways; 0 = the link's own limit
	RetryInterval Duration `toml:"retry_interval"` // T_retry: wait for a device's answer (MQTT-SN 1.2 §7.2)
	RetryCount    int      `toml:"retry_count"`    // N_retry: repeats before the device is left alone until it is heard; 0 = none
	IdleLimit     Duration `toml:"idle_limit"`     // silence after which a device without keep-alive counts as lost
	Probe         bool     `toml:"probe"`          // ask a silent device with PINGREQ before it counts as lost

	Rebind         string   `toml:"rebind"`                     // one of RebindPolicies: may a connected device go on from another address; "" = see RebindPolicy
	GwInfo         string   `toml:"gwinfo"`                     // one of GwInfoWays: who hears the answer to a search
	StrictFlags    bool     `toml:"strict_flags"`               // end a device that sets flags which its message does not have
	SleepForgets   bool     `toml:"register_after_sleep"`       // devices forget topic ids while they sleep
	EmptyClientID  bool     `toml:"allow_zero_length_clientid"` // give a device without a client id one made from its address
	AllowClients   []string `toml:"allow_clients"`              // patterns of client ids; empty = all
	AllowAddresses []string `toml:"allow_addresses"`            // IP addresses, networks, patterns of other links' addresses; empty = all
	DenyClients    []string `toml:"deny_clients"`               // as AllowClients, and before it
	DenyAddresses  []string `toml:"deny_addresses"`             // as AllowAddresses, and before it
	ClientAddrs    []string `toml:"client_addresses"`           // "CLIENT ADDRESS": clients that are served at certain addresses only; see ClientAt
	Auth           bool     `toml:"auth"`                       // devices have to log in by AUTH, from [auth] password_file
}

// Gateway is what the MQTT-SN side does on every link.
type Gateway struct {
	ID                uint8        `toml:"id"`                     // GwId in ADVERTISE and GWINFO
	AdvertiseInterval Duration     `toml:"advertise_interval"`     // T_ADV in whole seconds to 65535; 0 = never
	AdvertiseBridged  bool         `toml:"advertise_when_bridged"` // be found by devices only while every bridge is connected
	QoSMinusOne       bool         `toml:"qos_minus_one"`          // take PUBLISH at QoS -1 from devices without a connection
	QoSMinusOneInline bool         `toml:"qos_minus_one_inline"`   // and the form of it that has the topic name before the data
	AvailabilityTopic string       `toml:"availability_topic"`     // with {node} and {client}: of each device's state; "" = none; see AvailabilityAt
	Refused           string       `toml:"refused"`                // one of RefusedWords: what a device hears that may not connect
	Predefined        []Predefined `toml:"predefined"`
}

// Predefined is a topic id that gateway and devices know without REGISTER.
type Predefined struct {
	Client string `toml:"client"` // one client id, or "*" for every client
	Link   string `toml:"link"`   // the name of one link, or "*" for every link
	ID     uint16 `toml:"id"`     // 1…65534
	Topic  string `toml:"topic"`  // a topic name
}

// Store says how durable state is written.
type Store struct {
	CommitInterval   Duration `toml:"commit_interval"`   // longest wait for more to commit together
	RetainedInterval Duration `toml:"retained_interval"` // retained QoS 0 values are written at most this often
	OnDamage         string   `toml:"on_damage"`         // one of DamagePolicies
}

// HTTP is where /metrics and /healthz are served.
type HTTP struct {
	Address string `toml:"address"` // host:port; "" = off
	Public  bool   `toml:"public"`  // may be reached from other machines
	Status  bool   `toml:"status"`  // serve /status too: links, bridges and devices
}

// The values of keys that choose by name, in the order in which messages list them.
var (
	LogLevels      = []string{"error", "warn", "info", "debug"}
	LogFormats     = []string{"text", "json"}
	ListenerTypes  = []string{"tcp", "tls", "ws", "wss", "unix"}
	TLSVersions    = []string{"1.2", "1.3"}
	LinkTypes      = []string{"udp", "dtls", "serial", "xbee"}
	Networks       = []string{"auto", "zigbee", "802.15.4"}
	Framings       = []string{"raw", "hdlc", "slip", "radiohead", "loralink"}
	Directions     = []string{"out", "in", "both"}
	DamagePolicies = []string{"salvage", "refuse"}
	RebindPolicies = []string{"open", "same-identity", "never"}
	GwInfoWays     = []string{"both", "unicast", "broadcast"}
	RefusedWords   = []string{"never", "later"}
)

// Default is the configuration of an empty file, and what config.toml in the repository shows.
func Default() *Config {
	c := &Config{
		Node:  Node{DataDir: "data", SysInterval: Duration{10 * time.Second}},
		Log:   Log{Level: "info", Format: "text"},
		Links: []Link{{Name: "lan", Type: "udp", Address: "127.0.0.1:1883"}},
		Gateway: Gateway{
			ID:                1,
			AdvertiseInterval: Duration{15 * time.Minute},
			QoSMinusOne:       true,
			Refused:           "never",
			Predefined:        []Predefined{{Client: "*", Link: "*", ID: 1, Topic: "sensors/boot"}},
		},
		Listeners: []Listener{{Address: "127.0.0.1:1883"}},
		Limits:    defaultLimits(),
		Store:     Store{RetainedInterval: Duration{30 * time.Second}, OnDamage: "salvage"},
		HTTP:      HTTP{Address: "127.0.0.1:8080"},
	}
	c.Listeners[0].setDefaults()
	c.Links[0].setDefaults()
	return c
}

// setDefaults gives every [[listener]] what it does not say. The address has no default: two listeners could not share it.
func (l *Listener) setDefaults() {
	l.Type, l.TLSVersion, l.Mode = "tcp", "1.2", "0660"
	l.MaxPacketSize, l.ReceiveMaximum, l.MaxTopicAlias, l.MaxQoS, l.RetainAvailable = 2_000_000, 20, 10, 2, true
}

// setDefaults gives every [[link]] what it does not say.
func (l *Link) setDefaults() {
	l.Framing = "raw"
	l.NodeAddress = 1
	l.NodeAcks = true
	l.Network = "auto"
	l.RetryInterval = Duration{10 * time.Second}
	l.RetryCount = 4
	l.IdleLimit = Duration{24 * time.Hour}
	l.GwInfo = "both"
	l.DutyCycle, l.MaxQoS, l.Hops = 100, 2, 1
}

// setDefaults gives every [[gateway.predefined]] what it does not say.
func (p *Predefined) setDefaults() { p.Client, p.Link = "*", "*" }

// Ports are the serial ports of the link, for people.
func (l Link) Ports() string {
	if l.DeviceTx == "" {
		return l.Device
	}
	return l.Device + " and " + l.DeviceTx + " to send"
}

// Speed is the link's in bits a second.
func (l Link) Speed() int {
	switch {
	case l.Baud > 0:
		return l.Baud
	case l.Type == "xbee":
		return 9600 // as it comes from the factory
	}
	return 115200
}

// plainName reports whether s can stand in a topic level, a client id and a metric label as it is.
func plainName(s string) bool {
	other := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r))
	}
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, other)
}
