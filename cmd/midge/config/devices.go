package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// devices checks what a [[link]] says of its devices.
func (v checker) devices(at string, l Link) {
	v.span(at+".idle_limit", l.IdleLimit, time.Minute, 366*24*time.Hour)
	v.oneOf(at+".rebind", l.RebindPolicy(), RebindPolicies)
	v.oneOf(at+".gwinfo", l.GwInfo, GwInfoWays)
	v.patterns(at+".allow_clients", l.AllowClients, "valve-*")
	v.patterns(at+".allow_addresses", l.AllowAddresses, "192.0.2.0/24")
	v.ipPatterns(at+".allow_addresses", l)
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

// ipPatterns wants what stands for an IP address to be one: a network that is none would match nothing.
func (v checker) ipPatterns(path string, l Link) {
	if l.Type != "udp" && l.Type != "dtls" {
		return // radios name their nodes otherwise
	}
	for i, s := range l.AllowAddresses {
		place, _, _ := strings.Cut(s, "/") // of a forwarder, before the node id
		_, notAddr := netip.ParseAddr(s)
		_, notNet := netip.ParsePrefix(s)
		_, notPort := netip.ParseAddrPort(place)
		if s == strings.TrimSpace(s) && s != "" && notAddr != nil && notNet != nil && notPort != nil && !strings.ContainsAny(s, "*?") {
			v.addf(element(path, i), `%s: %q is no IP address and no network; write for example "192.0.2.7" or "192.0.2.0/24", or a pattern with * or ?`, v.key(path), s)
		}
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
