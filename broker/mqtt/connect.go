package mqtt

import "bytes"

// Connect is the CONNECT packet (MQTT 5 §3.1).
type Connect struct {
	Version Version
	// Bridge: the peer is a broker that marks itself by the upper bit of the protocol level, as Mosquitto's bridges do below
	// MQTT 5. It asks not to be sent its own messages and to see RETAIN as it was published. Not part of any specification.
	Bridge     bool
	CleanStart bool   // MQTT 3: Clean Session
	KeepAlive  uint16 // seconds, 0 off
	ClientID   string // "" asks the server for one
	Will       *Will  // nil without a will

	HasUsername bool
	HasPassword bool
	Username    string
	Password    []byte
	Props       *Properties
}

// Will is the message that the server publishes when the client is lost.
type Will struct {
	Topic   string
	Payload []byte
	QoS     QoS
	Retain  bool
	Props   *Properties
}

// The bits of the connect flags octet (MQTT 5 §3.1.2.3).
const (
	connectReserved   = 0x01
	connectCleanStart = 0x02
	connectWill       = 0x04
	connectWillQoS    = 0x18
	connectWillRetain = 0x20
	connectPassword   = 0x40
	connectUsername   = 0x80
)

// bridgeBit marks the protocol level of another broker's bridge.
const bridgeBit = 0x80

// ParseConnect reads a CONNECT packet. The error is an *Error; unless it is Silent, a CONNACK says why before the connection is closed.
// Version in the result tells in which form, and is 0 when the reason is UnsupportedProtocolVersion.
//
// The choice of what is Silent is Mosquitto's: a fault in the flags or in user name and password gets no answer, one in the
// properties, the client identifier or the will gets a CONNACK (MQTT 5 only; §4.13 allows either). MQTT 3 has return codes for
// the protocol level and for an empty client identifier only.
func ParseConnect(first byte, b []byte) (Connect, error) {
	c := cursor{b: b, pkt: TypeConnect}
	var p Connect
	p.readProtocol(&c)
	c.v = p.Version
	if c.err == nil {
		if err := CheckFlags(first, p.Version); err != nil {
			return p, silent(err)
		}
	}
	flags := p.readFlags(&c)
	if c.err != nil {
		return p, c.error()
	}
	p.readProperties(&c)
	p.readClientID(&c)
	p.readWill(&c, flags)
	if c.err != nil {
		return p, c.error()
	}
	p.readLogin(&c, flags)
	if c.err != nil {
		return p, silent(c.err)
	}
	return p, c.done()
}

// silent marks a fault as one that is not answered.
func silent(err error) error {
	e := err.(*Error)
	e.Silent = true
	return e
}

// readProtocol reads the protocol name and level.
func (p *Connect) readProtocol(c *cursor) {
	name := string(c.text("protocol name"))
	level := c.octet("protocol level")
	if c.err != nil {
		return
	}
	v := Version(level &^ bridgeBit)
	p.Bridge = level&bridgeBit != 0
	switch {
	case name == "MQIsdp" && v == V31, name == "MQTT" && v == V311, name == "MQTT" && v == V5 && !p.Bridge:
		p.Version = v
	case name == "MQIsdp", name == "MQTT":
		// "The Server MUST respond to the CONNECT Packet with a CONNACK return code 0x01 (unacceptable protocol level) and
		// then disconnect the Client if the Protocol Level is not supported by the Server" [MQTT-3.1.2-2 of 3.1.1]
		c.fail(UnsupportedProtocolVersion, "protocol level is not 3, 4 or 5")
		c.err.Silent = false
	default:
		// "If the protocol name is incorrect the Server MAY disconnect the Client" [MQTT-3.1.2-1 of 3.1.1]
		c.fail(UnsupportedProtocolVersion, "protocol name is neither MQTT nor MQIsdp")
	}
}

// readFlags reads the connect flags and the keep-alive.
func (p *Connect) readFlags(c *cursor) byte {
	flags := c.octet("connect flags")
	p.KeepAlive = c.uint16("keep alive")
	p.CleanStart = flags&connectCleanStart != 0
	fault := ""
	switch {
	case flags&connectReserved != 0 && p.Version != V31:
		// "The Server MUST validate that the reserved flag in the CONNECT packet is set to 0" [MQTT-3.1.2-3]
		fault = "reserved connect flag is set"
	case flags&connectWillQoS == connectWillQoS:
		// "It MUST NOT be 3" [MQTT-3.1.2-12], [MQTT-3.1.2-14 of 3.1.1]
		fault = "will QoS is 3"
	case flags&connectWill == 0 && flags&(connectWillQoS|connectWillRetain) != 0 && p.Version != V31:
		// "If the Will Flag is set to 0, then the Will QoS MUST be set to 0" [MQTT-3.1.2-11], and Will Retain [MQTT-3.1.2-13]
		fault = "will QoS or will retain without a will"
	case flags&connectPassword != 0 && flags&connectUsername == 0 && p.Version == V311:
		// "If the User Name Flag is set to 0, the Password Flag MUST be set to 0" [MQTT-3.1.2-22 of 3.1.1]
		fault = "password without a user name"
	}
	if c.err == nil && fault != "" {
		c.fail(MalformedPacket, fault)
	}
	if c.err != nil && c.err.Reason != UnsupportedProtocolVersion {
		c.err.Silent = true
	}
	return flags
}

