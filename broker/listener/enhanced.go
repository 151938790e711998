package listener

import (
	"time"

	"midge/broker/mqtt"
)

// Exchange is one enhanced authentication under way (MQTT 5 §4.12). The connection's reader alone uses it.
type Exchange interface {
	// Step takes the authentication data of the client's packet, empty when there is none. While v is nil the answer goes to the client in AUTH and its
	// next packet is awaited; else the exchange has ended, and when the client is let in the answer goes along. It does not block.
	Step(now time.Time, data []byte) (answer []byte, v *Verdict)
}

// enhanced is what a connection has that came in by a method.
type enhanced struct {
	method   string
	exchange Exchange // nil: none is under way
	entering *attempt // the CONNECT that it is about; nil: the client is in already
	final    []byte   // the server's data for CONNACK
}

// beginEnhanced starts the exchange that a CONNECT asks for. "If the Server does not support the Authentication Method supplied by the Client, it MAY send a CONNACK
// with a Reason Code of 0x8C" [MQTT-4.12.0-1].
func (c *conn) beginEnhanced(a *attempt) error {
	method := a.connect.Props.AuthMethod
	x := c.policy.Auth.Enhanced(method, c.login(a))
	if x == nil {
		return c.refuse(mqtt.BadAuthenticationMethod, "CONNECT refused: "+mqtt.BadAuthenticationMethod.String())
	}
	c.enhanced = &enhanced{method: method, exchange: x, entering: a}
	return c.step(a.connect.Props.AuthData)
}

// step hands the client's data to the exchange and sends what it answers.
func (c *conn) step(data []byte) error {
	e := c.enhanced
	answer, v := e.exchange.Step(time.Now(), data)
	if v == nil {
		// "The Server continues the authentication by sending an AUTH packet … with a Reason Code of 0x18" [MQTT-4.12.0-2]
		return c.sendAuth(mqtt.ContinueAuthentication, answer)
	}
	e.exchange = nil
	if a := e.entering; a != nil {
		e.entering, e.final, a.verdict = nil, answer, *v
		return c.conclude(a)
	}
	if v.Reason != mqtt.Success || v.Username != c.verdict.Username {
		// "If the re-authentication fails, the Client or Server SHOULD send DISCONNECT with an appropriate Reason Code … and MUST close the Network
		// Connection" [MQTT-4.12.1-2]
		return &mqtt.Error{Reason: mqtt.NotAuthorized, Text: "re-authentication failed"}
	}
	c.amu.Lock()
	c.verdict = v
	c.amu.Unlock()
	return c.sendAuth(mqtt.Success, answer)
}

// sendAuth sends AUTH. "all AUTH packets and any successful CONNACK packet MUST include an Authentication Method Property with the same value as in the
// CONNECT packet" [MQTT-4.12.0-5].
func (c *conn) sendAuth(r mqtt.ReasonCode, data []byte) error {
	p := mqtt.Auth{Reason: r, Props: new(mqtt.Properties)}
	c.enhanced.mark(p.Props, data)
	packet := p.Append(nil)
	if c.packetMax != 0 && len(packet) > int(c.packetMax) {
		return &mqtt.Error{Reason: mqtt.PacketTooLarge, Silent: c.session == nil, Text: "AUTH is larger than the client's maximum packet size"}
	}
	c.send(func(b []byte) []byte { return append(b, packet...) })
	return nil
}

// mark adds method and data to the properties of AUTH or CONNACK.
func (e *enhanced) mark(p *mqtt.Properties, data []byte) {
	p.AuthMethod = e.method
	p.Mark(mqtt.PropAuthMethod)
	if len(data) > 0 {
		p.AuthData = data
		p.Mark(mqtt.PropAuthData)
	}
}

// enter handles a packet of a client whose exchange has not ended. "If a Client sets an Authentication Method in the CONNECT, the Client MUST NOT send any packets other
// than AUTH or DISCONNECT packets until it has received a CONNACK packet" [MQTT-3.1.2-30].
func (c *conn) enter(h mqtt.Header, body []byte) error {
	switch h.Type() {
	case mqtt.TypeAuth:
		err := c.auth(h.First, body)
		if fault, ok := err.(*mqtt.Error); ok && c.session == nil && !fault.Silent {
			return c.refuse(fault.Reason, fault.Text)
		}
		return err
	case mqtt.TypeDisconnect:
		return errDone
	}
	return c.refuse(mqtt.ProtocolError, h.Type().String()+" before CONNACK")
}

// auth handles AUTH from a client that came in by a method, or is about to.
func (c *conn) auth(first byte, body []byte) error {
	p, err := mqtt.ParseAuth(first, body, c.version)
	if err != nil {
		return err
	}
	e := c.enhanced
	again := p.Reason == mqtt.ReAuthenticate
	switch {
	case !p.Props.Has(mqtt.PropAuthMethod) || p.Props.AuthMethod != e.method: // "MUST include an Authentication Method Property with the same value" [MQTT-4.12.0-5]
		return &mqtt.Error{Reason: mqtt.ProtocolError, Text: "AUTH: another authentication method than in CONNECT"}
	case p.Reason == mqtt.Success:
		return &mqtt.Error{Reason: mqtt.ProtocolError, Text: "AUTH: success is the server's word"}
	case again == (e.exchange != nil):
		return &mqtt.Error{Reason: mqtt.ProtocolError, Text: "AUTH: re-authentication in the middle of one, or its continuation without one"}
	}
	if again {
		a := &attempt{id: c.session.ClientID(), connect: mqtt.Connect{Username: c.verdict.Username, HasUsername: true}}
		if e.exchange = c.policy.Auth.Enhanced(e.method, c.login(a)); e.exchange == nil {
			return &mqtt.Error{Reason: mqtt.BadAuthenticationMethod, Text: "AUTH: the method is no longer offered"}
		}
	}
	return c.step(p.Props.AuthData)
}
