package mqtt

// Auth is the AUTH packet of MQTT 5 (§3.15).
type Auth struct {
	Reason ReasonCode // Success, ContinueAuthentication or ReAuthenticate
	Props  *Properties
}

// ParseAuth reads an AUTH packet. Whether one is expected now is for the caller to know.
func ParseAuth(first byte, b []byte, v Version) (Auth, error) {
	c := body(first, b, v)
	if v != V5 {
		c.fail(ProtocolError, "packet type 15 is reserved before MQTT 5")
	}
	var p Auth
	p.Reason, p.Props = c.reasonAndProperties()
	if p.Reason != Success && p.Reason != ContinueAuthentication && p.Reason != ReAuthenticate {
		// "The sender of the AUTH Packet MUST use one of the Authenticate Reason Codes" [MQTT-3.15.2-1]
		c.fail(ProtocolError, "reason code does not belong here")
	}
	return p, c.done()
}

// Append appends the packet.
func (p *Auth) Append(b []byte) []byte {
	return appendReasonAndProperties(b, TypeAuth, p.Reason, p.Props)
}
