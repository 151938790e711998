package broker

// DropReason says why a message, or one receiver's copy of it, was not delivered or was refused.
type DropReason uint8

// The reasons. Each has a counter that exists from the start.
const (
	QueueFull           DropReason = iota // a session's queue was at its bound; that session's copy is lost
	OfflineQoS0                           // QoS 0 is not queued for a client that is not connected
	Expired                               // the message's expiry interval passed before it was handed out
	TotalFull                             // all queues together were at their bound: QoS > 0 refused, QoS 0 lost
	RetainedFull                          // the retained store was at its bound; the message was delivered but not kept
	SessionEnded                          // the session ended with the message still waiting
	PacketTooLarge                        // larger than the receiver's Maximum Packet Size or its link
	SubscriberRefused                     // the receiver answered with a refusal
	NotAuthorized                         // the publisher may not write the topic, or the receiver may not read it
	DiskFull                              // the store's disk is nearly full: QoS > 0 refused
	QueueOldest                           // a session's queue was at its bound, and this had waited longest; that session's copy is lost
	QueueRefused                          // a session's queue was at its bound: QoS > 0 refused
	TopicTooLong                          // the topic has more octets or levels than is allowed
	UserProperties                        // the message has more user properties than is allowed
	SubscriptionRefused                   // a subscription, not a message: there are too many, it is too long, or retained messages pile up
	SessionRefused                        // a client, not a message: there are too many sessions
	dropReasons
)

var dropNames = [dropReasons]string{"queue_full", "offline_qos0", "expired", "total_full", "retained_full", "session_ended", "packet_too_large", "subscriber_refused", "not_authorized", "disk_full",
	"queue_oldest", "queue_refused", "topic_too_long", "user_properties", "subscription_refused", "session_refused"}

// String is the reason as metrics name it.
func (r DropReason) String() string { return dropNames[r] }

// DropReasons lists all reasons by name.
func DropReasons() []string { return append([]string(nil), dropNames[:]...) }

// LimitReasons lists those that a bound of the broker is the reason for.
func LimitReasons() []DropReason {
	return []DropReason{QueueFull, QueueOldest, QueueRefused, TotalFull, DiskFull, TopicTooLong, UserProperties}
}

// Traffic counts messages of one protocol.
type Traffic struct {
	In, Out           [3]uint64 // by mqtt.QoS
	InBytes, OutBytes uint64    // octets of their payloads
}

// Counters is a snapshot of what the core has done and holds.
type Counters struct {
	Traffic       map[string]Traffic // by Options.Protocol
	Dropped       map[string]uint64  // by DropReason
	Sessions      int                // with or without a front end
	Connected     int                // with one
	Peak          int                // the most that were connected at a time
	Ended         uint64             // sessions whose expiry interval has passed
	Subscriptions int                // those that are not shared
	Shared        int                // shared subscriptions: the members of all groups
	Retained      int
	RetainedBytes int
	Queued        int // messages waiting, in flight excluded
	QueuedBytes   int
	Stored        int  // of Queued: those that wait on disk alone
	DiskFull      bool // QoS > 0 is refused until there is space again
	Inflight      int  // deliveries handed out and not yet acknowledged
	InflightBytes int
}

// Counters returns a snapshot.
func (b *Broker) Counters() Counters {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := Counters{
		Traffic:       make(map[string]Traffic, len(b.traffic)),
		Dropped:       make(map[string]uint64, dropReasons),
		Sessions:      len(b.sessions),
		Connected:     b.connected,
		Peak:          b.peak,
		Ended:         b.expired,
		Subscriptions: b.subs.Len() - len(b.groups),
		Shared:        b.shared,
		Retained:      b.retained.Len(),
		RetainedBytes: b.retainedBytes,
		Queued:        b.queued + b.stored,
		QueuedBytes:   b.queuedBytes + b.storedBytes,
		Stored:        b.stored,
		DiskFull:      b.diskFull,
		Inflight:      b.inflight,
		InflightBytes: b.inflightBytes,
	}
	for name, t := range b.traffic {
		c.Traffic[name] = *t
	}
	for r, n := range b.dropped {
		c.Dropped[DropReason(r).String()] = n
	}
	return c
}

// Protocols makes counters for protocols that have not been seen yet, so that their zeros are visible.
func (b *Broker) Protocols(names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		b.trafficOf(name)
	}
}

func (b *Broker) trafficOf(protocol string) *Traffic {
	t := b.traffic[protocol]
	if t == nil {
		t = new(Traffic)
		b.traffic[protocol] = t
	}
	return t
}

func (b *Broker) drop(r DropReason) { b.dropped[r]++ }

// Dropped counts a message that a front end had to give up, e.g. one that is longer than its link carries.
func (b *Broker) Dropped(r DropReason) {
	b.mu.Lock()
	b.drop(r)
	b.mu.Unlock()
}
