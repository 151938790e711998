// Package mqtt is the MQTT codec, for versions 3.1, 3.1.1 and 5 and for both directions, and the vocabulary
// (QoS, ReasonCode, Properties) that the broker's core shares with it.
//
// # What it is
//
// Pure functions over octets: no goroutine, no I/O, no clock, the standard library only. ParseHeader finds the packets in
// whatever a read returned; one Parse function per packet turns the body into a value; one Append per packet is its inverse.
// A packet is one file, parse and Append side by side. The server and the client direction use the same functions.
//
//	for {
//		h, err := mqtt.ParseHeader(buf)
//		if err != nil || len(buf) < h.Total() { … } // ErrIncomplete: read on
//		body := buf[h.Size:h.Total()]
//		switch h.Type() { case mqtt.TypePublish: p, err := mqtt.ParsePublish(h.First, body, version) … }
//		buf = buf[h.Total():]
//	}
//
// # Lifetimes
//
// ParsePublish copies nothing: Topic and Payload are parts of the body and live as long as it does. Everything else that
// a Parse function returns, all of Properties included, owns its memory. No decoder allocates more than a small multiple of
// its input. ParsePublish, ParseAck, Delivery.Append and AppendAck allocate nothing when no properties are present;
// appending allocates only when the destination is too small.
//
// # Errors
//
// Every parse error is an *Error: the reason code that MQTT 5 has for it, one sentence for the log, and whether the peer is
// to be told. A packet that was refused is not resumed: the connection ends. Where the specification leaves the choice between
// 0x81 and 0x82 open, or servers read it otherwise, the code is the one that Eclipse Mosquitto 2.1's packet sequences expect:
//
//   - whatever is wrong with SUBSCRIBE and UNSUBSCRIBE makes them a Malformed Packet (0x81), though the specification calls a
//     Subscription Identifier of 0, QoS 3 and Retain Handling 3 a Protocol Error (§3.8.2.1.2, §3.8.3.1);
//   - elsewhere a property that does not belong into the packet is a Protocol Error (0x82), though §2.2.2.2 has 0x81 for it;
//     propertyDecoder.propertyFault is the one place that decides;
//   - an empty topic without an alias is Malformed, though §3.3.2.1 reads Protocol Error;
//   - control characters and non-characters in UTF-8 strings are refused, which §1.5.4 allows ("MAY").
//
// # What it does not do
//
// Topic syntax (wildcards, $share) belongs to broker/topic; here a topic name or filter is valid, non-empty UTF-8. What depends on
// the state of a connection (a second CONNECT, a Subscription Identifier from a client, quotas, an alias that was never set) belongs to the listener.
// In MQTT 3.1, which has no conformance clauses, unused flag bits are ignored.
package mqtt
