package config

import (
	"math"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"midge/broker/topic"
)

// links checks every [[link]].
func (v checker) links() {
	names := map[string]string{}
	for i, l := range v.c.Links {
		at := element("link", i)
		v.name(at+".name", l.Name, "field", names)
		v.span(at+".retry_interval", l.RetryInterval, 100*time.Millisecond, time.Hour)
		v.number(at+".retry_count", l.RetryCount, 0, 100)
		v.devices(at, l)
		v.airtime(at, l)
		v.number(at+".max_qos", l.MaxQoS, 0, 2)
		v.number(at+".max_connections", l.MaxConnections, 0, math.MaxInt32)
		v.mountPoint(at, "[link]", l.MountPoint)
		if !v.required(at+".type", l.Type, "[link]", "udp") || !v.oneOf(at+".type", l.Type, LinkTypes) {
			continue
		}
		switch l.Type {
		case "udp":
			v.udp(at, l)
		case "dtls":
			v.dtls(at, l)
		case "serial":
			v.serial(at, l)
		case "xbee":
			v.xbee(at, l)
		}
	}
}

// mtuLeast is the shortest useful longest message: a CONNECT with a client id of 23 octets, and some room.
const mtuLeast = 32

func (v checker) udp(at string, l Link) {
	v.foreign(at, "serial", "udp", serialKeys...)
	v.foreign(at, "xbee", "udp", xbeeKeys...)
	v.foreign(at, "dtls", "udp", dtlsKeys...)
	if l.MTU != 0 {
		v.number(at+".mtu", l.MTU, mtuLeast, 65507)
	}
	v.groups(at, l)
	v.number(at+".multicast_hops", l.Hops, 1, 255)
	if !v.required(at+".address", l.Address, "[link] of type udp", "127.0.0.1:1883") || !v.address(at+".address", l.Address) {
		return
	}
	v.linkReach(at, l)
}

// everyone is the address of an interface's broadcasts.
var everyone = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// groups checks the multicast groups. Their packets come from the whole network, whatever the link's address is.
func (v checker) groups(at string, l Link) {
	address, _, _ := net.SplitHostPort(l.Address)
	own, _ := netip.ParseAddr(address) // if it is a name, or all addresses, the start tells
	for i, group := range l.Groups {
		path := element(at+".groups", i)
		host, port, err := net.SplitHostPort(group)
		if err != nil {
			host, port = group, "1"
		}
		ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
		switch {
		case err != nil || !ip.IsMulticast() && ip != everyone || checkPort(port) != nil:
			v.addf(path, `[link] groups: %q is not a multicast address; write for example "225.1.1.1" or "[ff02::1]:1883", or "255.255.255.255"`, group)
		case ip.Zone() != "":
			v.addf(path, `[link] groups: %q is joined on every interface that the link's address is on; leave "%%%s" out`, group, ip.Zone())
		case own.Is4() && ip.Is6() || own.Is6() && ip.Is4() && !own.IsUnspecified():
			v.addf(path, "[link] groups: %q is of another IP version than address = %q", group, l.Address)
		}
	}
	if len(l.Groups) > 0 && !l.Public {
		v.addf(at+".groups", "[link] groups are heard by the whole network; write public = true beside them if that is meant")
	}
}

// The keys of links that belong to some types only.
var (
	serialKeys = []string{"device", "device_tx", "baud", "framing", "node_address", "node_acks"}
	xbeeKeys   = []string{"network", "radius"}
	udpKeys    = []string{"address", "groups", "multicast_hops", "public"}
	dtlsKeys   = []string{"psk_file", "cert_file", "key_file", "ca_file", "require_certificate"}
)

func (v checker) serial(at string, l Link) {
	v.foreign(at, "udp", "serial", udpKeys...)
	v.foreign(at, "dtls", "serial", dtlsKeys...)
	v.foreign(at, "xbee", "serial", xbeeKeys...)
	v.port(at, l)
	v.oneOf(at+".framing", l.Framing, Framings)
	if l.MTU != 0 {
		v.number(at+".mtu", l.MTU, mtuLeast, mtuMost[l.Framing])
	}
	v.number(at+".node_address", l.NodeAddress, 1, 254)
	if l.Framing != "radiohead" && (l.NodeAddress != 1 || !l.NodeAcks) {
		v.addf(at+".framing", `[link] node_address and node_acks are for framing = "radiohead"; this one has framing = %q`, l.Framing)
	}
	if l.DeviceTx == "" {
		return
	}
	v.autoDevice(at+".device_tx", l.DeviceTx)
	if l.Framing != "loralink" {
		v.addf(at+".device_tx", `[link] device_tx is for framing = "loralink", whose modems may be two; this one has framing = %q`, l.Framing)
	}
}

// autoDevice is a USB adapter that is looked for, by vendor, product and serial number.
var autoDevice = regexp.MustCompile(`^auto:usb( [0-9a-fA-F]{4}:[0-9a-fA-F]{4}( \S.*)?)?$`)

