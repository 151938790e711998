package config

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Describe prints what a valid configuration would run and who could reach it, a line each, for people. It shows no
// password. The error is the writer's.
func (c *Config) Describe(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	p := printer{tw: tw, node: c.Node.Name()}
	p.row("node", p.node)
	p.row("log", c.Log.Level+" and worse, as "+c.Log.Format)
	p.store(c)
	for _, l := range c.Listeners {
		p.row("listener", "MQTT over "+l.Type, l.Address, c.Who(l))
	}
	for _, l := range c.Links {
		p.link(l, c.WhoOnLink(l))
	}
	if len(c.Listeners) == 0 && len(c.Links) == 0 {
		p.row("listener", "none: only bridges bring messages in")
	}
	if len(c.Links) > 0 {
		p.gateway(c.Gateway)
	}
	for _, b := range c.Bridges {
		p.bridge(b)
	}
	if c.HTTP.Address == "" {
		p.row("http", "off")
	} else {
		what := "/metrics and /healthz"
		if c.HTTP.Status {
			what = "/metrics, /healthz and /status"
		}
		p.row("http", what, c.HTTP.Address, reachedBy(c.HTTP.Address)+" without a password")
	}
	return tw.Flush()
}

// printer writes rows of cells. The tab writer keeps its error until Flush.
type printer struct {
	tw   *tabwriter.Writer
	node string
}

func (p printer) row(cells ...string) { fmt.Fprintln(p.tw, strings.Join(cells, "\t")) }

func (p printer) store(c *Config) {
	if c.Node.DataDir == "" {
		p.row("store", "in memory: a restart forgets everything")
		return
	}
	commits := "every acknowledged message is synced first"
	if d := c.Store.CommitInterval; d.Duration > 0 {
		commits += fmt.Sprintf(", together with others for up to %s", d)
	}
	p.row("store", "in "+c.Node.DataDir, commits, "retained values at QoS 0 every "+c.Store.RetainedInterval.String(), "when damaged: "+c.Store.OnDamage)
}

// reachedBy says who can reach a network address.
func reachedBy(address string) string {
	if loopback(address) {
		return "this machine only,"
	}
	return "whoever reaches this machine,"
}

func (p printer) link(l Link, who string) {
	retries := fmt.Sprintf("repeats %d times, every %s", l.RetryCount, l.RetryInterval)
	if l.DutyCycle < 100 {
		retries += fmt.Sprintf("; sends %v %% of the time", l.DutyCycle)
	}
	switch l.Type {
	case "serial":
		p.row("link "+l.Name, "MQTT-SN over serial", fmt.Sprintf("%s, %d baud, %s", l.Ports(), l.Speed(), l.Framing), who+"; "+retries)
	case "xbee":
		p.row("link "+l.Name, "MQTT-SN over XBee", fmt.Sprintf("%s, %d baud, %s", l.Device, l.Speed(), network(l.Network)), who+"; "+retries)
	default:
		address := l.Address
		if len(l.Groups) > 0 {
			address += " and groups " + strings.Join(l.Groups, ", ")
		}
		p.row("link "+l.Name, "MQTT-SN over "+l.Type, address, who+"; "+retries)
	}
}

func network(name string) string {
	if name == "auto" {
		return "as the radio says"
	}
	return name
}

func (p printer) gateway(g Gateway) {
	what := []string{fmt.Sprintf("id %d", g.ID), "advertises itself every " + g.AdvertiseInterval.String()}
	if g.AdvertiseInterval.Duration == 0 {
		what[1] = "answers searches only"
	}
	if g.AdvertiseBridged {
		what[1] += " while every bridge is connected"
	}
	if g.QoSMinusOne {
		what = append(what, "takes QoS -1 from anyone on its links")
		if g.QoSMinusOneInline {
			what[2] += ", also with the name inside"
		}
	} else {
		what = append(what, "drops QoS -1")
	}
	p.row("gateway", strings.Join(what, ", "))
	for _, t := range g.Predefined {
		client := "client " + t.Client
		if t.Client == "*" {
			client = "every client"
		}
		if t.Link != "*" {
			client += " on link " + t.Link
		}
		p.row("", fmt.Sprintf("topic id %d = %s", t.ID, t.Topic), client)
	}
}

func (p printer) bridge(b Bridge) {
	hostPort, tls, err := b.Upstream()
	if err != nil {
		hostPort = hideUser(b.Address)
	}
	how := "not encrypted"
	if tls {
		how = "TLS"
	}
	if b.CertFile != "" {
		how += " with client certificate"
	}
	who := fmt.Sprintf("as client %q", b.ClientIDAt(p.node))
	if b.Username != "" {
		who += fmt.Sprintf(", user %q", b.Username)
	}
	p.row("bridge "+b.Name, "to "+hostPort, how, who)
	for _, t := range b.Topics {
		p.bridgeTopic(t)
	}
	if state := b.AvailabilityAt(p.node); state != "" {
		p.row("", "its own state", "→ "+state, "retained")
	}
}

// bridgeTopic writes one line for each direction: local filter, arrow, remote filter.
func (p printer) bridgeTopic(t BridgeTopic) {
	qos := fmt.Sprintf("QoS %d at most", t.QoS)
	if t.Out() {
		p.row("", t.Local(), "→ "+t.Remote(), qos)
	}
	if t.In() {
		p.row("", t.Local(), "← "+t.Remote(), qos)
	}
}
