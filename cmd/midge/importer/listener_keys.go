package importer

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"midge/broker/topic"
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
		l.keys.drop(key)
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
	case ok && n > 0:
		at.listener.keys.set("max_connections", n)
	case ok:
		at.listener.keys.drop("max_connections") // any number
	}
}

func maxQoS(c *conf, at *cursor, d directive) {
	if n, ok := c.number(d, 0, 2); ok {
		at.listener.keys.set("max_qos", n)
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
	v, ok := c.text(d)
	switch {
	case !ok:
	case topic.ValidMount(v) != nil || strings.Contains(v, "%c") || strings.Contains(v, "%u"): // to Mosquitto these are no more than letters
		at.listener.useless = fmt.Sprintf("Midge does not put %q in front of topics, and without it clients would meet that must not", v)
	default:
		at.listener.keys.set("mount_point", v)
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
