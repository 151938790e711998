package importer

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"midge/broker/topic"
	"midge/cmd/midge/config"
)

// A bridge is one connection of Mosquitto's.
type bridge struct {
	line directive // the connection line
	name string    // as written

	hosts     []string // of the address line, as URLs want them: host:port
	hostsLine directive
	lines     []bridgeLine

	remoteID, user     string
	password           *string
	passwordLine       directive
	keepAlive          int // seconds; 0 = not written
	silent             bool
	state              string // notification_topic
	ca, cert, key      string
	certLine           directive
	systemCertificates bool
	useless            string // why it cannot be carried over at all; "" = it can
}

// newBridge begins a connection.
func newBridge(c *conf, at *cursor, d directive) {
	at.bridge = &bridge{line: d, name: d.first()} // for the options below, should this line be wrong
	switch {
	case d.first() == "":
		c.wrong(d, "has no name")
		return
	case !plainText(d.first()):
		c.wrong(d, "the name is not UTF-8 text")
		return
	}
	for _, b := range c.bridges {
		if b.name == d.first() {
			c.wrong(d, "another connection has this name")
			return
		}
	}
	c.bridges = append(c.bridges, at.bridge)
}

// bridgeAddress takes host[:port] of one or several brokers. An IPv6 address has its port behind the last colon.
func bridgeAddress(c *conf, at *cursor, d directive) {
	var hosts []string
	for _, w := range d.words() {
		if w[0] == '#' {
			break
		}
		host, port, err := splitAddress(w)
		if err != nil {
			c.wrong(d, err.Error())
			return
		}
		hosts = append(hosts, net.JoinHostPort(host, strconv.Itoa(port)))
	}
	switch {
	case len(hosts) == 0:
		c.wrong(d, "has no value")
	case at.bridge.hosts != nil:
		c.wrong(d, "the connection has an address already")
	default:
		at.bridge.hosts, at.bridge.hostsLine = hosts, d
	}
}

func splitAddress(s string) (host string, port int, err error) {
	host, port = s, 1883
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host = s[:i]
		if port, err = strconv.Atoi(s[i+1:]); err != nil || port < 1 || port > 65535 {
			return "", 0, fmt.Errorf("%q has no port from 1 to 65535", s)
		}
	}
	host = strings.Trim(host, "[]")
	if _, _, err := (config.Bridge{Address: mqttURL("mqtt", net.JoinHostPort(host, "1883"))}).Upstream(); err != nil {
		return "", 0, fmt.Errorf("%q is no host name and no address", host)
	}
	return host, port, nil
}

// mqttURL is an address as Midge's bridges take it.
func mqttURL(scheme, hostPort string) string {
	return (&url.URL{Scheme: scheme, Host: hostPort}).String()
}

func remoteClientID(c *conf, at *cursor, d directive) {
	if v, ok := c.text(d); ok {
		at.bridge.remoteID = v
	}
}

func remoteUsername(c *conf, at *cursor, d directive) {
	if v, ok := c.text(d); ok {
		at.bridge.user = v
	}
}

func remotePassword(c *conf, at *cursor, d directive) {
	if v, ok := c.text(d); ok {
		at.bridge.password, at.bridge.passwordLine = &v, d
	}
}

func keepAlive(c *conf, at *cursor, d directive) {
	if n, ok := c.number(d, anyLess, 65535); ok {
		at.bridge.keepAlive = max(n, 5) // Mosquitto raises it too
	}
}

func notifications(c *conf, at *cursor, d directive) {
	if on, ok := c.boolean(d); ok {
		at.bridge.silent = !on
	}
}

func notificationsLocalOnly(c *conf, at *cursor, d directive) {
	if on, ok := c.boolean(d); ok && on {
		at.bridge.silent = true
		c.lose(d, "the bridge's state is told upstream or nowhere; here /metrics and /healthz have it")
	}
}

func notificationTopic(c *conf, at *cursor, d directive) {
	v, ok := c.text(d)
	switch {
	case !ok:
	case !stateTopic(v):
		c.wrong(d, fmt.Sprintf("%q is no topic name that Midge takes for it", v))
	default:
		at.bridge.state = v
	}
}

// stateTopic reports whether availability_topic takes a topic. Braces have a meaning there.
func stateTopic(s string) bool { return topic.ValidName(s) == nil && !strings.ContainsAny(s, "{}") }

func startType(c *conf, at *cursor, d directive) {
	v, ok := c.word(d)
	if !ok {
		return
	}
	switch v {
	case "automatic":
	case "lazy":
		c.lose(d, "the bridge connects at the start and stays connected")
	case "once":
		c.lose(d, "the bridge connects again whenever the connection is lost")
	default:
		c.wrong(d, fmt.Sprintf("%q is not one of automatic, lazy, once", v))
	}
}

func bridgeProtocolVersion(c *conf, at *cursor, d directive) {
	v, ok := c.word(d)
	if !ok {
		return
	}
	switch v {
	case "mqttv311":
	case "mqttv31", "mqttv50":
		c.lose(d, "the bridge speaks MQTT 3.1.1, which nearly every broker takes")
	default:
		c.wrong(d, fmt.Sprintf("%q is not one of mqttv31, mqttv311, mqttv50", v))
	}
}

func bridgeCAFile(c *conf, at *cursor, d directive) {
	if v, ok := c.text(d); ok {
		at.bridge.ca = v
	}
}

