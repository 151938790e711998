package gateway

import "midge/mqttsn"

// DropReason says why a packet was dropped or refused, or a delivery given up.
type DropReason uint8

// The reasons. Each has a counter that exists from the start.
const (
	Malformed      DropReason = iota // no MQTT-SN message, or an envelope in an envelope
	UnknownSender                    // from somebody who has to CONNECT first
	Unexpected                       // a packet that means nothing in this state, mostly late copies
	InvalidTopic                     // a topic id that was not given, or a name that is no topic name
	NotSupported                     // CONNECT with another protocol id or an unusable client id
	Congested                        // a bound was reached: clients of the link, sessions of the broker
	RateLimited                      // an answer to a stranger that was not sent
	QoSMinusOneOff                   // PUBLISH at QoS −1 while that is switched off
	TopicIDsFull                     // the client has as many topic ids as it may have
	TooLong                          // a delivery longer than the link carries
	TopicRefused                     // a delivery whose topic the client has refused to register
	ClientRefused                    // a delivery that the client has refused
	NotAllowed                       // from a client or an address that the link does not serve
	AddressRefused                   // CONNECT of a client that is connected elsewhere and may not move
	LoginRefused                     // CONNECT whose AUTH was wrong or did not come
	StrayFlags                       // flags that the message does not have, on a strict link
	AirFull                          // an answer, because too many wait for room on the air
	QoSTooHigh                       // a message at a higher QoS than the link takes
	Unadvertised                     // a search while the gateway is not to be found
	dropReasons
)

var dropNames = [dropReasons]string{"malformed", "unknown_sender", "unexpected", "invalid_topic", "not_supported", "congestion",
	"rate_limited", "qos_minus_one_off", "topic_ids_full", "too_long", "topic_refused", "client_refused",
	"not_allowed", "address_refused", "login_refused", "stray_flags", "air_full", "qos_too_high", "unadvertised"}

// String is the reason as metrics name it.
func (r DropReason) String() string { return dropNames[r] }

// linkCounters is what one link has done.
type linkCounters struct {
	in, out         [mqttsn.NumTypes]uint64
	encapsulatedIn  uint64
	encapsulatedOut uint64
	dropped         [dropReasons]uint64
	retransmitted   uint64
	exhausted       uint64
	rebound         uint64
	qosMinusOne     uint64
	asleep          uint64
}

func (l *link) drop(why DropReason) { l.counters.dropped[why]++ }

// dropOf is drop for something of a client's, which has a count of its own; c may be nil.
func (l *link) dropOf(c *client, why DropReason) {
	l.drop(why)
	if c == nil {
		return
	}
	if c.drops == nil {
		c.drops = new([dropReasons]uint32) // most never need it
	}
	c.drops[why]++
}

// LinkCounters is a snapshot of one link.
type LinkCounters struct {
	In, Out       map[string]uint64 // packets by type name; ENCAPSULATED counts envelopes beside what they hold
	Dropped       map[string]uint64 // by DropReason
	Clients       map[string]int    // by State
	Retransmitted uint64            // packets sent again to devices
	Exhausted     uint64            // exchanges that were put aside after N_retry repeats
	Rebound       uint64            // sleeping clients that woke at a new address
	QoSMinusOne   uint64            // publishes taken without a session
	FromSleepers  uint64            // publishes and requests of clients that were asleep, who by the rule had to be active
}

// Counters is a snapshot by link name. Every key exists from the start.
type Counters struct {
	Links map[string]LinkCounters
}

func (l *link) snapshot() LinkCounters {
	n := &l.counters
	s := LinkCounters{
		In:            byType(&n.in, n.encapsulatedIn),
		Out:           byType(&n.out, n.encapsulatedOut),
		Dropped:       make(map[string]uint64, dropReasons),
		Clients:       make(map[string]int, len(stateNames)),
		Retransmitted: n.retransmitted,
		Exhausted:     n.exhausted,
		Rebound:       n.rebound,
		QoSMinusOne:   n.qosMinusOne,
		FromSleepers:  n.asleep,
	}
	for r, count := range n.dropped {
		s.Dropped[DropReason(r).String()] = count
	}
	for _, name := range stateNames {
		s.Clients[name] = 0
	}
	return s
}

func byType(counts *[mqttsn.NumTypes]uint64, encapsulated uint64) map[string]uint64 {
	m := map[string]uint64{mqttsn.TypeEncapsulated.String(): encapsulated}
	for t, n := range counts {
		if name := mqttsn.Type(t).String(); n > 0 || known(name) {
			m[name] = n
		}
	}
	return m
}

// known reports whether a type's name is one of the specification's; reserved types are only listed once they have been seen.
func known(name string) bool { return name[0] != 'r' }

// Counters returns a snapshot of all links that were ever served.
func (g *Gateway) Counters() Counters {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := Counters{Links: make(map[string]LinkCounters, len(g.links))}
	for name, l := range g.links {
		c.Links[name] = l.snapshot()
	}
	for _, cl := range g.sp.clients {
		c.Links[cl.link.Load().name].Clients[cl.shown().String()]++
	}
	return c
}
