package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"

	"midge/mqttsn"
	"midge/transports"
)

// Rebind says whether a client that is connected may go on from another address: when CONNECT comes from there, or PINGREQ with its client id.
// The link that the client is on decides. One that is not connected may come from anywhere.
type Rebind uint8

// The policies. RebindSameIdentity wants the device to be known as the same by more than its client id: by its log-in, or by what the link
// knows of who is behind an address ([transports.Identifier], [transports.Hoster]).
const (
	RebindOpen Rebind = iota
	RebindSameIdentity
	RebindNever
)

// GwInfoTo says who hears the answer to a SEARCHGW. A search that came through a forwarder is always answered to the asker alone.
type GwInfoTo uint8

// The ways. The specification broadcasts, so that others need not ask; an answer to the asker also goes through a NAT.
const (
	GwInfoToBoth     GwInfoTo = iota // the asker, and everyone if the search came to everyone
	GwInfoToAsker                    // the asker
	GwInfoToEveryone                 // everyone, with the radius of the search
)

// mayMove reports whether c, which is heard from another address, is to be taken there. user is who has logged in there, "" for nobody.
func (l *link) mayMove(c *client, from peer, user string) bool {
	if !c.connected() && c.prompt == nil {
		return true
	}
	old := c.link.Load()
	if old == l && c.peer == from {
		return true
	}
	switch old.cfg.Rebind {
	case RebindNever:
		return false
	case RebindSameIdentity:
		was, is := c.user, user
		if was == "" {
			was, is = old.identity(c.peer), l.identity(from)
		} else if is == "" {
			is = l.provenBy(from)
		}
		return was != "" && was == is
	}
	return true
}

// identity is what the link knows of who is behind an address, "" = nothing. Nodes behind a forwarder are as much apart as two addresses.
func (l *link) identity(p peer) string {
	who := l.provenBy(p)
	if who == "" && l.host != nil {
		who = l.host(p.addr)
	}
	if who == "" || !p.wrapped {
		return who
	}
	return who + "/" + hex.EncodeToString([]byte(p.node))
}

// provenBy is the user name that the link vouches for, "" = none.
func (l *link) provenBy(p peer) string {
	if l.identify == nil {
		return ""
	}
	return l.identify(p.addr)
}

// knowBy has the machine ask t what only it can tell: who is behind an address, and whether everyone can be reached.
func (l *link) knowBy(t transports.Link) {
	if i, ok := t.(transports.Identifier); ok {
		l.identify = i.Identity
	}
	if h, ok := t.(transports.Hoster); ok {
		l.host = h.Host
	}
	if b, ok := t.(transports.Broadcaster); ok && !b.Broadcasts() {
		l.advertiseAt = never // nobody would hear it
	}
}

// places are addresses, as LinkConfig lists them, made ready to be asked.
type places struct {
	texts    []string // patterns for addresses as people read them
	prefixes []netip.Prefix
}

func newPlaces(list ...string) (ps places) {
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			ps.prefixes = append(ps.prefixes, p.Masked())
		} else if ip, err := netip.ParseAddr(s); err == nil {
			ps.prefixes = append(ps.prefixes, netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
		} else {
			ps.texts = append(ps.texts, s)
		}
	}
	return ps
}

// has reports whether p is one of them. text is the address as the link formats it.
func (ps *places) has(text string, p *peer) bool {
	at, _, _ := strings.Cut(text, " ") // behind it a link may say who is there
	if ap, err := netip.ParseAddrPort(at); err == nil {
		ip := ap.Addr().Unmap().WithZone("")
		for _, prefix := range ps.prefixes {
			if prefix.Contains(ip) {
				return true
			}
		}
	}
	return matchesAny(ps.texts, text) || p.wrapped && matchesAny(ps.texts, text+"/"+hex.EncodeToString([]byte(p.node)))
}

// allowed is whom a link serves, made ready to be asked. The zero value allows everyone.
type allowed struct {
	clients, denied []string // patterns; no clients: all
	from, never     places
	anywhere        bool // from is not asked
	addresses       bool // addresses are asked at all, whoever is there
	bound           []bound
}

