package importer

import (
	"fmt"
	"net"
	"strings"
)

// saveListeners makes the [[listener]] tables and [auth].
func (c *conf) saveListeners(doc *document) {
	served := c.listeners
	if !c.named {
		served = []*listener{c.localListener()}
	}
	var tables []*table
	for _, l := range served {
		if !l.served {
			continue
		}
		if t := c.saveListener(l); t != nil {
			doc.add(t)
			tables = append(tables, t)
		}
	}
	if len(tables) == 0 {
		doc.root = append(doc.root, entry{"listener", []string{}, "none could be carried over"})
	}
	c.saveConnections(tables)
	doc.add(c.authTable())
}

// localListener is what Mosquitto serves when the file names no port: this machine, whatever else it says of listeners.
func (c *conf) localListener() *listener {
	l := &listener{port: 1883, host: "127.0.0.1", protocol: "mqtt", served: true, keys: table{header: "[[listener]]",
		about: "no listener line: this machine only; Mosquitto is on [::1]:1883 too, which would be a second [[listener]]"}}
	if c.standard != nil {
		l.security, l.plugins = c.standard.security, c.standard.plugins
		for _, d := range c.standard.options {
			c.lose(d, "without a listener line Mosquitto ignores this, and serves port 1883 of this machine only")
		}
	}
	return l
}

// saveListener makes one [[listener]]; nil when that would promise less than Mosquitto's listener did.
func (c *conf) saveListener(l *listener) *table {
	if why := l.misfit(); why != "" {
		c.lose(l.line, why+"; this listener is left out")
		return nil
	}
	c.saveTLS(l)
	if !c.saveAccess(l) || !c.claim(l) {
		return nil
	}
	t := &l.keys
	c.every.save(t)
	if c.usersUnproved(l) {
		c.lose(l.line, "where there is no password_file a user name proves nothing; the user lines of acl_file apply to nobody here")
	}
	switch {
	case l.protocol != "websockets":
	case len(l.origins) > 0:
		t.set("origins", l.origins)
	default:
		t.set("origins", []string{"*"}, "any web page, as at Mosquitto's; without this line only pages of the host that they connect to")
	}
	head := []entry{{"type", l.kind(), ""}, {"address", l.place(), ""}}
	switch {
	case l.loopback() || t.has("require_certificate"):
	case t.has("use_identity_as_username"):
		head = append(head, entry{"public", true, "whoever reaches it can pass for the proxy, so only the proxy may"})
	case c.anonymous(l):
		head = append(head, entry{"public", true, "nobody has to give a password"})
	}
	t.entries = append(head, t.entries...)
	return t
}

// kind is the type that the listener has at Midge.
func (l *listener) kind() string {
	cert := l.keys.has("cert_file")
	switch {
	case l.socket != "":
		return "unix"
	case l.protocol == "websockets" && cert:
		return "wss"
	case l.protocol == "websockets":
		return "ws"
	case cert:
		return "tls"
	}
	return "tcp"
}

// misfit is why the listener cannot be carried over; "" = it can.
func (l *listener) misfit() string {
	cert, key := l.keys.has("cert_file"), l.keys.has("key_file")
	_, _, err := net.SplitHostPort(l.place())
	switch {
	case l.socket == "" && err != nil:
		return fmt.Sprintf("%q is no host name and no address", l.host)
	case l.useless != "":
		return l.useless
	case cert != key || !cert && l.keys.has("ca_file"):
		return "certfile and keyfile go together, and cafile goes with them"
	case l.socket != "" && (cert || l.protocol == "websockets"):
		return "a Unix socket carries plain MQTT only"
	case len(l.socket) > 107:
		return "the path of a socket has at most 107 octets"
	case strings.HasPrefix(l.socket, "@"):
		return "everybody may use an abstract socket; write the path of a file"
	}
	return ""
}

// claim reports whether the place of a listener was free.
func (c *conf) claim(l *listener) bool {
	place := l.place()
	if c.places[place] {
		c.lose(l.line, "another listener is at this place; this one is left out")
		return false
	}
	c.places[place] = true
	return true
}

// saveTLS makes the options of certificates fit together as Midge wants them.
func (c *conf) saveTLS(l *listener) {
	t := &l.keys
	if t.has("use_identity_as_username") && t.has("ca_file") {
		t.set("require_certificate", true) // without one, nobody comes in at Mosquitto's
	}
	if l.subject.key != "" && t.has("require_certificate") {
		c.lose(l.subject, "the user name is the certificate's common name (CN); write users so in acl_file")
		t.set("use_identity_as_username", true)
	}
	if !t.has("cert_file") {
		t.drop("require_certificate", "tls_version")
	}
	switch {
	case !t.has("require_certificate"): // then these ask for nothing
		t.drop("ca_file", "crl_file")
		if !t.has("proxy_protocol") {
			t.drop("use_identity_as_username")
		}
	case !t.has("ca_file"):
		c.lose(l.line, "require_certificate without cafile lets nobody in; say in ca_file who signs")
		t.set("ca_file", "ca.pem")
	}
}
