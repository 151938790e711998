package listener

import (
	"fmt"

	"midge/broker/mqtt"
)

// explaining is which of our refusals an MQTT 5 client gets a Reason String with (§3.1.2.11.7).
type explaining uint8

const (
	never     explaining = iota // MQTT 3, or Request Problem Information is 0
	byDefault                   // the client does not say: what depends on the server's settings and state, but not what is wrong with its packets
	always                      // Request Problem Information is 1
)

func explainingTo(p *mqtt.Connect) explaining {
	switch {
	case p.Version != mqtt.V5 || p.Props.Has(mqtt.PropRequestProblemInfo) && p.Props.RequestProblemInfo == 0:
		return never
	case p.Props.Has(mqtt.PropRequestProblemInfo):
		return always
	}
	return byDefault
}

// reasonTexts say in words what is refused for the server's sake, where nobody knows better.
var reasonTexts = map[mqtt.ReasonCode]string{
	mqtt.NotAuthorized:        "the access rules do not allow it",
	mqtt.QuotaExceeded:        "the server's queues or its disk are full",
	mqtt.SessionTakenOver:     "another connection uses the client identifier",
	mqtt.ServerShuttingDown:   "the server is shutting down",
	mqtt.AdministrativeAction: "the server's operator has ended the connection",
	mqtt.PayloadFormatInvalid: "the payload is not the UTF-8 text that it claims to be",
}

// explain returns a refusal's properties: the Reason String, or nil.
func (c *conn) explain(r mqtt.ReasonCode, text string) *mqtt.Properties {
	switch r {
	case mqtt.MalformedPacket, mqtt.ProtocolError, mqtt.UnsupportedProtocolVersion, mqtt.ClientIdentifierNotValid, mqtt.BadAuthenticationMethod, mqtt.TopicAliasInvalid:
		if c.explains != always {
			return nil
		}
	}
	if text == "" {
		text = reasonTexts[r]
	}
	if c.explains == never || !r.Failed() || text == "" {
		return nil
	}
	p := &mqtt.Properties{ReasonString: text}
	p.Mark(mqtt.PropReasonString)
	return p
}

// fitting returns the packet with its properties or, when the client does not take one of that size, without: "The Server MUST NOT send this property if it
// would increase the size of the … packet beyond the Maximum Packet Size" [MQTT-3.2.2-19], [MQTT-3.4.2-2], [MQTT-3.9.2-1], [MQTT-3.14.2-3].
func (c *conn) fitting(p *mqtt.Properties, appendTo func(p *mqtt.Properties) []byte) []byte {
	b := appendTo(p)
	if p != nil && c.packetMax != 0 && len(b) > int(c.packetMax) {
		return appendTo(nil)
	}
	return b
}

// ackPacket is an acknowledgement with its reason in words.
func (c *conn) ackPacket(t mqtt.PacketType, id uint16, r mqtt.ReasonCode) []byte {
	return c.fitting(c.explain(r, ""), func(p *mqtt.Properties) []byte {
		ack := mqtt.Ack{Type: t, ID: id, Reason: r, Props: p}
		return ack.Append(nil, c.version)
	})
}

// subackPacket is SUBACK; in words is why the first of the filters that are refused is. What the access rules refuse gets 0x80 and not 0x87: Eclipse Paho's
// test client knows no other refusal, as in MQTT 3.1.1. It changes codes.
func (c *conn) subackPacket(id uint16, codes []mqtt.ReasonCode) []byte {
	var props *mqtt.Properties
	for i, r := range codes {
		if r.Failed() {
			text := reasonTexts[r]
			if r == mqtt.QuotaExceeded {
				text = "there are too many subscriptions or retained messages"
			}
			props = c.explain(r, fmt.Sprintf("filter %d: %s", i+1, text))
			break
		}
	}
	for i, r := range codes {
		if r == mqtt.NotAuthorized {
			codes[i] = mqtt.UnspecifiedError
		}
	}
	return c.fitting(props, func(p *mqtt.Properties) []byte {
		ack := mqtt.Suback{ID: id, Codes: codes, Props: p}
		return ack.Append(nil, c.version)
	})
}

// connackPacket is a CONNACK that refuses. Why a log-in fails is for the log, not for whoever tries it.
func (c *conn) connackPacket(r mqtt.ReasonCode, text string) []byte {
	var props *mqtt.Properties
	switch r {
	case mqtt.NotAuthorized, mqtt.BadUserNameOrPassword, mqtt.Banned, mqtt.ServerBusy:
	default:
		props = c.explain(r, text)
	}
	return c.fitting(props, func(p *mqtt.Properties) []byte {
		ack := mqtt.Connack{Reason: r, Props: p}
		return ack.Append(nil, c.version)
	})
}

// disconnectPacket is the server's DISCONNECT.
func (c *conn) disconnectPacket(r mqtt.ReasonCode, text string) []byte {
	return c.fitting(c.explain(r, text), func(p *mqtt.Properties) []byte {
		d := mqtt.Disconnect{Reason: r, Props: p}
		return d.Append(nil, c.version)
	})
}
