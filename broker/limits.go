package broker

import (
	"cmp"
	"time"

	"midge/broker/store"
	"midge/broker/topic"
)

// Limits are the bounds that an operator may change. The zero value of a field means its default.
type Limits struct {
	QueueMessages  int // messages waiting in one session; default 100,000: a day of one message a second
	QueueBytes     int // octets of them, bodies counted per session; default 64 MiB: half of what a 512 MB box can spare. As many more may be in flight
	StoredMessages int // messages waiting in one durable session, on disk but for a few; default 2,000,000: three weeks of one message a second
	StoredBytes    int // octets of them; default 1 GiB
	TotalBytes     int // octets waiting in memory and in flight in all sessions together; default 256 MiB: QoS > 0 is then refused
	Retained       int // retained messages, those of $SYS too; default 200,000
	RetainedBytes  int // octets of them; default 64 MiB
	Sessions       int // sessions, connected or not; default 200,000
	Subscriptions  int // subscriptions of one session; default 10,000

	Inflight          int // deliveries at QoS > 0 in flight to one client, whatever its Receive Maximum says; default 65,535, as many as there are identifiers
	TopicLength       int // octets of a topic name or filter; default 65,535, as many as MQTT can say
	TopicLevels       int // of a topic name or filter; default 128, and no more
	UserProperties    int // user properties of one message; default 1,000
	UserPropertyBytes int // octets of them; default 64 KiB

	SessionExpiry time.Duration // how long the session of a client that is away is kept at most, in whole seconds; 0 means as long as it wants

	// MessageExpiry is how long a message that is not retained is worth delivering at most, whatever its publisher says; 0 means as long as that says. Publish then writes
	// Message.Expires.
	MessageExpiry time.Duration

	Policy    QueuePolicy
	QueueQoS0 bool // messages at QoS 0 wait in memory for a client that is away, within QueueMessages and QueueBytes
}

// QueuePolicy says what becomes of a message for a session whose queue is full.
type QueuePolicy uint8

// The policies. What is lost or refused is counted.
const (
	// DropNewest: the session does not get it. What waits stays in order and whole.
	DropNewest QueuePolicy = iota
	// DropOldest: the session loses what has waited longest instead. Who cannot read back far wants what is now.
	DropOldest
	// Refuse: at QoS > 0 nobody gets it, and its publisher is told, so that it can bring it again. One session that is not drained then holds up its publishers.
	Refuse
)

// DefaultLimits are the bounds where nobody says otherwise.
func DefaultLimits() Limits { return Limits{}.withDefaults() }

// MessageOverhead is what a message counts in octets beside topic and payload.
const MessageOverhead = store.Overhead

// Fixed bounds.
const (
	// receiveMaximum is how many QoS > 0 deliveries a client may have open unless it says otherwise [MQTT-3.1.2.11.3].
	receiveMaximum = 65535
	// inflightSpan keeps packet identifiers unambiguous: open deliveries never span more than this many of them.
	inflightSpan = 65000
	// routeCacheMax bounds the cached matches: a receiver counts 1 and a topic 4, at about 40 octets each, so 5 MB. It holds 26,000 topics with one receiver
	// each; without receivers in the count, 16,000 topics that a thousand clients watch would take 640 MB.
	routeCacheMax = 1 << 17
	// busyMessages and busyBytes are where a session's publishers are asked to pause: about what one connection drains
	// in a few milliseconds. They go on at half of it.
	busyMessages = 4096
	busyBytes    = 4 << 20
	// stalledAfter is how long a session may go without pulling before its publishers no longer wait for it: a dead
	// reader is not a brake.
	stalledAfter = time.Second
	// restingMessages and restingBytes are how much waits in memory for a durable session that does not pull, and for all such sessions together.
	// The rest is on disk alone.
	restingMessages = 32
	restingBytes    = 16 << 20
	// shareAhead is how much of the backlogs of its groups a member that pulls has in its own queue: little, so that the others get their part.
	shareAhead = 64
	// loadMessages and loadBytes are read from disk in one go for a client that has come to them; the next are asked for when loadAhead are left.
	loadMessages = 512
	loadBytes    = 1 << 20
	loadAhead    = 256
	// journalBytes is how much may wait for the next commit before publishers are asked to pause.
	journalBytes = 8 << 20
	// purgeInterval is how often at most a full store of retained messages is searched for expired ones.
	purgeInterval = time.Minute
	// lazyInterval is how long what nobody waits for may wait to be written: a crash within it repeats a second of acknowledged QoS 1 deliveries.
	lazyInterval = time.Second
	// restartGrace is how long the clients that were connected when the process ended have to come back before their wills are published.
	restartGrace = 10 * time.Second
	// idsSkipped is how many packet identifiers a connectionless session leaves out at a restart: more than a device can have been sent of what never
	// came to the disk.
	idsSkipped = 1024
	// orphanGrace is how long a connectionless session without expiry waits after a restart for a front end to open it again.
	orphanGrace = time.Hour
)

func (l Limits) withDefaults() Limits {
	l.QueueMessages = cmp.Or(l.QueueMessages, 100_000)
	l.QueueBytes = cmp.Or(l.QueueBytes, 64<<20)
	l.StoredMessages = cmp.Or(l.StoredMessages, 2_000_000)
	l.StoredBytes = cmp.Or(l.StoredBytes, 1<<30)
	l.TotalBytes = cmp.Or(l.TotalBytes, 256<<20)
	l.Retained = cmp.Or(l.Retained, 200_000)
	l.RetainedBytes = cmp.Or(l.RetainedBytes, 64<<20)
	l.Sessions = cmp.Or(l.Sessions, 200_000)
	l.Subscriptions = cmp.Or(l.Subscriptions, 10_000)
	l.Inflight = cmp.Or(l.Inflight, receiveMaximum)
	l.TopicLength = cmp.Or(l.TopicLength, topic.LengthMax)
	l.TopicLevels = cmp.Or(l.TopicLevels, topic.LevelsMax)
	l.UserProperties = cmp.Or(l.UserProperties, 1000)
	l.UserPropertyBytes = cmp.Or(l.UserPropertyBytes, 64<<10)
	return l
}
