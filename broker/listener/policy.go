package listener

import (
	"cmp"

	"midge/broker/mqtt"
)

// Policy is what the connections of one listener have in common. The zero value of a field means its default. A Policy in use is not changed.
type Policy struct {
	Name string // of the listener, for people

	// Bounds on connections; 0 means none but the server's own. An address is an IPv4 address or the /64 of an IPv6 one.
	Connections, ConnectionsPerAddress int // at a time
	ConnectRate, ConnectRatePerAddress int // new ones in a second

	MaximumPacketSize uint32 // octets of the largest packet accepted; default 2,000,000
	ReceiveMaximum    uint16 // QoS 2 messages that a client may have open; default 20, announced in MQTT 5
	TopicAliasMaximum int    // default 10, at most 65,535; -1: none
	// MaxKeepAlive is the longest keep-alive in seconds that an MQTT 5 client may have: one that asks for more, or for none, is told (Server Keep Alive).
	// 0 means any. A client of MQTT 3 cannot be told and keeps its own.
	MaxKeepAlive uint16
	// PayloadFormatCheck refuses messages whose Payload Format Indicator says UTF-8 text and whose payload is none.
	PayloadFormatCheck bool
	// ResponseInformation tells an MQTT 5 client that asks for it below which topic it may have its responses (§3.1.2.11.6).
	ResponseInformation bool

	QoSRefused    mqtt.QoS // what is published at this QoS or above is refused, and delivered below it; 0: every QoS is served
	RetainRefused bool     // what is published to be retained is refused

	ProxyProtocol bool // every connection begins with a header of the PROXY protocol, which is believed

	TLS *TLS // nil: connections are not encrypted
	// IdentityAsUsername takes the user name from the client's certificate, which must have a common name. A listener that asks for no certificates is told
	// the name by the PROXY header.
	IdentityAsUsername bool

	WebSocket *WebSocket // MQTT goes over WebSockets; nil: it does not

	MountPoint string // stands in front of every topic of a client, as [topic.MountFor] makes it

	Auth Authenticator // decides who may come in and what they may do; nil lets everyone do everything
}

func (p Policy) withDefaults() *Policy {
	p.MaximumPacketSize = cmp.Or(p.MaximumPacketSize, 2_000_000)
	p.ReceiveMaximum = cmp.Or(p.ReceiveMaximum, 20)
	switch {
	case p.TopicAliasMaximum == 0:
		p.TopicAliasMaximum = 10
	case p.TopicAliasMaximum < 0:
		p.TopicAliasMaximum = 0
	}
	if p.Auth == nil {
		p.Auth = everyone{}
	}
	return &p
}

// plain reports whether a connection is MQTT from its first octet on.
func (p *Policy) plain() bool { return !p.ProxyProtocol && p.loops() }

// loops reports whether MQTT goes over the socket itself, so that a loop may serve it.
func (p *Policy) loops() bool { return p.TLS == nil && p.WebSocket == nil }

// qosMax is the highest QoS that is served.
func (p *Policy) qosMax() mqtt.QoS {
	if p.QoSRefused == 0 {
		return 2
	}
	return p.QoSRefused - 1
}

// accepts says whether a message or a will of this kind may be published.
func (p *Policy) accepts(qos mqtt.QoS, retain bool) mqtt.ReasonCode {
	switch {
	case qos > p.qosMax():
		return mqtt.QoSNotSupported
	case retain && p.RetainRefused:
		return mqtt.RetainNotSupported
	}
	return mqtt.Success
}
