package gateway

import (
	"container/list"
	"sync/atomic"
	"time"

	"midge/broker"
	"midge/mqttsn"
	"midge/transports"
)

// State is what the gateway believes of a client (§6.14).
type State uint8

// The states.
const (
	// Disconnected: it said DISCONNECT, or another front end took its session. Only CONNECT is expected.
	Disconnected State = iota
	// Connecting: it is being asked for its will. What it was before is kept until it has answered.
	Connecting
	// Active: it listens. Keep-alive is supervised.
	Active
	// Asleep: it said DISCONNECT with a duration. The broker's queue buffers; nothing is sent but answers to what the client itself sends.
	Asleep
	// Awake: it said PINGREQ and gets what waited then; PINGRESP sends it back to sleep.
	Awake
	// Lost: it was silent for too long; its will has been published.
	Lost
)

var stateNames = [...]string{"disconnected", "connecting", "active", "asleep", "awake", "lost"}

// String is the state in one lower-case word.
func (s State) String() string { return stateNames[s] }

// instant is a time in nanoseconds since the gateway began. 100,000 clients keep several each, and a time.Time is three times as long.
type instant int64

// peer is where a frame came from: an address of the link and, behind a forwarder, the node id that the forwarder gave.
type peer struct {
	addr    transports.Addr
	node    string
	wrapped bool // came in a forwarder's envelope; the node id may be empty
}

// client is everything that a client id is to the gateway: where it was heard last, its hold on the broker's session,
// its topic ids and will, and the one exchange that is open towards it. There is one per client id over all links.
type client struct {
	id   string
	user string               // who is behind it, as its log-in or its link proves; "" = nobody known
	link atomic.Pointer[link] // Wake reads it from any goroutine
	peer peer
	s    *broker.Session // nil: not connected

	state     State // Connecting is not stored: see shown
	clean     bool  // CleanSession of the last CONNECT
	receives  bool  // may have subscriptions, so deliveries are worth asking for
	displaced bool  // another client id has been heard from its address since
	probes    uint8 // PINGREQ sent since it was heard, see LinkConfig.Probe
	promised  uint8 // answers that are not yet safe, see promise
	takenUp   bool  // after a restart, session and all
	resent    bool  // takenUp: the delivery that may have been open then has been sent again
	pinged    bool  // PINGREQ waits for its PINGRESP
	queued    bool  // in link.turns
	untold    bool  // the last word on its CONNECT, a request for its will or CONNACK, has not left yet: there is no room on the air
	asked     asked // what became of the last will handshake
	woken     atomic.Bool

	rssi int8 // of the last frame that told: dBm, 0 = none did
	lqi  uint8

	shownState uint8 // the state that was published of it last, and one; 0 = none was

	keepAlive uint16 // seconds
	sleep     uint16 // seconds
	lastReg   uint16 // MsgId of the last REGISTER
	lastSub   uint16 // MsgId of its last SUBSCRIBE since CONNECT
	probeLag  uint16 // seconds that its PINGREQs, see probes, have waited for room on the air
	own       uint16 // MsgId of a PUBLISH of its, whose answer goes before deliveries until ownUntil; 0 = none
	doubts    uint32 // how often what it knows of its topic ids came into doubt: CONNECT does that
	place     int32  // in link.deadlines, -1 = not there

	due        instant // when deadlines looks at it; not later than its next deadline
	heard      instant
	awakeUntil instant
	ownUntil   instant
	mark       broker.Mark // Awake: what waited at PINGREQ lies before it

	noted uint64   // hash of its note, as far as it has one: see keep
	turn  *promise // CONNACK, or DISCONNECT before sleep, which is not yet safe; nil = none

	prompt     *prompt   // the will handshake, nil = none
	x          *exchange // the delivery that is open towards it, nil = none
	will       *will
	topics     topicTable
	unanswered []unanswered
	gone       *list.Element // in space.gone or space.goneClean

	lastTopic     string
	lastValue     []byte               // at most lastValueMax octets
	drops         *[dropReasons]uint32 // packets and deliveries of its that were dropped; nil = none
	in, out       uint64
	retransmitted uint64
}

