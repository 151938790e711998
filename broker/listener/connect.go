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
	c.server.traffic.connects.Add(1)
	p, err := mqtt.ParseConnect(h.First, body)
	if err != nil {
		return c.refuseFault(p.Version, err)
	}
	c.meet(&p)
	if reason := c.unacceptable(&p); reason != mqtt.Success {
		return c.refuse(reason, "CONNECT refused: "+reason.String())
	}
	return c.authenticate(&p)
}

// meet notes what the client takes and wants to be told.
func (c *conn) meet(p *mqtt.Connect) {
	c.version, c.bridge, c.explains = p.Version, p.Bridge, explainingTo(p)
	if p.Props.Has(mqtt.PropMaximumPacketSize) {
		c.packetMax = p.Props.MaximumPacketSize
	}
	if p.Props.Has(mqtt.PropTopicAliasMaximum) {
		// "The Server MUST NOT send a Topic Alias in a PUBLISH packet to the Client greater than Topic Alias Maximum" [MQTT-3.1.2-26]
		c.told.max = min(int(p.Props.TopicAliasMaximum), aliasesMax)
	}
}

func (c *conn) unacceptable(p *mqtt.Connect) mqtt.ReasonCode {
	switch w := p.Will; {
	case w != nil && c.policy.accepts(w.QoS, w.Retain) != mqtt.Success:
		// "If a Server receives a CONNECT packet containing a Will QoS that exceeds its capabilities, it MUST reject the connection request" [MQTT-3.2.2-12]
		return c.policy.accepts(w.QoS, w.Retain)
	case w != nil && topic.ValidName(w.Topic) != nil:
		return mqtt.TopicNameInvalid
	case w != nil && !c.wellFormed(w.Props, w.Payload):
		return mqtt.PayloadFormatInvalid
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
	c.send(func(b []byte) []byte { return append(b, c.connackPacket(r, text)...) })
	return fault
}

// accept opens the session of a client that may come in.
func (c *conn) accept(p *mqtt.Connect, id string, v *Verdict) error {
	now := time.Now()
	c.mount = topic.MountFor(c.policy.MountPoint, id, v.Username)
	o := broker.Options{ClientID: id, Username: v.Username, Access: c.policy.Auth.Access(v.Username, id), Protocol: Protocol, CleanStart: p.CleanStart, Waker: c, Wakes: c.wakes, PullBytes: pullBytes}
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
	}
	o.SessionExpiry = c.server.cfg.keep(o.SessionExpiry)
	o.Will = c.will(now, p.Will)
	session, present, err := c.server.broker.Open(now, o)
	if err != nil {
		return c.refuse(mqtt.QuotaExceeded, "CONNECT refused: "+err.Error())
	}
	ack := mqtt.Connack{SessionPresent: present && !p.CleanStart, Props: c.properties(p, o.ClientID)}
	if e := session.Expiry(); e != o.SessionExpiry && ack.Props != nil {
		ack.Props.SessionExpiry = e // "The Server uses this property to inform the Client that it is using a value other than that sent" (MQTT 5 §3.2.2.3.2)
		ack.Props.Mark(mqtt.PropSessionExpiry)
	}
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
	c.keepAlive = time.Duration(c.keepAliveFor(p)) * time.Second * 3 / 2
	c.lastRead = now
	c.server.log.Info("client connected", "client", o.ClientID, "user", v.Username, "peer", c.peer, "version", c.version, "clean", p.CleanStart)
	return nil
}

func (c *conn) will(now time.Time, w *mqtt.Will) *broker.Will {
	if w == nil {
		return nil
	}
	m := &broker.Message{Topic: c.mount.Name(w.Topic), Payload: w.Payload, QoS: w.QoS, Retain: w.Retain}
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

// keepAliveFor is the keep-alive in seconds that counts: the client's own, or the longest that is allowed, which the client is told.
func (c *conn) keepAliveFor(p *mqtt.Connect) uint16 {
	if limit := c.policy.MaxKeepAlive; limit > 0 && p.Version == mqtt.V5 && (p.KeepAlive == 0 || p.KeepAlive > limit) {
		return limit
	}
	return p.KeepAlive
}

// responseTopic is where answers to a client's requests may go: a branch of its own, as far as nobody else uses it. An access file keeps others out of it
// with «pattern read response/%c/#».
func responseTopic(id string) (string, bool) {
	return "response/" + id, !strings.ContainsAny(id, "+#/")
}

// properties tells an MQTT 5 client what the server does and does not do.
func (c *conn) properties(p *mqtt.Connect, id string) *mqtt.Properties {
	if p.Version != mqtt.V5 {
		return nil
	}
	props := &mqtt.Properties{TopicAliasMaximum: uint16(c.policy.TopicAliasMaximum), MaximumPacketSize: c.policy.MaximumPacketSize, ReceiveMaximum: c.policy.ReceiveMaximum}
	props.Mark(mqtt.PropTopicAliasMaximum)
	props.Mark(mqtt.PropMaximumPacketSize)
	props.Mark(mqtt.PropReceiveMaximum)
	if c.policy.QoSRefused > 0 {
		props.MaximumQoS = byte(c.policy.qosMax())
		props.Mark(mqtt.PropMaximumQoS)
	}
	if c.policy.RetainRefused {
		props.RetainAvailable = 0
		props.Mark(mqtt.PropRetainAvailable)
	}
	if c.enhanced != nil {
		c.enhanced.mark(props, c.enhanced.final)
		c.enhanced.final = nil
	}
	if p.ClientID == "" {
		props.AssignedClientID = id
		props.Mark(mqtt.PropAssignedClientID)
	}
	if p.Props.Has(mqtt.PropSessionExpiry) && c.server.cfg.keep(p.Props.SessionExpiry) != p.Props.SessionExpiry {
		props.SessionExpiry = c.server.cfg.keep(p.Props.SessionExpiry)
		props.Mark(mqtt.PropSessionExpiry)
	}
	if k := c.keepAliveFor(p); k != p.KeepAlive {
		props.ServerKeepAlive = k
		props.Mark(mqtt.PropServerKeepAlive)
	}
	if name, ok := responseTopic(id); ok && c.policy.ResponseInformation && p.Props.Has(mqtt.PropRequestResponseInfo) && p.Props.RequestResponseInfo == 1 {
		props.ResponseInfo = name
		props.Mark(mqtt.PropResponseInfo)
	}
	return props
}