// bound is one of LinkConfig.ClientAddresses.
type bound struct {
	client string // pattern
	from   places
}

func newAllowed(cfg *LinkConfig) allowed {
	a := allowed{clients: cfg.AllowClients, denied: cfg.DenyClients, from: newPlaces(cfg.AllowAddresses...), never: newPlaces(cfg.DenyAddresses...)}
	a.anywhere = len(cfg.AllowAddresses) == 0
	a.addresses = !a.anywhere || len(cfg.DenyAddresses) > 0
	for _, b := range cfg.ClientAddresses {
		a.bound = append(a.bound, bound{b.Client, newPlaces(b.Address)})
	}
	return a
}

// client reports whether a client of that id is served.
func (a *allowed) client(id string) bool {
	return !matchesAny(a.denied, id) && (len(a.clients) == 0 || matchesAny(a.clients, id))
}

// address reports whether somebody at that address is served. text is the address as the link formats it.
func (a *allowed) address(text string, p *peer) bool {
	return !a.addresses || !a.never.has(text, p) && (a.anywhere || a.from.has(text, p))
}

// binds reports whether the client of that id is served at other addresses only.
func (a *allowed) binds(id, text string, p *peer) (elsewhere bool) {
	for i := range a.bound {
		b := &a.bound[i]
		switch {
		case !wildcard(b.client, id):
		case b.from.has(text, p):
			return false
		default:
			elsewhere = true
		}
	}
	return elsewhere
}

// clientAt is the client that is to be at an address, "" if no one is named there or several could be.
func (a *allowed) clientAt(text string, p *peer) string {
	for i := range a.bound {
		if b := &a.bound[i]; !strings.ContainsAny(b.client, "*?") && b.from.has(text, p) {
			return b.client
		}
	}
	return ""
}

func matchesAny(patterns []string, s string) bool {
	for _, p := range patterns {
		if wildcard(p, s) {
			return true
		}
	}
	return false
}

// wildcard reports whether s is of the form of the pattern, in which '*' stands for any text and '?' for one octet.
func wildcard(pattern, s string) bool {
	star, resume := -1, 0
	i := 0
	for j := 0; j < len(s); {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, resume = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0: // let the last '*' take one more
			resume++
			i, j = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// serves reports whether a client of that id may connect from that address.
func (l *link) serves(id string, from *peer) bool {
	return l.allow.client(id) && !l.stranger(from) && !l.elsewhere(id, from)
}

// elsewhere reports whether the link serves a client of that id, but not from that address.
func (l *link) elsewhere(id string, from *peer) bool {
	return len(l.allow.bound) > 0 && l.allow.binds(id, l.format(from.addr), from)
}

// stranger reports whether the link does not serve who is at that address.
func (l *link) stranger(from *peer) bool {
	return l.allow.addresses && !l.allow.address(l.format(from.addr), from)
}

// assignedID is the client id of a device that gives none: always the same for an address, because the device cannot be told.
func (l *link) assignedID(from *peer) string {
	sum := sha256.Sum256([]byte(string(from.addr.Bytes()) + "/" + from.node))
	return l.name + "-" + hex.EncodeToString(sum[:8])
}

// refused is the code for a device that may not connect.
func (sp *space) refused() mqttsn.ReturnCode {
	if sp.cfg.RefuseLater {
		return mqttsn.Congestion
	}
	return mqttsn.NotSupported
}

// breach ends what a device has that sends flags which its message does not have, on a link that is strict. As in MQTT a client that breaks the protocol
// is lost, and its will is published.
func (l *link) breach(c *client, from peer, raw []byte) {
	l.dropOf(c, StrayFlags)
	if p, err := mqttsn.DecodePublish(raw); err == nil && p.QoS == mqttsn.QoSMinusOne || l.broadcast {
		return
	}
	if c != nil && c.prompt != nil {
		l.promptFailed(c)
	}
	if c != nil && c.connected() {
		l.complain("client sends flags that its message does not have", c.id)
		l.quit(c, Lost)
	} else if !l.replies.take(l.t) {
		l.drop(RateLimited)
		return
	}
	l.send(&from, mqttsn.Disconnect{})
}