// lastValueMax is how much of the last payload is kept for the table of devices.
const lastValueMax = 64

// unanswered remembers the topic id of a publish, which PUBACK repeats and the broker does not know.
type unanswered struct{ msgID, topicID uint16 }

// shown is the state for people: a client that is being asked for its will is connecting, whatever it was before, and one whose link is not
// served cannot be reached.
func (c *client) shown() State {
	switch {
	case c.prompted():
		return Connecting
	case c.connected() && c.link.Load().away:
		return Disconnected
	}
	return c.state
}

func (c *client) connected() bool { return c.s != nil }

// listens reports whether deliveries may be sent to it now.
func (c *client) listens() bool {
	return c.s != nil && !c.displaced && !c.prompted() && c.turn == nil && (c.state == Active || c.state == Awake)
}

// remember keeps the topic id of a publish until it is answered. Beyond the bound the oldest is forgotten: its PUBACK will carry topic id 0.
func (c *client) remember(msgID, topicID uint16) {
	if len(c.unanswered) >= unansweredMax {
		c.unanswered = append(c.unanswered[:0], c.unanswered[1:]...)
	}
	if c.unanswered == nil {
		c.unanswered = make([]unanswered, 0, 1)
	}
	c.unanswered = append(c.unanswered, unanswered{msgID, topicID})
}

// awaits reports whether a publish with that id has not been answered.
func (c *client) awaits(msgID uint16) bool {
	for _, u := range c.unanswered {
		if u.msgID == msgID {
			return true
		}
	}
	return false
}

// ownWait is how long deliveries to a client wait for the answer to its own PUBLISH: longer than a commit takes, shorter than anybody notices.
const ownWait = instant(100 * time.Millisecond)

// answerFirst lets deliveries wait for the answer to a PUBLISH of its, which may have to become safe first. There are devices that take the next
// packet for that answer, whatever it is: their own message, if they subscribe to it, would come before. While one is waited for, another does not
// prolong that.
func (c *client) answerFirst(now instant, msgID uint16) {
	if c.own == 0 && c.receives {
		c.own, c.ownUntil = msgID, now+ownWait
	}
}

// answered notes that the answer to a PUBLISH of its goes out.
func (c *client) answered(msgID uint16) {
	if c.own == msgID {
		c.own = 0
	}
}

// recall returns and forgets the topic id of a publish.
func (c *client) recall(msgID uint16) (topicID uint16) {
	for i, u := range c.unanswered {
		if u.msgID == msgID {
			c.unanswered = append(c.unanswered[:i], c.unanswered[i+1:]...)
			return u.topicID
		}
	}
	return mqttsn.NoTopicID
}

// tolerance is the silence after which a client with that keep-alive or sleep duration is lost: half as long again up to a minute, a tenth
// above (§7.2), and never less for a longer duration.
func tolerance(seconds uint16) time.Duration {
	d := time.Duration(seconds) * time.Second
	if d <= time.Minute {
		return d + d/2
	}
	return max(90*time.Second, d+d/10)
}

// lostAt is when the client will be lost if it stays silent, or asked whether it is there.
func (c *client) lostAt(cfg *LinkConfig) instant {
	switch {
	case c.state == Asleep || c.state == Awake:
		return c.heard + instant(tolerance(c.sleep))
	case c.keepAlive == 0:
		return c.heard + instant(cfg.IdleLimit) + c.probing(cfg)
	}
	return c.heard + instant(tolerance(c.keepAlive)) + c.probing(cfg)
}

// probing is how long the client has been asked whether it is there.
func (c *client) probing(cfg *LinkConfig) instant {
	return instant(c.probes)*instant(cfg.RetryInterval) + instant(c.probeLag)*instant(time.Second)
}

// spare gives a client that is being asked whether it is there so much more time, if it is any.
func (c *client) spare(d instant) {
	seconds := (max(0, d) + instant(time.Second) - 1) / instant(time.Second)
	c.probeLag = uint16(min(instant(c.probeLag)+seconds, 1<<16-1))
}
