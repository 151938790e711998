package listener

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/broker/topic"
)

// connect handles the first packet: "After a Network Connection is established by a Client to a Server, the first packet sent from
// the Client to the Server MUST be a CONNECT packet" [MQTT-3.1.0-1].
func (c *conn) connect(h mqtt.Header, body []byte) error {
	if h.Type() != mqtt.TypeConnect {
		return &mqtt.Error{Reason: mqtt.ProtocolError, Silent: true, Text: "first packet is " + h.Type().String() + ", not CONNECT"}
	}
	p, err := mqtt.ParseConnect(h.First, body)
	if err != nil {
		return c.refuseFault(p.Version, err)
	}
	c.version, c.bridge = p.Version, p.Bridge
	if reason := c.unacceptable(&p); reason != mqtt.Success {
		return c.refuse(reason, "CONNECT refused: "+reason.String())
	}
	return c.authenticate(&p)
}

func (c *conn) unacceptable(p *mqtt.Connect) mqtt.ReasonCode {
	switch w := p.Will; {
	case p.Props.Has(mqtt.PropAuthMethod):
		return mqtt.BadAuthenticationMethod
	case w != nil && topic.ValidName(w.Topic) != nil:
		return mqtt.TopicNameInvalid
	case strings.HasPrefix(p.ClientID, "$"):
		return mqtt.ClientIdentifierNotValid // these are Midge's own: bridges and the like
	}
	return mqtt.Success
}

// refuseFault answers a CONNECT that cannot be parsed, when enough of it could be read to know how.
func (c *conn) refuseFault(v mqtt.Version, err error) error {
	var fault *mqtt.Error
	if !errors.As(err, &fault) || fault.Silent {
		return err
	}
	if v == 0 {
		v = mqtt.V5 // a level that we do not know: "The Server … MAY send a CONNACK packet with Reason Code 0x84" [MQTT-3.1.2-2]
	}
	c.version = v
	return c.refuse(fault.Reason, fault.Text)
}

// refuse sends CONNACK with a reason, where the version has one for it, and ends the connection.
func (c *conn) refuse(r mqtt.ReasonCode, text string) error {
	fault := &mqtt.Error{Reason: r, Silent: true, Text: text}
	if !mqtt.HasConnackCode(c.version, r) {
		return fault
	}
	ack := mqtt.Connack{Reason: r}
	c.send(func(b []byte) []byte { return ack.Append(b, c.version) })
	return fault
}

// accept opens the session of a client that may come in.
func (c *conn) accept(p *mqtt.Connect, id string, v *Verdict) error {
	now := time.Now()
	o := broker.Options{ClientID: id, Username: v.Username, Access: v.Access, Protocol: Protocol, CleanStart: p.CleanStart, Waker: c, Wakes: c.wakes, PullBytes: pullBytes}
	switch {
	case p.Version != mqtt.V5 && !p.CleanStart:
		o.SessionExpiry = broker.Never
	case p.Version == mqtt.V5:
		if p.Props.Has(mqtt.PropSessionExpiry) {
			o.SessionExpiry = p.Props.SessionExpiry
		}
		if p.Props.Has(mqtt.PropReceiveMaximum) {
			o.ReceiveMaximum = p.Props.ReceiveMaximum
		}
		if p.Props.Has(mqtt.PropMaximumPacketSize) {
			c.packetMax = p.Props.MaximumPacketSize
		}
	}
	o.Will = c.will(now, p.Will)
	session, present, err := c.server.broker.Open(now, o)
	if err != nil {
		return c.refuse(mqtt.QuotaExceeded, "CONNECT refused: "+err.Error())
	}
	ack := mqtt.Connack{SessionPresent: present && !p.CleanStart, Props: c.properties(p, o.ClientID)}
	hello := ack.Append(nil, c.version)
	if c.packetMax != 0 && len(hello) > int(c.packetMax) {
		session.Close(now, broker.Closing{})
		return &mqtt.Error{Reason: mqtt.PacketTooLarge, Silent: true, Text: "CONNACK is larger than the client's maximum packet size"}
	}
	// CONNACK waits until the will is safe, and what the session was before is gone. A delivery may have started the pump already: CONNACK goes first.
	c.amu.Lock()
	c.session, c.expires = session, o.SessionExpiry > 0
	kept := *v // and not the CONNECT that stands beside it
	c.verdict = &kept
	err = session.Greet(hello)
	c.amu.Unlock()
	if err != nil {
		return err
	}
	c.keepAlive = time.Duration(p.KeepAlive) * time.Second * 3 / 2
	c.lastRead = now
	c.server.log.Debug("client connected", "client", o.ClientID, "user", v.Username, "peer", c.peer, "version", c.version, "clean", p.CleanStart)
	return nil
}

func (c *conn) will(now time.Time, w *mqtt.Will) *broker.Will {
	if w == nil {
		return nil
	}
	m := &broker.Message{Topic: w.Topic, Payload: w.Payload, QoS: w.QoS, Retain: w.Retain}
	will := &broker.Will{Message: m}
	if w.Props != nil {
		setProperties(m, now, w.Props)
		if w.Props.Has(mqtt.PropMessageExpiry) { // it begins when the will is published
			m.Expires, will.Expiry = time.Time{}, time.Duration(w.Props.MessageExpiry)*time.Second
		}
		if w.Props.Has(mqtt.PropWillDelay) {
			will.Delay = time.Duration(w.Props.WillDelay) * time.Second
		}
	}
	return will
}

// messageProperties are those that belong to the message and not to one hop or to the will.
const messageProperties = 1<<mqtt.PropPayloadFormat | 1<<mqtt.PropContentType | 1<<mqtt.PropResponseTopic |
	1<<mqtt.PropCorrelationData | 1<<mqtt.PropUserProperty

func setProperties(m *broker.Message, now time.Time, p *mqtt.Properties) {
	if p.Has(mqtt.PropMessageExpiry) {
		m.Expires = now.Add(time.Duration(p.MessageExpiry) * time.Second)
	}
	if p.Present&messageProperties != 0 {
		kept := *p
		kept.Present &= messageProperties
		m.Properties = &kept
	}
}

// assignID invents a client id: unlike any that this server, or one before its restart, has given.
func (s *Server) assignID(now time.Time) string {
	return fmt.Sprintf("auto-%x-%d", now.UnixNano(), s.assigned.Add(1))
}

// properties tells an MQTT 5 client what the server does and does not do.
func (c *conn) properties(p *mqtt.Connect, id string) *mqtt.Properties {
	if p.Version != mqtt.V5 {
		return nil
	}
	props := &mqtt.Properties{TopicAliasMaximum: c.policy.TopicAliasMaximum, MaximumPacketSize: c.policy.MaximumPacketSize, ReceiveMaximum: c.policy.ReceiveMaximum}
	props.Mark(mqtt.PropTopicAliasMaximum)
	props.Mark(mqtt.PropMaximumPacketSize)
	props.Mark(mqtt.PropReceiveMaximum)
	props.Mark(mqtt.PropSharedAvailable) // 0: not yet
	if p.ClientID == "" {
		props.AssignedClientID = id
		props.Mark(mqtt.PropAssignedClientID)
	}
	return props
}