func bridgeCAPath(c *conf, at *cursor, d directive) {
	path, ok := c.text(d)
	if !ok || at.bridge.ca != "" {
		return
	}
	if path = strings.TrimSuffix(path, "/"); path == "/etc/ssl/certs" {
		at.bridge.systemCertificates = true // Debian's and others' place for them
		return
	}
	at.bridge.ca = path + "/all.pem"
	c.lose(d, "Midge reads one file; put the directory's certificates into all.pem there")
}

func bridgeSystemCertificates(c *conf, at *cursor, d directive) {
	if on, ok := c.boolean(d); ok {
		at.bridge.systemCertificates = on
	}
}

func bridgeCertFile(c *conf, at *cursor, d directive) {
	if v, ok := c.text(d); ok {
		at.bridge.cert, at.bridge.certLine = v, d
	}
}

func bridgeKeyFile(c *conf, at *cursor, d directive) {
	if v, ok := c.text(d); ok {
		at.bridge.key, at.bridge.certLine = v, d
	}
}

func bridgePSK(c *conf, at *cursor, d directive) {
	at.bridge.useless = "Go's TLS has no pre-shared keys; use certificates"
}

func bridgeInsecure(c *conf, at *cursor, d directive) {
	if on, ok := c.boolean(d); ok && on {
		c.lose(d, "the broker's certificate is always checked; give one for its name, signed by one in ca_file")
	}
}

func bridgeTLSVersion(c *conf, at *cursor, d directive) {
	v, ok := c.word(d)
	if !ok {
		return
	}
	switch v {
	case "tlsv1.2":
	case "tlsv1.3":
		c.lose(d, "the bridge takes TLS 1.3 where the broker has it, and else 1.2")
	case "tlsv1.1", "tlsv1":
		c.lose(d, "TLS begins at 1.2")
	default:
		c.wrong(d, fmt.Sprintf("%q is not one of tlsv1.3, tlsv1.2, tlsv1.1", v))
	}
}

// saveBridges makes the [[bridge]] tables.
func (c *conf) saveBridges(doc *document) {
	taken := map[string]bool{}
	for _, b := range c.bridges {
		switch {
		case b.useless != "":
			c.lose(b.line, b.useless+"; this bridge is left out")
		case len(b.hosts) == 0:
			c.lose(b.line, "has no address; this bridge is left out")
		case len(b.lines) == 0:
			c.lose(b.line, "has no topic; this bridge is left out")
		default:
			doc.add(c.bridgeTable(b, taken))
		}
	}
}

func (c *conf) bridgeTable(b *bridge, taken map[string]bool) *table {
	t := &table{header: "[[bridge]]"}
	t.set("name", plainName(b.name, taken))
	c.saveUpstream(b, t)
	if b.remoteID != "" {
		t.set("client_id", b.remoteID)
	} else {
		t.set("client_id", c.host+"."+b.name, "Mosquitto's own: host name and connection")
	}
	if b.user != "" {
		t.set("username", b.user)
	}
	if b.password != nil && b.user == "" {
		c.lose(b.passwordLine, "needs a remote_username beside it")
	} else if b.password != nil {
		t.set("password", *b.password)
	}
	if b.keepAlive != 0 {
		t.set("keep_alive", seconds(b.keepAlive))
	}
	if c.every.inflight != 0 {
		t.set("max_inflight", c.every.inflight)
	}
	c.saveState(b, t)
	for _, l := range merged(c, b.lines) {
		t.subs = append(t.subs, l.table())
	}
	return t
}

// saveUpstream says where the bridge goes, and with what certificates.
func (c *conf) saveUpstream(b *bridge, t *table) {
	scheme := "mqtt"
	tls := b.ca != "" || b.systemCertificates
	if tls {
		scheme = "mqtts"
	}
	t.set("address", mqttURL(scheme, b.hosts[0]))
	if len(b.hosts) > 1 {
		c.lose(b.hostsLine, fmt.Sprintf("a bridge has one address; %s is left out", strings.Join(b.hosts[1:], " ")))
	}
	if b.ca != "" {
		t.set("ca_file", b.ca)
	}
	switch {
	case b.cert == "" && b.key == "":
	case !tls:
		c.lose(b.certLine, "without bridge_cafile or bridge_capath Mosquitto does not encrypt; the certificate is left out")
	case b.cert == "" || b.key == "":
		c.lose(b.certLine, "bridge_certfile and bridge_keyfile go together; the certificate is left out")
	default:
		t.set("cert_file", b.cert)
		t.set("key_file", b.key)
	}
}

// saveState says where upstream learns whether the bridge is connected.
func (c *conf) saveState(b *bridge, t *table) {
	id := b.remoteID
	if id == "" {
		id = c.host + "." + b.name
	}
	state := "$SYS/broker/connection/" + id + "/state"
	if b.state != "" {
		state = b.state
	}
	switch {
	case b.silent:
		state = ""
	case !stateTopic(state):
		c.lose(b.line, fmt.Sprintf("%q is no topic that tells the bridge's state; nothing does", state))
		state = ""
	}
	t.set("availability_topic", state)
}

// plainName makes a name of letters, digits, '.', '_' and '-' that no other bridge has.
func plainName(s string, taken map[string]bool) string {
	const most = 60
	name := []byte(s)
	if len(name) > most {
		name = name[:most]
	}
	for i, c := range name {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._-", c) >= 0) {
			name[i] = '-'
		}
	}
	plain := string(name)
	for n := 2; taken[plain]; n++ {
		plain = string(name) + "-" + strconv.Itoa(n)
	}
	taken[plain] = true
	return plain
}
