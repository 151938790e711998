package broker

import (
	"time"

	"midge/broker/mqtt"
)

// A Message is what was published. It is immutable once it has been handed to the core and is shared by every
// queue that holds it, so neither Payload nor Properties may be changed afterwards.
type Message struct {
	Topic   string // a valid topic name
	Payload []byte
	QoS     mqtt.QoS
	Retain  bool
	props   uint32 // octets of Properties; set by the core
	// Properties are those that travel from publisher to subscriber; nil when there are none. Message Expiry Interval
	// is not among them: see Expires.
	Properties *mqtt.Properties
	// Publisher is the client id of the session that published it; set by the core.
	Publisher string
	// Expires is when an undelivered copy becomes worthless; zero means never.
	Expires time.Time
}

// size is what a queued copy counts against the bounds in octets.
func (m *Message) size() int { return m.octets() + MessageOverhead }

func (m *Message) octets() int { return len(m.Topic) + len(m.Payload) + int(m.props) }

func (m *Message) expired(now time.Time) bool { return !m.Expires.IsZero() && !now.Before(m.Expires) }

// Inbound is a message as a front end received it. ID is its packet identifier, 0 at QoS 0.
type Inbound struct {
	ID      uint16
	Message *Message
}

// Kind says what an [Outbound] is.
type Kind uint8

// What Next hands out, named after the MQTT packet that carries it.
const (
	Publish Kind = iota // a delivery: Message and the fields that go with it
	Puback              // the answer to a QoS 1 Inbound
	Pubrec              // the first answer to a QoS 2 Inbound
	Pubrel              // a delivery was received; Completed is awaited
	Pubcomp             // the last answer to a QoS 2 Inbound, after Release
	Reply               // what the front end itself gave to Session.Reply
)

// Outbound is one thing that a session wants sent.
type Outbound struct {
	Kind   Kind
	QoS    mqtt.QoS        // Publish: the smaller of the message's and the subscription's
	Retain bool            // Publish
	Dup    bool            // Publish: it was handed out before, on an earlier connection
	Reason mqtt.ReasonCode // all but Publish
	ID     uint16          // packet identifier; 0 for a Publish at QoS 0
	Value  any             // Reply

	Message         *Message
	SubscriptionIDs []uint32 // Publish: of every subscription that matched; read only
}

// Will is the message that is published for a client that is lost (MQTT 5 §3.1.2.5).
type Will struct {
	Message *Message
	Delay   time.Duration // how long a lost client has to come back
	// Expiry is the Message Expiry Interval, which counts from the publication (MQTT 5 §3.1.3.2.4); 0 means never. It sets Message.Expires.
	Expiry time.Duration
}

// Subscription is a topic filter with its options (MQTT 5 §3.8.3.1).
type Subscription struct {
	Filter            string
	QoS               mqtt.QoS
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    uint8  // 0 send retained messages, 1 only if the subscription is new, 2 never
	ID                uint32 // subscription identifier, 0 = none
}

// Octets is what o counts for Options.PullBytes: topic, payload and properties of a delivery.
func (o *Outbound) Octets() int {
	if o.Message == nil {
		return 0
	}
	return o.Message.octets()
}
