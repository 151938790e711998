package gateway

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"midge/mqttsn"
)

// complain logs a warning about a client: once a minute for each who and what, because a device can cause one with every frame. args tell more.
func (l *link) complain(what, client string, args ...any) {
	l.warn(client, what, append([]any{"client", client}, args...)...)
}

// warn is complain about somebody who need not be a client.
func (l *link) warn(who, what string, args ...any) {
	ok, unsaid := l.said.Take(l.now, what+"\x00"+who)
	if !ok {
		return
	}
	if unsaid > 0 {
		args = append(args, "not_logged", unsaid)
	}
	l.log.Warn(what, args...)
}

// unknownPredefined is a predefined topic id that the configuration does not have, which no device can mend.
func (l *link) unknownPredefined(c *client, id uint16) {
	l.complain("client uses a predefined topic id that is not known", c.id, "topic_id", id)
}

// turnAway refuses a CONNECT, and tells the operator, because the device hears no more than a code. client is the client id that it gave.
func (l *link) turnAway(from *peer, client string, why DropReason, code mqttsn.ReturnCode, reason string) {
	l.warn(client+reason, "client refused", "client", client, "peer", l.formatPeer(from), "reason", reason)
	l.rebuff(from, why, code)
}

// rebuff is turnAway without a word to the log.
func (l *link) rebuff(from *peer, why DropReason, code mqttsn.ReturnCode) {
	l.drop(why)
	l.send(from, mqttsn.Connack{Code: code})
}

// formatPeer is a peer as allow-lists and people write it, with "/" and the node id behind a forwarder.
func (l *link) formatPeer(p *peer) string {
	if !p.wrapped {
		return l.format(p.addr)
	}
	return l.format(p.addr) + "/" + hex.EncodeToString([]byte(p.node))
}

// faultOf says why a CONNECT cannot be meant for this gateway, "" = it can. Empty client ids are replaced only where LinkConfig.EmptyClientID wants it, because CONNACK
// has no room to tell. A leading '$' is for the sessions of Midge itself.
func (sp *space) faultOf(p *mqttsn.Connect) string {
	switch id := p.ClientID; {
	case p.ProtocolID != mqttsn.ProtocolID12:
		return fmt.Sprintf("it speaks protocol %d, and only %d is known: MQTT-SN 1.2", p.ProtocolID, mqttsn.ProtocolID12)
	case id == "":
		return "it gives no client id"
	case len(id) > sp.cfg.Limits.ClientID:
		return fmt.Sprintf("its client id is longer than %d octets", sp.cfg.Limits.ClientID)
	case id[0] == '$':
		return "its client id begins with $"
	case !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0:
		return "its client id is no UTF-8 text"
	}
	return ""
}
