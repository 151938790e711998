package importer

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
