package status

import "time"

// Sources are where the answers come from. A nil function means that there is no such thing to ask about.
type Sources struct {
	Version string // of this program, as in "midge version"

	// Ready returns nil once Midge has started and may be used, and else what it waits for, in a few words.
	Ready func() error
	// Trouble returns one sentence for each thing beside links that keeps Midge from doing its work, such as a full
	// disk. It makes health fail.
	Trouble func() []string

	Broker  func() Broker
	Store   func() Store
	Links   func() []Link   // in the order of the configuration
	Bridges func() []Bridge // likewise

	// Report returns what is to become JSON for /status: of everything, or of these clients. The error is that there are none.
	Report func(clients []string) (any, error)
}

// Store is a snapshot of what keeps the state on disk, since the start.
type Store struct {
	Commits    uint64        // synced ones
	CommitTime time.Duration // of all of them together

	LogBytes, FlushBytes, CompactBytes uint64 // written to the log, from memory to tables, from tables to tables
	UsedBytes, FreeBytes               uint64 // on disk; FreeBytes of the whole file system

	Waiting  int  // messages that wait on disk alone
	Full     bool // QoS > 0 is refused until there is space again
	Salvaged bool // it was found damaged at the start
}

// Broker is a snapshot of the broker's core.
type Broker struct {
	Sessions      int // with or without a connection
	Connected     int // with one
	Subscriptions int
	Retained      int // messages
	RetainedBytes int
	Queued        int // messages that wait in all sessions together, in flight excluded
	QueuedBytes   int
	Inflight      int // deliveries handed out and not yet acknowledged

	Traffic map[string]Traffic // by protocol: "mqtt", ProtocolMQTTSN, "bridge"
	Dropped map[string]uint64  // by reason; every reason, zeros too
	Faults  map[string]uint64  // connections refused or closed as their clients' fault, likewise
	Refused map[string]uint64  // connections that ended before their first packet, likewise
}

// ProtocolMQTTSN is the protocol that has a QoS -1.
const ProtocolMQTTSN = "mqttsn"

// Traffic counts messages of one protocol by QoS 0, 1, 2.
type Traffic struct {
	In, Out    [3]uint64
	InMinusOne uint64 // MQTT-SN's QoS -1; not in In[0]
}

// Link is a snapshot of one MQTT-SN link and of the gateway's work on it.
type Link struct {
	Name, Type string // as configured
	Up         bool
	Why        string // one sentence, when not Up

	FramesIn, FramesOut uint64
	BytesIn, BytesOut   uint64
	Errors              map[string]uint64 // of the link, by reason; every reason, zeros too

	Clients         map[string]int    // by state; every state, zeros too
	Retransmissions uint64            // messages repeated because a device did not answer
	Discarded       map[string]uint64 // messages that the gateway did not take, by reason; every reason, zeros too
}

// Bridge is a snapshot of one bridge.
type Bridge struct {
	Name         string
	Connected    bool
	Why          string        // the last failure in one sentence, when not Connected; may be empty
	Backlog      int           // messages that wait for the upstream, in flight included
	Oldest       time.Duration // how long the oldest of them has waited; 0 without one
	Acknowledged uint64        // messages that the upstream took
	Received     uint64        // messages that came from it
}
