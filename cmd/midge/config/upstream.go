package config

import (
	"strings"
	"time"

	"midge/broker/topic"
)

// bridges checks every [[bridge]].
func (v checker) bridges() {
	names := map[string]string{}
	for i, b := range v.c.Bridges {
		at := element("bridge", i)
		v.name(at+".name", b.Name, "cloud", names)
		v.upstream(at, b)
		v.span(at+".keep_alive", b.KeepAlive, time.Second, 65535*time.Second) // 16 bits in CONNECT
		v.wholeSeconds(at+".keep_alive", b.KeepAlive)
		v.number(at+".max_inflight", b.MaxInflight, 1, 65535)
		v.availability(at, b)
		if b.Password != "" && b.Username == "" {
			v.addf(at+".password", "[bridge] password needs a username beside it")
		}
		if len(b.Topics) == 0 {
			v.addf(at+".topic", "[bridge] %q has no topic; add a [[bridge.topic]] with a filter", b.Name)
		}
		for j, t := range b.Topics {
			v.bridgeTopic(element(at+".topic", j), t)
		}
		v.mappings(at, b.Topics)
	}
}

// upstream checks where the bridge goes and what for TLS stands beside it.
func (v checker) upstream(at string, b Bridge) {
	if !v.required(at+".address", b.Address, "[bridge]", "mqtts://broker.example.com:8883") {
		return
	}
	_, tls, err := b.Upstream()
	if err != nil {
		v.addf(at+".address", "[bridge] address %v", err)
		return
	}
	for _, f := range []struct{ key, value string }{{"ca_file", b.CAFile}, {"cert_file", b.CertFile}, {"key_file", b.KeyFile}} {
		if f.value != "" && !tls {
			v.addf(at+"."+f.key, "[bridge] %s needs TLS, but the address is %q; write mqtts://", f.key, b.Address)
		}
	}
	switch {
	case b.CertFile != "" && b.KeyFile == "":
		v.addf(at+".cert_file", "[bridge] cert_file needs a key_file beside it")
	case b.KeyFile != "" && b.CertFile == "":
		v.addf(at+".key_file", "[bridge] key_file needs a cert_file beside it")
	}
}

func (v checker) availability(at string, b Bridge) {
	if b.AvailabilityTopic == "" {
		return
	}
	path, name := at+".availability_topic", b.AvailabilityAt("node")
	if err := topic.ValidName(name); err != nil {
		v.addf(path, "[bridge] availability_topic = %q: %v", b.AvailabilityTopic, err)
	} else if strings.ContainsAny(name, "{}") {
		v.addf(path, "[bridge] availability_topic = %q: only {node} and {bridge} are replaced", b.AvailabilityTopic)
	}
}

func (v checker) bridgeTopic(at string, t BridgeTopic) {
	const table = "[bridge.topic]"
	v.oneOf(at+".direction", t.Direction, Directions)
	v.number(at+".qos", int(t.QoS), 0, 2)
	for _, p := range []struct{ key, value string }{{"local_prefix", t.LocalPrefix}, {"remote_prefix", t.RemotePrefix}} {
		if strings.ContainsAny(p.value, "+#") {
			v.addf(at+"."+p.key, "%s %s = %q holds a wildcard; wildcards belong into the filter", table, p.key, p.value)
			return
		}
	}
	if t.Filter == "" && (t.LocalPrefix == "" || t.RemotePrefix == "") {
		v.required(at+".filter", t.Filter, table, "sensors/#") // without one, both prefixes are a whole topic
		return
	}
	for _, f := range []struct{ where, filter string }{{"here", t.Local()}, {"at the other broker", t.Remote()}} {
		if err := topic.ValidFilter(f.filter); err != nil {
			v.addf(at+".filter", "%s filter = %q: %s it would be %q, and %v", table, t.Filter, f.where, f.filter, err)
			return
		}
	}
}

// mappings refuses two lines that join the same local filter to the same remote filter. Both in one direction carry each
// message twice; one in and one out are a loop in two lines, which is what "both" is for and guards against.
func (v checker) mappings(at string, lines []BridgeTopic) {
	first := map[[2]string]int{}
	for i, t := range lines {
		key := [2]string{t.Local(), t.Remote()}
		j, twice := first[key]
		if !twice {
			first[key] = i
			continue
		}
		path, where := element(at+".topic", i)+".filter", v.onLine(element(at+".topic", j)+".filter")
		if t.Out() && lines[j].Out() || t.In() && lines[j].In() {
			v.addf(path, "[bridge.topic] filter = %q would carry each message twice: the topic%s joins the same filters", t.Filter, where)
		} else {
			v.addf(path, `[bridge.topic] filter = %q would bring back what the topic%s carries; write one topic with direction = "both"`, t.Filter, where)
		}
	}
}
