package config

import (
	"math"
	"time"
)

// Limits bound what clients make the broker hold. What is left out keeps its default.
type Limits struct {
	QueueMessages  int  `toml:"queue_messages"`  // waiting for one client, in memory
	QueueBytes     Size `toml:"queue_bytes"`     // of them
	StoredMessages int  `toml:"stored_messages"` // waiting for one client whose session outlives its connection, on disk but for a few
	StoredBytes    Size `toml:"stored_bytes"`    // of them
	TotalBytes     Size `toml:"total_bytes"`     // waiting in memory for all clients together

	QueuePolicy string `toml:"queue_policy"` // one of QueuePolicies
	QueueQoS0   bool   `toml:"queue_qos0"`   // QoS 0 waits for clients that are away, in memory

	Retained      int  `toml:"retained"`       // retained messages
	RetainedBytes Size `toml:"retained_bytes"` // of them

	Sessions      int `toml:"sessions"`      // connected or not
	Subscriptions int `toml:"subscriptions"` // of one session

	PersistentClientExpiration Duration `toml:"persistent_client_expiration"` // longest that the session of an absent MQTT client is kept, whole seconds; 0 = as long as it asked for

	Inflight int `toml:"inflight"` // deliveries at QoS 1 and 2 in flight to one client

	SessionExpiryMax Duration `toml:"session_expiry_max"` // longest that the session of a client is kept that is away, in whole seconds; 0 = as long as it wants

	MessageExpiryMax Duration `toml:"message_expiry_max"` // longest that a message waits that is not retained, in whole seconds; 0 = as long as its publisher wants

	TopicLength       int  `toml:"topic_length"`        // octets
	TopicLevels       int  `toml:"topic_levels"`        //
	UserProperties    int  `toml:"user_properties"`     // of one message
	UserPropertyBytes Size `toml:"user_property_bytes"` // of them
}

// QueuePolicies say what becomes of a message for a client whose queue is full.
var QueuePolicies = []string{"drop-newest", "drop-oldest", "refuse"}

func defaultLimits() Limits {
	return Limits{
		QueueMessages: 100_000, QueueBytes: 64 << 20, StoredMessages: 2_000_000, StoredBytes: 1 << 30, TotalBytes: 256 << 20,
		QueuePolicy: "drop-newest", Retained: 200_000, RetainedBytes: 64 << 20, Sessions: 200_000, Subscriptions: 10_000, Inflight: 65535,
		TopicLength: 65535, TopicLevels: 128, UserProperties: 1000, UserPropertyBytes: 64 << 10,
	}
}

func (v checker) limits() {
	l := v.c.Limits
	const many = math.MaxInt32
	v.number("limits.queue_messages", l.QueueMessages, 1, many)
	v.size("limits.queue_bytes", l.QueueBytes, 1<<10)
	v.number("limits.stored_messages", l.StoredMessages, 1, many)
	v.size("limits.stored_bytes", l.StoredBytes, 1<<10)
	v.size("limits.total_bytes", l.TotalBytes, 1<<20)
	v.oneOf("limits.queue_policy", l.QueuePolicy, QueuePolicies)
	v.number("limits.retained", l.Retained, 1, many)
	v.size("limits.retained_bytes", l.RetainedBytes, 1<<10)
	v.number("limits.sessions", l.Sessions, 1, many)
	v.number("limits.subscriptions", l.Subscriptions, 1, many)
	v.span("limits.persistent_client_expiration", l.PersistentClientExpiration, 0, 100*365*24*time.Hour) // 32 bits of seconds on the wire
	v.wholeSeconds("limits.persistent_client_expiration", l.PersistentClientExpiration)
	v.number("limits.inflight", l.Inflight, 1, 65535)
	if d := l.SessionExpiryMax; d.Duration != 0 {
		v.span("limits.session_expiry_max", d, time.Second, 100*365*24*time.Hour)
	}
	if d := l.MessageExpiryMax; d.Duration != 0 {
		v.span("limits.message_expiry_max", d, time.Second, 100*365*24*time.Hour)
		v.wholeSeconds("limits.message_expiry_max", d)
	}
	v.number("limits.topic_length", l.TopicLength, 64, 65535) // the broker's own topics have to fit
	v.number("limits.topic_levels", l.TopicLevels, 8, 128)
	v.number("limits.user_properties", l.UserProperties, 1, many)
	v.size("limits.user_property_bytes", l.UserPropertyBytes, 1)
}

// size wants a size of at least so many octets, and no more than an int of this machine can say.
func (v checker) size(path string, s, least Size) {
	switch {
	case s < least:
		v.addf(path, "%s = %q is too little; it is at least %q", v.key(path), s, least)
	case s > math.MaxInt:
		v.addf(path, "%s = %q is more than this machine can count", v.key(path), s)
	}
}
