package mqttsn

import "fmt"

// ProtocolID12 is the only value that MQTT-SN 1.2 gives to ProtocolId (§5.3.8).
const ProtocolID12 = 0x01

// Connect opens a connection, or brings a sleeping client back to active (§5.4.4).
type Connect struct {
	Will         bool // the gateway is to ask for will topic and will message
	CleanSession bool
	ProtocolID   uint8  // ProtocolID12
	Duration     uint16 // keep-alive in seconds, 0 = none
	ClientID     string // 1 to 23 octets by the rule; the codec takes any
}

func parseConnect(body []byte) (Connect, error) {
	if err := atLeast(body, 4); err != nil {
		return Connect{}, err
	}
	f := flags(body[0])
	return Connect{Will: f.has(flagWill), CleanSession: f.has(flagClean), ProtocolID: body[1],
		Duration: get16(body[2:]), ClientID: string(body[4:])}, nil
}

// Type returns TypeConnect.
func (Connect) Type() Type { return TypeConnect }

// Append appends the message.
func (p Connect) Append(b []byte) []byte {
	b, ok := appendHeader(b, TypeConnect, 4+len(p.ClientID))
	if !ok {
		return b
	}
	f := flags(0).with(flagWill, p.Will).with(flagClean, p.CleanSession)
	b = put16(append(b, byte(f), p.ProtocolID), p.Duration)
	return append(b, p.ClientID...)
}

func (p Connect) String() string {
	s := fmt.Sprintf("CONNECT id=%s clean=%t", name(p.ClientID), p.CleanSession) + word(" will", p.Will) + fmt.Sprintf(" duration=%d", p.Duration)
	if p.ProtocolID != ProtocolID12 {
		s += fmt.Sprintf(" protocol=%d", p.ProtocolID)
	}
	return s
}

// Connack answers CONNECT (§5.4.5).
type Connack struct{ Code ReturnCode }

func parseConnack(body []byte) (Connack, error) {
	if err := exactly(body, 1); err != nil {
		return Connack{}, err
	}
	return Connack{Code: ReturnCode(body[0])}, nil
}

// Type returns TypeConnack.
func (Connack) Type() Type { return TypeConnack }

// Append appends 3 octets.
func (p Connack) Append(b []byte) []byte { return appendCode(b, TypeConnack, p.Code) }

func (p Connack) String() string { return "CONNACK " + p.Code.String() }

// Disconnect ends a connection, announces sleep, or acknowledges either (§5.4.21).
type Disconnect struct {
	HasDuration bool   // sent by clients only: I go to sleep
	Duration    uint16 // seconds until the next PINGREQ or CONNECT
}

func parseDisconnect(body []byte) (Disconnect, error) {
	if len(body) == 0 {
		return Disconnect{}, nil
	}
	if err := exactly(body, 2); err != nil {
		return Disconnect{}, err
	}
	return Disconnect{HasDuration: true, Duration: get16(body)}, nil
}

// Type returns TypeDisconnect.
func (Disconnect) Type() Type { return TypeDisconnect }

// Append appends 2 octets, or 4 with a duration.
func (p Disconnect) Append(b []byte) []byte {
	if !p.HasDuration {
		b, _ = appendHeader(b, TypeDisconnect, 0)
		return b
	}
	b, _ = appendHeader(b, TypeDisconnect, 2)
	return put16(b, p.Duration)
}

func (p Disconnect) String() string {
	if !p.HasDuration {
		return "DISCONNECT"
	}
	return fmt.Sprintf("DISCONNECT duration=%d", p.Duration)
}

// appendCode appends a message whose body is a return code.
func appendCode(b []byte, t Type, c ReturnCode) []byte {
	b, _ = appendHeader(b, t, 1)
	return append(b, byte(c))
}
