package importer

import (
	"fmt"
	"math"
	"time"

	"midge/cmd/midge/config"
)

// onEvery is for bounds of all listeners, which Midge has in each.
type onEvery struct {
	maxPacketSize int // octets; 0 = not written
	maxKeepalive  int // seconds; 0 = not written
	inflight      int // messages; 0 = not written
	retainsNot    bool

	connections     int // of all listeners together; 0 = not written
	connectionsLine directive
}

func maxPacketSize(c *conf, _ *cursor, d directive) {
	if n, ok := c.number(d, 20, 1<<31-1); ok {
		c.every.maxPacketSize = min(n, 268_435_455) // the largest that MQTT has
	}
}

func maxKeepalive(c *conf, _ *cursor, d directive) {
	if n, ok := c.number(d, 0, 65535); ok {
		c.every.maxKeepalive = n
	}
}

func retainAvailable(c *conf, _ *cursor, d directive) {
	if on, ok := c.boolean(d); ok {
		c.every.retainsNot = !on
	}
}

// save writes the bounds that a listener has not of its own.
func (e onEvery) save(t *table) {
	if e.maxPacketSize != 0 {
		t.set("max_packet_size", e.maxPacketSize)
	}
	if e.maxKeepalive != 0 {
		t.set("max_keepalive", seconds(e.maxKeepalive))
	}
	if e.inflight != 0 {
		t.set("receive_maximum", e.inflight)
	}
	if e.retainsNot {
		t.set("retain_available", false)
	}
}

// seconds is a span as Midge writes it.
func seconds(n int) string { return config.Duration{Duration: time.Duration(n) * time.Second}.String() }

func sysInterval(c *conf, _ *cursor, d directive) {
	if n, ok := c.number(d, 0, 65535); ok {
		c.node.set("sys_interval", seconds(n))
	}
}

// maxInflight holds both ways, for clients and for bridges.
func maxInflight(c *conf, _ *cursor, d directive) {
	n, ok := c.number(d, anyLess, 65535)
	if !ok {
		return
	}
	if n <= 0 {
		n = 65535
	}
	c.every.inflight = n
	c.limits.set("inflight", n)
}

// queueMessages and queueBytes hold for every queue at Mosquitto's; Midge has a bound in memory and one on disk.
func queueMessages(c *conf, _ *cursor, d directive) {
	c.queue(d, 1, "queue_messages", "stored_messages")
}

func queueBytes(c *conf, _ *cursor, d directive) { c.queue(d, 1<<10, "queue_bytes", "stored_bytes") }

// queue sets bounds of queues, to no less than Midge takes.
func (c *conf) queue(d directive, least int, keys ...string) {
	n, ok := c.number(d, anyLess, 1<<31-1)
	switch {
	case !ok:
	case n <= 0:
		c.lose(d, "every queue has a bound; what Midge has without this line is more than a small box can hold")
	default:
		for _, key := range keys {
			c.limits.set(key, max(n, least))
		}
	}
}

func queueQoS0(c *conf, _ *cursor, d directive) {
	if on, ok := c.boolean(d); ok {
		c.limits.set("queue_qos0", on)
	}
}

// memoryLimit is of the whole heap at Mosquitto's.
func memoryLimit(c *conf, _ *cursor, d directive) {
	if n, ok := c.number(d, 0, math.MaxInt); ok && n > 0 {
		c.limits.set("total_bytes", max(n, 1<<20), "of messages that wait in memory; the process needs more")
	}
}

func globalClients(c *conf, _ *cursor, d directive) {
	if n, ok := c.number(d, anyLess, 1<<31-1); ok && n > 0 {
		c.limits.set("sessions", n)
	}
}

func persistentClientExpiration(c *conf, _ *cursor, d directive) {
	const most = 100 * 365 * 24 * time.Hour
	span, ok := parseSpan(d.first())
	switch {
	case !ok:
		c.wrong(d, fmt.Sprintf("%q is no number with s, h, d, w, m or y behind it", d.first()))
	case span <= most:
		c.limits.set("persistent_client_expiration", config.Duration{Duration: span}.String())
	}
}

// globalConnections is Mosquitto's bound of all listeners together. Midge has one for each.
func globalConnections(c *conf, _ *cursor, d directive) {
	if n, ok := c.number(d, anyLess, 1<<31-1); ok && n > 0 {
		c.every.connections, c.every.connectionsLine = n, d
	}
}

// saveConnections gives that bound to the listener, if there is only one.
func (c *conf) saveConnections(listeners []*table) {
	n := c.every.connections
	switch {
	case n == 0:
	case len(listeners) != 1:
		c.lose(c.every.connectionsLine, "each listener has a max_connections of its own")
	default:
		for _, e := range listeners[0].entries {
			if own, ok := e.value.(int); ok && e.key == "max_connections" {
				n = min(n, own)
			}
		}
		listeners[0].set("max_connections", n)
	}
}