func (p *Connect) readProperties(c *cursor) {
	if p.Version != V5 {
		return
	}
	p.Props = c.properties(TypeConnect)
	// "It is a Protocol Error to include Authentication Data if there is no Authentication Method" (§3.1.2.11.10)
	if p.Props.Has(PropAuthData) && !p.Props.Has(PropAuthMethod) {
		c.fail(ProtocolError, "authentication-data without authentication-method")
	}
}

// readClientID reads the client identifier. An empty one is refused where the version does not let the server choose.
func (p *Connect) readClientID(c *cursor) {
	id := c.binary("client identifier")
	switch {
	case c.err != nil:
	case !ValidText(id):
		// "The ClientID MUST be a UTF-8 Encoded String" [MQTT-3.1.3-4]
		c.fail(ClientIdentifierNotValid, "client identifier is not valid UTF-8 text")
	case len(id) == 0 && (p.Version == V31 || p.Version == V311 && !p.CleanStart):
		// "If the Client supplies a zero-byte ClientId with CleanSession set to 0, the Server MUST respond to the CONNECT Packet
		// with a CONNACK return code 0x02 (Identifier rejected)" [MQTT-3.1.3-8 of 3.1.1]; 3.1 §3.1 wants 1 to 23 characters.
		c.fail(ClientIdentifierNotValid, "client identifier is empty")
		c.err.Silent = false
	}
	p.ClientID = string(id)
}

func (p *Connect) readWill(c *cursor, flags byte) {
	if flags&connectWill == 0 || c.err != nil {
		return
	}
	w := &Will{QoS: QoS(flags & connectWillQoS >> 3), Retain: flags&connectWillRetain != 0}
	if p.Version == V5 {
		w.Props = c.properties(inWill)
	}
	w.Topic = string(c.text("will topic"))
	w.Payload = bytes.Clone(c.binary("will payload"))
	// "All Topic Names and Topic Filters MUST be at least one character long" [MQTT-4.7.3-1]
	if c.err == nil && w.Topic == "" {
		c.fail(MalformedPacket, "will topic is empty")
	}
	p.Will = w
}

// readLogin reads user name and password.
//
// "If the User Name Flag is set to 1, a User Name MUST be present in the Payload" [MQTT-3.1.2-17]; 3.1 §3.1 instead: "the Remaining
// Length field takes precedence over the User Name flag".
func (p *Connect) readLogin(c *cursor, flags byte) {
	lenient := p.Version == V31
	if flags&connectUsername != 0 && !(lenient && len(c.b) == 0) {
		p.HasUsername, p.Username = true, string(c.text("user name"))
	}
	if flags&connectPassword != 0 && !(lenient && len(c.b) == 0) {
		p.HasPassword, p.Password = true, bytes.Clone(c.binary("password"))
	}
}

// Append appends the packet for p.Version.
func (p *Connect) Append(b []byte) []byte {
	name, level := "MQTT", byte(p.Version)
	if p.Version == V31 {
		name = "MQIsdp"
	}
	if p.Bridge {
		level |= bridgeBit
	}
	b = appendHeader(b, byte(TypeConnect)<<4, p.size(name))
	b = append(appendText(b, name), level, p.flags())
	b = appendUint16(b, p.KeepAlive)
	if p.Version == V5 {
		b = AppendProperties(b, p.Props, TypeConnect)
	}
	b = appendText(b, p.ClientID)
	if w := p.Will; w != nil {
		if p.Version == V5 {
			b = AppendProperties(b, w.Props, inWill)
		}
		b = appendText(appendText(b, w.Topic), w.Payload)
	}
	if p.HasUsername {
		b = appendText(b, p.Username)
	}
	if p.HasPassword {
		b = appendText(b, p.Password)
	}
	return b
}

// size is the length of the body.
func (p *Connect) size(name string) int {
	n := textSize(name) + 4 + textSize(p.ClientID)
	if p.Version == V5 {
		n += propertiesSize(p.Props, TypeConnect)
	}
	if w := p.Will; w != nil {
		if p.Version == V5 {
			n += propertiesSize(w.Props, inWill)
		}
		n += textSize(w.Topic) + textSize(w.Payload)
	}
	if p.HasUsername {
		n += textSize(p.Username)
	}
	if p.HasPassword {
		n += textSize(p.Password)
	}
	return n
}

func (p *Connect) flags() byte {
	var f byte
	if p.CleanStart {
		f |= connectCleanStart
	}
	if w := p.Will; w != nil {
		f |= connectWill | byte(w.QoS)<<3
		if w.Retain {
			f |= connectWillRetain
		}
	}
	if p.HasPassword {
		f |= connectPassword
	}
	if p.HasUsername {
		f |= connectUsername
	}
	return f
}
