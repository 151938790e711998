package importer

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// file is for options whose value is the path of a file.
func file(key string) handler {
	return func(c *conf, at *cursor, d directive) {
		if path, ok := c.text(d); ok {
			at.listener.keys.set(key, path)
		}
	}
}

func caPath(c *conf, at *cursor, d directive) {
	path, ok := c.text(d)
	if !ok || at.listener.keys.has("ca_file") {
		return
	}
	at.listener.keys.set("ca_file", strings.TrimSuffix(path, "/")+"/all.pem", "made by: cat DIRECTORY/*.pem")
	c.lose(d, "Midge reads one file; put the directory's certificates into all.pem there")
}

func requireCertificate(c *conf, at *cursor, d directive) {
	at.listener.flag(c, d, "require_certificate")
}

func useIdentity(c *conf, at *cursor, d directive) {
	at.listener.flag(c, d, "use_identity_as_username")
}

// flag sets a switch that is off by default.
func (l *listener) flag(c *conf, d directive, key string) {
	switch on, ok := c.boolean(d); {
	case ok && on:
		l.keys.set(key, true)
	case ok:
		l.keys.unset(key)
	}
}

func useSubject(c *conf, at *cursor, d directive) {
	if on, ok := c.boolean(d); ok && on {
		at.listener.subject = d
	}
}

func tlsVersion(c *conf, at *cursor, d directive) {
	v, ok := c.word(d)
	if !ok {
		return
	}
	switch v {
	case "tlsv1.3":
		at.listener.keys.set("tls_version", "1.3")
	case "tlsv1.2":
	case "tlsv1.1", "tlsv1":
		c.lose(d, "TLS begins at 1.2")
	default:
		c.wrong(d, fmt.Sprintf("%q is not one of tlsv1.3, tlsv1.2, tlsv1.1", v))
	}
}

func hardKey(c *conf, at *cursor, d directive) {
	at.listener.useless = "Midge reads keys from files, not from an OpenSSL engine"
}

func keyForm(c *conf, at *cursor, d directive) {
	v, ok := c.word(d)
	if !ok {
		return
	}
	switch v {
	case "pem":
	case "engine":
		hardKey(c, at, d)
	default:
		c.wrong(d, fmt.Sprintf("%q is neither pem nor engine", v))
	}
}

func pskHint(c *conf, at *cursor, d directive) {
	at.listener.useless = "Go's TLS has no pre-shared keys; use certificates"
}

func maxConnections(c *conf, at *cursor, d directive) {
	switch n, ok := c.number(d, anyLess, 1<<31-1); {
	case ok && n >= 0:
		at.listener.keys.set("max_connections", n)
	case ok:
		at.listener.keys.unset("max_connections")
	}
}

func maxQoS(c *conf, at *cursor, d directive) {
	if n, ok := c.number(d, 0, 2); ok && n < 2 {
		c.lose(d, "every listener takes QoS 0 to 2")
	}
}

func maxTopicAlias(c *conf, at *cursor, d directive) {
	if n, ok := c.number(d, 0, 65535); ok {
		at.listener.keys.set("max_topic_alias", n)
	}
}

func maxTopicAliasBroker(c *conf, at *cursor, d directive) {
	if n, ok := c.number(d, 0, 65535); ok {
		c.lose(d, fmt.Sprintf("how many topic aliases Midge uses towards a client is not set by listener, %d or otherwise", n))
	}
}

func mountPoint(c *conf, at *cursor, d directive) {
	if v, ok := c.text(d); ok {
		at.listener.useless = fmt.Sprintf("Midge does not put %q in front of a listener's topics, and without it clients would meet that must not", v)
	}
}

func websocketsOrigin(c *conf, at *cursor, d directive) {
	v, ok := c.text(d)
	u, err := url.Parse(v)
	switch {
	case !ok:
	case err != nil || u.Scheme == "" || u.Host == "" || v != u.Scheme+"://"+u.Host:
		c.wrong(d, fmt.Sprintf("%q is no origin of a page, such as https://example.com", v))
	case !slices.Contains(at.listener.origins, v):
		at.listener.origins = append(at.listener.origins, v)
	}
}