// port checks the serial port of a link.
func (v checker) port(at string, l Link) {
	if v.required(at+".device", l.Device, "[link] of type "+l.Type, "/dev/ttyUSB0") {
		v.autoDevice(at+".device", l.Device)
	}
	if l.Baud != 0 {
		v.number(at+".baud", l.Baud, 50, 4_000_000)
	}
}

// autoDevice wants a device that is looked for, or is behind a network, to say so as it must.
func (v checker) autoDevice(path, device string) {
	if address, ok := strings.CutPrefix(device, "tcp:"); ok {
		host, port, err := net.SplitHostPort(strings.TrimPrefix(address, "//"))
		if err != nil || host == "" || checkPort(port) != nil || !strings.HasPrefix(address, "//") {
			v.addf(path, `%s = %q must be "tcp://host:port", or the path of a port`, v.key(path), device)
		}
	}
	if (device == "auto" || strings.HasPrefix(device, "auto:")) && !autoDevice.MatchString(device) {
		v.addf(path, `%s = %q must be "auto:usb", "auto:usb 0403:6001" or "auto:usb 0403:6001 SERIAL", or the path of a port`, v.key(path), device)
	}
}

func (v checker) xbee(at string, l Link) {
	v.foreign(at, "udp", "xbee", udpKeys...)
	v.foreign(at, "dtls", "xbee", dtlsKeys...)
	v.foreign(at, "serial", "xbee", "device_tx", "framing", "node_address", "node_acks")
	v.port(at, l)
	v.oneOf(at+".network", l.Network, Networks)
	v.number(at+".radius", l.Radius, 0, 255)
	if l.MTU != 0 {
		v.number(at+".mtu", l.MTU, mtuLeast, 255)
	}
}

// mtuMost is the longest message that a framing can carry, in octets.
var mtuMost = map[string]int{"raw": 65535, "hdlc": 65535, "slip": 246, "radiohead": 60, "loralink": 244}

// foreign refuses keys of another link type: they would have no effect. Only a file tells what was written.
func (v checker) foreign(at, owner, is string, keys ...string) {
	for _, key := range keys {
		if path := at + "." + key; v.src.written(path) {
			v.addf(path, "[link] %s is for links of type %s; this one is of type %s", key, owner, is)
		}
	}
}

// gateway checks [gateway] and every [[gateway.predefined]].
func (v checker) gateway() {
	g := v.c.Gateway
	v.span("gateway.advertise_interval", g.AdvertiseInterval, 0, 65535*time.Second) // 16 bits in ADVERTISE
	v.wholeSeconds("gateway.advertise_interval", g.AdvertiseInterval)
	v.oneOf("gateway.refused", g.Refused, RefusedWords)
	v.deviceStates(g)
	if g.AdvertiseBridged && len(v.c.Bridges) == 0 {
		v.addf("gateway.advertise_when_bridged", "[gateway] advertise_when_bridged = true, but there is no [[bridge]]: leave it out")
	}
	if g.QoSMinusOneInline && !g.QoSMinusOne {
		v.addf("gateway.qos_minus_one_inline", "[gateway] qos_minus_one_inline is a form of QoS -1; write qos_minus_one = true beside it")
	}
	type key struct {
		client, link string
		id           uint16
	}
	taken := map[key]string{}
	for i, p := range g.Predefined {
		at := element("gateway.predefined", i)
		v.predefined(at, p)
		k := key{p.Client, p.Link, p.ID}
		if first, twice := taken[k]; twice {
			v.addf(at+".id", "[gateway.predefined] id = %d of client %q is taken%s", p.ID, p.Client, v.onLine(first))
			continue
		}
		taken[k] = at + ".id"
	}
}

func (v checker) predefined(at string, p Predefined) {
	const table = "[gateway.predefined]"
	v.required(at+".client", p.Client, table, "*")
	if p.Client != "*" && strings.Contains(p.Client, "*") {
		v.addf(at+".client", "%s client = %q: it is one client id, or \"*\" for every client", table, p.Client)
	}
	if v.required(at+".link", p.Link, table, "*") && p.Link != "*" && !v.linkNamed(p.Link) {
		v.addf(at+".link", "%s link = %q: no [[link]] has that name; write \"*\" for every link", table, p.Link)
	}
	v.number(at+".id", int(p.ID), 1, 65534) // 0x0000 and 0xFFFF are reserved (MQTT-SN 1.2 §5.3.11)
	if !v.required(at+".topic", p.Topic, table, "sensors/boot") {
		return
	}
	if err := topic.ValidName(p.Topic); err != nil {
		v.addf(at+".topic", "%s topic = %q: %v", table, p.Topic, err)
	}
}

// wholeSeconds wants a duration that goes over the wire in seconds to be a number of them.
func (v checker) wholeSeconds(path string, d Duration) {
	if d.Duration%time.Second != 0 {
		v.addf(path, `%s = "%s" must be whole seconds`, v.key(path), d)
	}
}
