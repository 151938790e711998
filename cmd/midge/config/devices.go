package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"midge/broker/topic"
)

// devices checks what a [[link]] says of its devices.
func (v checker) devices(at string, l Link) {
	v.span(at+".idle_limit", l.IdleLimit, time.Minute, 366*24*time.Hour)
	v.oneOf(at+".rebind", l.RebindPolicy(), RebindPolicies)
	v.oneOf(at+".gwinfo", l.GwInfo, GwInfoWays)
	v.patterns(at+".allow_clients", l.AllowClients, "valve-*")
	v.patterns(at+".deny_clients", l.DenyClients, "valve-*")
	v.addresses(at+".allow_addresses", l, l.AllowAddresses)
	v.addresses(at+".deny_addresses", l, l.DenyAddresses)
	v.clientAddresses(at+".client_addresses", l)
	if l.Auth && v.c.Auth.PasswordFile == "" {
		v.addf(at+".auth", "[link] auth = true lets no device in without a password; write a password_file into [auth]")
	}
}

// patterns wants every entry of a list to be written: an empty one would match nothing.
func (v checker) patterns(path string, list []string, example string) {
	for i, s := range list {
		if strings.TrimSpace(s) != s || s == "" {
			v.addf(element(path, i), "%s: %q matches nothing; write for example %q", v.key(path), s, example)
		}
	}
}

func (v checker) addresses(path string, l Link, list []string) {
	v.patterns(path, list, "192.0.2.0/24")
	for i, s := range list {
		v.ipPattern(element(path, i), l, s)
	}
}

func (v checker) clientAddresses(path string, l Link) {
	for i, s := range l.ClientAddrs {
		client, address := ClientAt(s)
		if client == "" || address == "" || strings.TrimSpace(address) != address {
			v.addf(element(path, i), `%s: %q is not a client id, one space and an address; write for example "valve-1 192.0.2.7"`, v.key(path), s)
			continue
		}
		v.ipPattern(element(path, i), l, address)
	}
}

// ipPattern wants what stands for an IP address to be one: a network that is none would match nothing.
func (v checker) ipPattern(path string, l Link, s string) {
	if l.Type != "udp" && l.Type != "dtls" {
		return // radios name their nodes otherwise
	}
	place, _, _ := strings.Cut(s, "/") // of a forwarder, before the node id
	_, notAddr := netip.ParseAddr(s)
	_, notNet := netip.ParsePrefix(s)
	_, notPort := netip.ParseAddrPort(place)
	if s == strings.TrimSpace(s) && s != "" && notAddr != nil && notNet != nil && notPort != nil && !strings.ContainsAny(s, "*?") {
		v.addf(path, `%s: %q is no IP address and no network; write for example "192.0.2.7" or "192.0.2.0/24", or a pattern with * or ?`, v.key(path), s)
	}
}

// ClientAt takes an entry of client_addresses apart at its first space, because some links' addresses have one: in a client id it is written as ?.
func ClientAt(s string) (client, address string) {
	client, address, _ = strings.Cut(s, " ")
	return client, address
}

// AvailabilityAt is the topic that tells the state of a device of the named node. A client id may make no valid topic of it.
func (g Gateway) AvailabilityAt(node, client string) string {
	return strings.NewReplacer("{node}", node, "{client}", client).Replace(g.AvailabilityTopic)
}

func (v checker) deviceStates(g Gateway) {
	const path = "gateway.availability_topic"
	switch name := g.AvailabilityAt("node", "client"); {
	case g.AvailabilityTopic == "":
	case topic.ValidName(name) != nil:
		v.addf(path, "[gateway] availability_topic = %q: %v", g.AvailabilityTopic, topic.ValidName(name))
	case !strings.Contains(g.AvailabilityTopic, "{client}"):
		v.addf(path, "[gateway] availability_topic = %q: {client} has to be in it, or all devices would share one topic", g.AvailabilityTopic)
	case strings.ContainsAny(name, "{}"):
		v.addf(path, "[gateway] availability_topic = %q: only {node} and {client} are replaced", g.AvailabilityTopic)
	}
}

func (v checker) linkNamed(name string) bool {
	return slices.ContainsFunc(v.c.Links, func(l Link) bool { return l.Name == name })
}

// linkReach wants public = true beside an address where devices come in that prove nothing. Those that log in may still publish at QoS -1 before.
func (v checker) linkReach(at string, l Link) {
	if l.open() && (!l.Auth || v.c.Gateway.QoSMinusOne) {
		v.reach(at+".address", l.Address, l.Public, "lets every device that reaches it publish and subscribe")
	}
}
