package mqttsn

// Pingreq asks «are you alive?»; with a client id it says «I am awake, send what waits for me» (§5.4.19).
type Pingreq struct {
	ClientID string // only from a sleeping client
}

// Type returns TypePingreq.
func (Pingreq) Type() Type { return TypePingreq }

// Append appends the message.
func (p Pingreq) Append(b []byte) []byte {
	b, ok := appendHeader(b, TypePingreq, len(p.ClientID))
	if !ok {
		return b
	}
	return append(b, p.ClientID...)
}

func (p Pingreq) String() string {
	if p.ClientID == "" {
		return "PINGREQ"
	}
	return "PINGREQ id=" + name(p.ClientID)
}

// Pingresp says «yes, I am alive»; to a sleeping client also «nothing more waits for you» (§5.4.20).
type Pingresp struct{}

// Type returns TypePingresp.
func (Pingresp) Type() Type { return TypePingresp }

// Append appends 2 octets.
func (Pingresp) Append(b []byte) []byte {
	b, _ = appendHeader(b, TypePingresp, 0)
	return b
}

func (Pingresp) String() string { return "PINGRESP" }
