package mqttsn

import (
	"bytes"
	"fmt"
)

// MethodPlain is the SASL mechanism PLAIN (RFC 4616), the only one that is in use with [Auth].
const MethodPlain = "PLAIN"

// Auth carries a user name and a password right after CONNECT. MQTT-SN 1.2 has no such message: it is an extension after a draft
// of version 2.0, in the form in which bisquitt and its clients use it, on a type that 1.2 reserves. Its text does not show Data.
type Auth struct {
	Reason uint8  // 0 from clients
	Method string // at most 255 octets; MethodPlain
	Data   []byte // for MethodPlain: authorization identity, 0, user name, 0, password
}

// authFixed is the size of Reason and of the length of Method.
const authFixed = 2

// PlainAuth is the AUTH of a user with a password.
func PlainAuth(user, password string) Auth {
	return Auth{Method: MethodPlain, Data: []byte("\x00" + user + "\x00" + password)}
}

func parseAuth(body []byte) (Auth, error) {
	if err := atLeast(body, authFixed); err != nil {
		return Auth{}, err
	}
	method := int(body[1])
	if err := atLeast(body, authFixed+method); err != nil {
		return Auth{}, err
	}
	return Auth{Reason: body[0], Method: string(body[authFixed : authFixed+method]), Data: rest(body[authFixed+method:])}, nil
}

// Plain returns what the method PLAIN says; ok is false when the message is of another method, or malformed. Who the client wants to act as
// is not asked: it acts as itself. password aliases p.Data.
func (p Auth) Plain() (user string, password []byte, ok bool) {
	parts := bytes.Split(p.Data, []byte{0})
	if p.Method != MethodPlain || len(parts) != 3 || len(parts[1]) == 0 {
		return "", nil, false
	}
	return string(parts[1]), parts[2], true
}

// Type returns TypeAuth.
func (Auth) Type() Type { return TypeAuth }

// Append appends the message. A Method that does not fit appends nothing.
func (p Auth) Append(b []byte) []byte {
	if len(p.Method) > 0xFF {
		return b
	}
	b, ok := appendHeader(b, TypeAuth, authFixed+len(p.Method)+len(p.Data))
	if !ok {
		return b
	}
	b = append(b, p.Reason, byte(len(p.Method)))
	return append(append(b, p.Method...), p.Data...)
}

func (p Auth) String() string {
	return fmt.Sprintf("AUTH reason=%d method=%s %d bytes", p.Reason, name(p.Method), len(p.Data))
}
