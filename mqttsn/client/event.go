package client

import (
	"time"

	"midge/mqttsn"
)

// Token names a request in the event that ends it. It is never 0.
type Token uint32

// Event is something that the owner may want to know. It is one of the structs below, by value.
type Event interface{ event() }

// Connected: CONNACK accepted; the client is active.
type Connected struct{}

// ConnectRefused: the gateway answered CONNECT with another code. After congestion the client tries again if Config.Reconnect
// is set; after any other it does not.
type ConnectRefused struct{ Code mqttsn.ReturnCode }

// Ended: the gateway acknowledged Disconnect, or never answered it.
type Ended struct{}

// Lost: the gateway is taken for lost, or said that it does not know the client.
type Lost struct{ Reason string }

// FellAsleep: the gateway acknowledged Sleep.
type FellAsleep struct{ Duration time.Duration }

// AwakeEnded: PINGRESP came; the client is asleep again.
type AwakeEnded struct{}

// Congested: the gateway refused something for now. It goes out again after Wait, and nothing new before.
type Congested struct{ Wait time.Duration }

// Registered: a name has an id. Token is 0 when the gateway or a publish asked for it.
type Registered struct {
	Token Token
	Name  string
	ID    uint16
	Code  mqttsn.ReturnCode
}

// Published: a publish is done. At QoS 0 and −1 that means sent, at QoS 1 and 2 acknowledged if Code is accepted.
type Published struct {
	Token     Token
	QoS       mqttsn.QoS
	Code      mqttsn.ReturnCode
	Discarded bool // a clean session began before it was acknowledged; its fate is unknown
}

// Subscribed: SUBACK came. TopicID is 0 when the filter has wildcards.
type Subscribed struct {
	Token   Token
	QoS     mqttsn.QoS // granted
	TopicID uint16
	Code    mqttsn.ReturnCode
}

// Unsubscribed: UNSUBACK came.
type Unsubscribed struct{ Token Token }

// WillUpdated: WILLTOPICRESP or WILLMSGRESP came.
type WillUpdated struct {
	Token Token
	Code  mqttsn.ReturnCode
}

// Message: a message arrived. Payload belongs to the receiver of the event.
type Message struct {
	Topic   string // "" for a predefined id that Config.Predefined does not name
	TopicID uint16
	Kind    mqttsn.TopicIDType
	QoS     mqttsn.QoS
	Retain  bool
	Dup     bool // at QoS 1: it may have been reported before
	Payload []byte
}

// GatewayFound: GWINFO or ADVERTISE was heard.
type GatewayFound struct {
	ID         uint8
	Address    []byte        // told by a client that answers for the gateway
	Advertised time.Duration // until its next ADVERTISE; 0 when this was a GWINFO
}

// SearchFailed: no gateway answered SEARCHGW.
type SearchFailed struct{}

func (Connected) event()      {}
func (ConnectRefused) event() {}
func (Ended) event()          {}
func (Lost) event()           {}
func (FellAsleep) event()     {}
func (AwakeEnded) event()     {}
func (Congested) event()      {}
func (Registered) event()     {}
func (Published) event()      {}
func (Subscribed) event()     {}
func (Unsubscribed) event()   {}
func (WillUpdated) event()    {}
func (Message) event()        {}
func (GatewayFound) event()   {}
func (SearchFailed) event()   {}
