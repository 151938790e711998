package mqtt

// Connack is the CONNACK packet (MQTT 5 §3.2).
type Connack struct {
	SessionPresent bool
	Reason         ReasonCode // in MQTT 3 the return code's equivalent, see ConnackCode
	Props          *Properties
}

// ParseConnack reads a CONNACK packet. An MQTT 3 server that cannot speak the version may answer in another one; v is the
// version of the CONNECT. Session Present beside a refusal means nothing and reads as false.
func ParseConnack(first byte, b []byte, v Version) (Connack, error) {
	c := body(first, b, v)
	flags := c.octet("acknowledge flags")
	code := c.octet("reason code")
	p := Connack{SessionPresent: flags&1 != 0 && code == 0 && v != V31, Reason: ReasonCode(code)}
	// "Bits 7-1 are reserved and MUST be set to 0" [MQTT-3.2.2-1]
	if flags > 1 && v != V31 {
		c.fail(MalformedPacket, "reserved acknowledge flags are set")
	}
	if v == V5 {
		p.Props = c.properties(TypeConnack)
		return p, c.done()
	}
	var ok bool
	if p.Reason, ok = ConnackReason(code); !ok {
		c.fail(ProtocolError, "return code is not in 0 to 5")
	}
	return p, c.done()
}

// Append appends the packet.
func (p *Connack) Append(b []byte, v Version) []byte {
	flags := byte(0)
	// "If a server sends a CONNACK packet containing a non-zero return code it MUST set Session Present to 0" [MQTT-3.2.2-6]
	if p.SessionPresent && p.Reason == Success && v != V31 {
		flags = 1
	}
	if v != V5 {
		return append(b, byte(TypeConnack)<<4, 2, flags, ConnackCode(v, p.Reason))
	}
	b = appendHeader(b, byte(TypeConnack)<<4, 2+propertiesSize(p.Props, TypeConnack))
	return AppendProperties(append(b, flags, byte(p.Reason)), p.Props, TypeConnack)
}

// connackReasons are the reasons of the return codes of MQTT 3.1.1 table 3.1, by code.
var connackReasons = [...]ReasonCode{
	Success, UnsupportedProtocolVersion, ClientIdentifierNotValid, ServerUnavailable, BadUserNameOrPassword, NotAuthorized,
}

// HasConnackCode reports whether the version has a CONNACK for the reason. Where it has none, "the Server MUST close the Network Connection without
// sending a CONNACK" [MQTT-3.2.2-6 of 3.1.1].
func HasConnackCode(v Version, r ReasonCode) bool {
	switch r {
	case ServerUnavailable, ServerBusy, ServerShuttingDown, QuotaExceeded, ConnectionRateExceeded, UseAnotherServer, ServerMoved:
		return true
	}
	return v == V5 || ConnackCode(v, r) != 3
}

// ConnackCode is the second octet of a CONNACK: in MQTT 5 the reason itself, in MQTT 3 the nearest of the return codes 0 to 5. For what has none
// (see HasConnackCode) it is 3, server unavailable, after which a client may try again.
func ConnackCode(v Version, r ReasonCode) uint8 {
	if v == V5 {
		return uint8(r)
	}
	switch r {
	case Success:
		return 0
	case UnsupportedProtocolVersion:
		return 1
	case ClientIdentifierNotValid:
		return 2
	case BadUserNameOrPassword:
		return 4
	case NotAuthorized, Banned, BadAuthenticationMethod:
		return 5
	}
	return 3
}

// ConnackReason is the reason that an MQTT 3 return code stands for, and whether there is such a code.
func ConnackReason(code uint8) (ReasonCode, bool) {
	if int(code) < len(connackReasons) {
		return connackReasons[code], true
	}
	return UnspecifiedError, false
}
