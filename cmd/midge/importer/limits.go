package importer

import (
	"time"

	"midge/cmd/midge/config"
)

// onEvery is for bounds of all listeners, which Midge has in each.
type onEvery struct {
	maxPacketSize int // octets; 0 = not written
	maxKeepalive  int // seconds; 0 = not written
}

func maxPacketSize(c *conf, _ *cursor, d directive) {
	if n, ok := c.number(d, 20, 1<<31-1); ok {
		c.every.maxPacketSize = n
	}
}

func maxKeepalive(c *conf, _ *cursor, d directive) {
	if n, ok := c.number(d, 0, 65535); ok {
		c.every.maxKeepalive = n
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
}

// seconds is a span as Midge writes it.
func seconds(n int) string { return config.Duration{Duration: time.Duration(n) * time.Second}.String() }

func sysInterval(c *conf, _ *cursor, d directive) {
	if n, ok := c.number(d, 0, 65535); ok {
		c.node.set("sys_interval", seconds(n))
	}
}

// maxInflight holds for clients and for bridges.
func maxInflight(c *conf, _ *cursor, d directive) {
	n, ok := c.number(d, anyLess, 65535)
	if !ok {
		return
	}
	if n <= 0 {
		n = 65535
	}
	c.inflight = n
}
