package gateway

import (
	"cmp"
	"context"
	"time"

	"midge/broker"
)

// Config is what holds on every link.
type Config struct {
	GatewayID         uint8         // GwId in ADVERTISE and GWINFO
	AdvertiseInterval time.Duration // T_ADV, whole seconds up to 65,535; 0 = never advertise
	QoSMinusOne       bool          // take PUBLISH at QoS −1 from anyone
	InlineTopics      bool          // with QoSMinusOne: also the extension that carries the topic name before the data
	// Advertised, if not nil, says whether the gateway may be found now, by ADVERTISE and in answer to a search: for gateways that are no use to devices while
	// their upstream is away. It is called with the gateway's lock held and must not wait.
	Advertised func() bool
	// StateTopic, if not nil, is where the state of a client is published, retained, with every change: see showState. A client whose id makes no topic name of it
	// is left out.
	StateTopic    func(clientID string) string
	RefuseLater   bool // tell devices that may not connect «later» (code 1) instead of «never» (code 3)
	Predefined    []Predefined
	SessionExpiry uint32 // seconds that a CleanSession=0 session outlives its client; 0 means for ever
	Limits        Limits
	// Access says what a client of this id may do, and user, who is behind it as its log-in or its link proves, "" for nobody known; the id of what is published at
	// QoS −1 is "$sn/" and the link's name. nil lets all do everything.
	Access func(user, clientID string) broker.Access
}

// Predefined is a topic id that gateway and devices agreed on beforehand (§6.5).
type Predefined struct {
	Client string // one client id, or "*" for all; an entry for one client goes before one for all
	Link   string // the name of the link that it holds on, "" for all; an entry for one link goes before one for all, but after the client
	ID     uint16 // 1 to 65,534
	Topic  string // a valid topic name
}

// Limits are the bounds of the gateway. The zero value of a field means its default.
type Limits struct {
	ClientID int // octets of a client id; default 64: the rule says 23, real devices send UUIDs
	TopicIDs int // registered topic ids of one client; default 4,096, at most 64,510
	Known    int // CleanSession=0 clients that are gone and whose ids and will are kept; default 200,000; the longest gone is forgotten first
}

// goneCleanMax is how many clients with CleanSession=1 stay in the table of devices after they have gone. They own nothing: people want to see them.
const goneCleanMax = 1024

// unansweredMax bounds the publishes of one client that wait for their answer. A device has one or a few open.
const unansweredMax = 64

// congestionWait is how long the gateway leaves a device alone that has answered «congestion»: T_WAIT, «more than five minutes» (§7.2).
const congestionWait = 5*time.Minute + time.Second

func (c Config) withDefaults() Config {
	c.Limits.ClientID = cmp.Or(c.Limits.ClientID, 64)
	c.Limits.TopicIDs = cmp.Or(c.Limits.TopicIDs, 4096)
	c.Limits.Known = cmp.Or(c.Limits.Known, 200_000)
	c.Limits.TopicIDs = min(c.Limits.TopicIDs, lastTopicID-firstTopicID+1)
	c.SessionExpiry = cmp.Or(c.SessionExpiry, broker.Never)
	if c.Access == nil {
		c.Access = func(string, string) broker.Access { return nil }
	}
	return c
}

// LinkConfig is what holds on one link. The zero value of a field means its default.
type LinkConfig struct {
	RetryInterval time.Duration // T_retry; default 10 s. Radios with slow round trips need more.
	RetryCount    int           // N_retry, repeats after the first sending; default 4, negative = none
	MTU           int           // longest message in octets towards a device; default and upper bound: what the link carries
	MaxQoS        int           // the highest QoS that is granted, and taken; default 2, negative = 0
	IdleLimit     time.Duration // silence after which a client that asked for no keep-alive counts as lost; default 24 h
	Clients       int           // clients connected at once; default 100,000; further ones are told «congestion»

	Rebind             Rebind   // may a connected client go on from another address
	GwInfo             GwInfoTo // who hears the answer to a search
	Strict             bool     // take a flag that a message does not have as the end of its client; default: it is ignored
	Probe              bool     // ask a client with PINGREQ, RetryCount times (at least once), before it counts as lost
	RegisterAfterSleep bool     // devices forget topic ids in their sleep: register each again at the next wake; default: they keep them
	EmptyClientID      bool     // give a CONNECT without a client id one that is made from its address; default: refuse it

	Airtime Airtime // how much the link may send; default: without limit

	MountPoint string // stands in front of every topic of a client, as [topic.MountFor] makes it

	// Whom the link serves; empty: everyone. Clients are patterns of client ids with '*' and '?'. Addresses are IP addresses, networks in CIDR form,
	// or such patterns of addresses as the link formats them, with "/" and the node id in hexadecimal behind a forwarder. Others hear CONNACK if they
	// say CONNECT and nothing otherwise.
	AllowClients   []string
	AllowAddresses []string
	// Whom it does not serve, whatever is allowed; written in the same way.
	DenyClients   []string
	DenyAddresses []string
	// ClientAddresses bind client ids to addresses: a client that some of them name is served only at an address that one of these has. What
	// comes from there at QoS −1 has the predefined topics of the client, if it is named without wildcards.
	ClientAddresses []ClientAddress

	// Auth, if not nil, is asked about every client that connects and for whom the link itself does not vouch: it has to send AUTH (bisquitt's
	// extension) after CONNECT. It is called in a goroutine of its own, of which there are at most 64 a link.
	Auth func(ctx context.Context, l Login) Verdict
}

// ClientAddress is where a client is to be heard: patterns as in LinkConfig.AllowClients and AllowAddresses.
type ClientAddress struct{ Client, Address string }

func (c LinkConfig) withDefaults(mtu int) LinkConfig {
	c.RetryInterval = cmp.Or(c.RetryInterval, 10*time.Second)
	c.RetryCount = cmp.Or(c.RetryCount, 4)
	c.IdleLimit = cmp.Or(c.IdleLimit, 24*time.Hour)
	c.Clients = cmp.Or(c.Clients, 100_000)
	c.MTU = cmp.Or(c.MTU, mtu)
	c.MaxQoS = cmp.Or(c.MaxQoS, 2)
	c.RetryCount = max(c.RetryCount, 0)
	c.MaxQoS = max(c.MaxQoS, 0)
	c.MTU = min(c.MTU, mtu)
	return c
}