func useUsernameAsClientID(c *conf, at *cursor, d directive) {
	if on, ok := c.boolean(d); ok && on {
		c.lose(d, "the client id is the client's choice; %c in acl_file is therefore not a user")
	}
}

func acceptProtocolVersions(c *conf, at *cursor, d directive) {
	accepted := strings.FieldsFunc(d.rest, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	for _, v := range []string{"3", "4", "5"} {
		if !slices.Contains(accepted, v) {
			c.lose(d, "every listener takes MQTT 3.1, 3.1.1 and 5")
			return
		}
	}
}

func proxyProtocol(c *conf, at *cursor, d directive) {
	if _, ok := c.number(d, 1, 2); ok {
		at.listener.keys.set("proxy_protocol", true)
	}
}

func proxyRequiresTLS(c *conf, at *cursor, d directive) {
	if on, ok := c.boolean(d); ok && on {
		c.lose(d, "Midge does not ask how the client reached the proxy; let the proxy take TLS only")
	}
}

// saveListeners makes the [[listener]] tables and [auth].
func (c *conf) saveListeners(doc *document) {
	served := c.listeners
	if !c.named {
		served = []*listener{c.localListener()}
	}
	tables := 0
	for _, l := range served {
		if !l.served {
			continue
		}
		if t := c.saveListener(l); t != nil {
			doc.add(t)
			tables++
		}
	}
	if tables == 0 {
		doc.root = append(doc.root, entry{"listener", []string{}, "none could be carried over"})
	}
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
	if l.useless != "" {
		c.lose(l.line, l.useless+"; this listener is left out")
		return nil
	}
	t := &l.keys
	cert, key := t.has("cert_file"), t.has("key_file")
	if cert != key || !cert && t.has("ca_file") {
		c.lose(l.line, "certfile and keyfile go together, and cafile goes with them; this listener is left out")
		return nil
	}
	kind := "tcp"
	switch {
	case l.socket != "":
		kind = "unix"
	case l.protocol == "websockets" && cert:
		kind = "wss"
	case l.protocol == "websockets":
		kind = "ws"
	case cert:
		kind = "tls"
	}
	if kind == "unix" && (cert || l.protocol == "websockets") {
		c.lose(l.line, "a Unix socket carries plain MQTT only; this listener is left out")
		return nil
	}
	c.saveTLS(l)
	if !c.saveAccess(l) || !c.claim(l) {
		return nil
	}
	c.every.save(t)
	for _, key := range []string{"max_packet_size", "max_connections", "max_topic_alias", "proxy_protocol"} {
		if t.has(key) {
			t.unset(key)
			c.lose(l.line, "this version of Midge does not serve "+key+" yet")
		}
	}
	head := []entry{{"type", kind, ""}}
	if kind == "unix" {
		head = append(head, entry{"address", l.socket, ""})
	} else {
		head = append(head, entry{"address", l.address(), ""})
	}
	if c.usersUnproved(l) {
		c.lose(l.line, "where there is no password_file a user name proves nothing; the user lines of acl_file apply to nobody here")
	}
	if c.anonymous(l) && !l.loopback() && !t.has("require_certificate") {
		head = append(head, entry{"public", true, "nobody has to give a password"})
	}
	switch {
	case l.protocol != "websockets":
	case len(l.origins) > 0:
		t.set("origins", l.origins)
	default:
		t.set("origins", []string{"*"}, "any web page, as at Mosquitto's; without this line only pages of the host that they connect to")
	}
	t.entries = append(head, t.entries...)
	return t
}

// claim reports whether the place of a listener was free.
func (c *conf) claim(l *listener) bool {
	place := l.address()
	if l.socket != "" {
		place = l.socket
	}
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
	if !t.has("require_certificate") {
		for _, key := range []string{"ca_file", "crl_file", "use_identity_as_username"} {
			t.unset(key) // they ask for nothing then
		}
	}
	if t.has("require_certificate") && t.has("cert_file") && !t.has("ca_file") {
		c.lose(l.line, "require_certificate without cafile lets nobody in; say in ca_file who signs")
		t.set("ca_file", "ca.pem")
	}
	if !t.has("cert_file") {
		for _, key := range []string{"require_certificate", "crl_file", "use_identity_as_username", "tls_version"} {
			t.unset(key)
		}
	}
}
