package listener

import "sync/atomic"

// traffic counts what all connections have carried, since the start. It is added to once a read and once a write.
type traffic struct {
	sockets, connects                        atomic.Uint64
	packetsIn, packetsOut, bytesIn, bytesOut atomic.Uint64
}

// came counts packets that were taken in.
func (t *traffic) came(packets, octets int) {
	if packets > 0 {
		t.packetsIn.Add(uint64(packets))
		t.bytesIn.Add(uint64(octets))
	}
}

// Traffic is what the connections of a Server have carried since its start.
type Traffic struct {
	Sockets    uint64 // connections that were opened
	Connects   uint64 // CONNECT packets
	PacketsIn  uint64 // of any type
	PacketsOut uint64
	BytesIn    uint64 // octets of packets, without what TLS, WebSocket and TCP add
	BytesOut   uint64
}

// Traffic returns what has been carried so far.
func (s *Server) Traffic() Traffic {
	t := &s.traffic
	return Traffic{Sockets: t.sockets.Load(), Connects: t.connects.Load(), PacketsIn: t.packetsIn.Load(), PacketsOut: t.packetsOut.Load(),
		BytesIn: t.bytesIn.Load(), BytesOut: t.bytesOut.Load()}
}
