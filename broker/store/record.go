package store

import "midge/broker/mqtt"

// Session is what is kept of a session beside what has a key of its own: subscriptions, notes, identifiers, queue.
type Session struct {
	Num            uint32 // the session's number in the store; never 0, never given twice
	ClientID       string
	Username       string
	Expiry         uint32 // seconds, as in MQTT 5 §3.1.2.11.2
	Connectionless bool   // its client does not notice that the broker restarts
	Connected      bool   // a front end had it when this was written
	Given          uint64 // the last entry of the queue that a front end was handed, when not Connected
	Next           uint64 // no entry from here on was ever in the queue when this was written
	WillAt         int64  // when not Connected: when the will is due, in the store's time; 0 = not waiting
	ExpireAt       int64  // when not Connected: when the session ends, in the store's time; 0 = never
	Will           *Will  // nil = none
}

// Will is a will (MQTT 5 §3.1.2.5).
type Will struct {
	Message Message
	Delay   int64 // nanoseconds
	Expiry  int64 // nanoseconds from its publication; 0 = never
}

// Subscription is a topic filter with its options (MQTT 5 §3.8.3.1).
type Subscription struct {
	Filter            string
	QoS               mqtt.QoS
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    uint8
	ID                uint32
}

// Message is a published message.
type Message struct {
	Topic      string
	Payload    []byte
	QoS        mqtt.QoS
	Retain     bool
	Properties *mqtt.Properties // nil when there are none
	Publisher  string           // client id
	Expires    int64            // in the store's time; 0 = never
}

// Entry is one message in the queue of one session.
type Entry struct {
	Seq     uint64 // its place in the session's queue, ascending; never 0
	Total   uint64 // octets of all entries that the session's queue was ever given, this one included
	QoS     mqtt.QoS
	Retain  bool
	IDs     []uint32 // subscription identifiers; nil = none
	Body    uint64   // number of a body that several queues share; 0: Message is the entry's own
	Message Message  // not used by Batch.Enqueue when Body is not 0
}
