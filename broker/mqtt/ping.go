package mqtt

// ParsePing checks a PINGREQ or PINGRESP packet, which has no body (MQTT 5 §3.12, §3.13).
func ParsePing(first byte, b []byte, v Version) error {
	c := body(first, b, v)
	return c.done()
}

// AppendPingreq appends a PINGREQ packet.
func AppendPingreq(b []byte) []byte { return append(b, byte(TypePingreq)<<4, 0) }

// AppendPingresp appends a PINGRESP packet.
func AppendPingresp(b []byte) []byte { return append(b, byte(TypePingresp)<<4, 0) }
