package broker

import (
	"errors"
	"math"
	"sync"
	"time"

	"midge/broker/mqtt"
	"midge/broker/topic"
)

// Errors of the verbs.
var (
	// ErrTakenOver is every verb's answer once another front end has opened the same client id, or after Close.
	ErrTakenOver = errors.New("session was taken over")
	// ErrUnexpected is the answer to an acknowledgement that does not belong to the delivery's QoS or phase.
	ErrUnexpected = errors.New("acknowledgement does not belong to the message's QoS")
	// ErrTooManySessions refuses a new client id when Limits.Sessions are there already.
	ErrTooManySessions = errors.New("too many sessions")
	// ErrNoClientID refuses an empty client id: the front end assigns one if its protocol can tell the client.
	ErrNoClientID = errors.New("client id is empty")
)

// Never is a session expiry interval that does not end.
const Never = 0xFFFFFFFF

// A Broker holds the whole state. All its methods may be called from any goroutine.
type Broker struct {
	mu       sync.Mutex
	limits   Limits
	sessions map[string]*state // by client id

	subs    topic.Tree[*state, *Subscription]
	subsGen uint64            // moves when subs changes; a route of another generation is stale
	routes  map[string]*route // by topic name
	routed  int               // topics and receivers in routes, at most routeCacheMax
	groups  map[string]*group // by filter, "$share/NAME/FILTER"
	shared  int               // shared subscriptions: the members of all groups

	retained      topic.Names[*Message]
	retainedBytes int
	purged        time.Time // when expired ones were looked for

	deadlines deadlines
	alarm     chan struct{} // one slot: the first deadline became earlier

	peak    int    // the most that were connected at a time
	expired uint64 // sessions whose expiry interval has passed

	connected, inflight, inflightBytes, queued, queuedBytes int // queued: in memory

	durability

	traffic map[string]*Traffic
	dropped [dropReasons]uint64
}

// New returns an empty broker that keeps everything in memory: no session outlives it. Restore makes one that does not forget.
func New(limits Limits) *Broker {
	return &Broker{
		limits:     limits.withDefaults(),
		sessions:   make(map[string]*state),
		routes:     make(map[string]*route),
		groups:     make(map[string]*group),
		traffic:    make(map[string]*Traffic),
		alarm:      make(chan struct{}, 1),
		durability: durability{journal: newJournal(), waiting: make(map[*state]struct{})},
	}
}

// A Waker is told that a session has something to pull. Wake runs in whatever goroutine caused it, without the core's lock; it must not
// block. It may pull. It comes once until Next has returned less than it was asked for.
type Waker interface{ Wake() }

// Access says what a client may do. Its methods are called with the core's lock held: they look things up and do nothing else.
type Access interface {
	MayWrite(topic string) bool
	MayRead(topic string) bool
	// MaySubscribe says whether a filter may be subscribed to at all. What is delivered is up to MayRead.
	MaySubscribe(filter string) bool
}

// Options are what a front end opens a session with: CONNECT in the words of MQTT 5.
type Options struct {
	ClientID       string
	Username       string
	Protocol       string // the front end's name in counters: "mqtt", …
	CleanStart     bool
	SessionExpiry  uint32 // seconds that the session outlives its front end; Never
	ReceiveMaximum uint16 // deliveries at QoS > 0 in flight; 0 means 65,535
	Will           *Will
	Waker          Waker
	Access         Access // nil allows everything
	PullBytes      int    // octets of topics and payloads after which Next ends a pull early; 0 means no bound
	// Connectionless says that the client does not notice when the broker restarts, as over UDP or a radio: the session is kept over a restart even when
	// SessionExpiry is 0, and its front end opens it again.
	Connectionless bool
	// Wakes, when not nil, collects whom the verbs give something; its owner flushes it. It then spares one receiver of many publishers' messages
	// a wake-up for each.
	Wakes *Wakes
}

// Open gives the front end the session of o.ClientID, taking it over from any other front end that holds it. present reports that the session was there already.
func (b *Broker) Open(now time.Time, o Options) (s *Session, present bool, err error) {
	if o.ClientID == "" {
		return nil, false, ErrNoClientID
	}
	s = b.hold(o)
	b.mu.Lock()
	before := b.sessions[o.ClientID]
	if before != nil {
		b.reopen(now, s, before, o.CleanStart)
	}
	st := b.sessions[o.ClientID]
	if st == nil && len(b.sessions) >= b.limits.Sessions {
		b.drop(SessionRefused)
		b.unlock()
		s.wake()
		return nil, false, ErrTooManySessions
	}
	present = st != nil
	if st == nil {
		st = &state{id: o.ClientID}
		b.sessions[o.ClientID] = st
		if before != nil && before.written {
			st.changed = b.journal.batch // a power cut must not bring back what its client has ended
		}
	}
	b.attach(now, s, st, o, present)
	b.unlock()
	s.wake()
	return s, present, nil
}

// reopen leaves of a session what its client's next front end is to find: all, nothing after a clean start, nothing either when it was to
// end with the front end that is taken over: with "a Session Expiry Interval of 0 … the Session ends when the Network Connection is closed" (MQTT 5 §3.1.2.11.2).
func (b *Broker) reopen(now time.Time, by *Session, st *state, cleanStart bool) {
	ends := cleanStart
	if st.owner != nil {
		ends = ends || st.expiry == 0
		b.takeOver(now, by, st)
	} else if st.expiry == 0 && !st.connectionless { // it is there for its will only, and the client is back after a restart
		ends, st.will = true, nil
	}
	if st.absence.over(now) {
		b.due(now, by, st) // Run has not come to it yet
	}
	if ends && b.sessions[st.id] == st {
		b.end(now, by, st)
	}
}

// takeOver turns the present owner inert. Its will is published as for a lost connection; one with a delay waits for the session's end or is
// forgotten, as the client is back.
func (b *Broker) takeOver(now time.Time, by *Session, st *state) {
	old := st.owner
	b.detach(now, by, st)
	if old.waker != nil {
		by.wakes.add(old.waker)
	}
	if w := st.will; w != nil && w.Delay == 0 {
		st.will = nil
		b.publishWill(now, by, st, w)
	}
}

// attach gives a session to a front end. What its client may count on after CONNACK, its will and its expiry, is safe when a Reply comes out.
func (b *Broker) attach(now time.Time, s *Session, st *state, o Options, present bool) {
	s.st, s.traffic, s.prompt = st, b.trafficOf(o.Protocol), now
	s.receiveMaximum = b.limits.Inflight
	if o.ReceiveMaximum != 0 {
		s.receiveMaximum = min(s.receiveMaximum, int(o.ReceiveMaximum))
	}
	s.pullBytes = o.PullBytes
	if s.pullBytes == 0 {
		s.pullBytes = math.MaxInt
	}
	expiry := b.expiryOf(st.id, o.SessionExpiry)
	counts := o.Will != nil || st.will != nil || present && st.expiry != expiry
	st.owner, st.will, st.expiry, st.access = s, o.Will, expiry, o.Access
	st.username, st.connectionless = o.Username, o.Connectionless
	b.makeDurable(st, counts)
	s.resume()
	b.connected++
	b.peak = max(b.peak, b.connected)
	b.deadlines.drop(st)
	for _, sh := range st.shares {
		b.feed(now, s, sh.group)
	}
}

// detach takes the front end's hold away and leaves the session as a connection that is gone.
func (b *Broker) detach(now time.Time, by *Session, st *state) {
	st.owner = nil
	b.connected--
	st.acks, st.replies = ring[answer]{}, 0 // the publisher repeats what it got no answer for
	st.blocked = false
	b.rewrite(st)
	st.letPublishersGo()
	b.recallAll(now, by, st)
	b.dropQoS0(st)
}

// dropQoS0 drops the QoS 0 messages of a session whose client has gone.
func (b *Broker) dropQoS0(st *state) {
	if b.limits.QueueQoS0 {
		return
	}
	for n := st.queue.len(); n > 0; n-- {
		q := st.queue.pop()
		if q.qos == mqtt.AtMostOnce {
			b.unqueue(st, q)
			b.drop(OfflineQoS0)
			st.passed++
			continue
		}
		st.queue.push(q)
	}
}

// end forgets the session and everything it owns.
func (b *Broker) end(now time.Time, by *Session, st *state) {
	if w := st.will; w != nil { // MQTT 5 §3.1.2.5: at the latest when the session ends
		st.will = nil
		b.publishWill(now, by, st, w)
	}
	plain := st.subs.Len() - len(st.shares)
	for len(st.shares) > 0 {
		b.leave(now, by, st.shares[0], true)
	}
	for filter := range st.subs.All() {
		b.subs.Delete(filter, st)
	}
	if plain > 0 {
		b.subsGen++
	}
	b.forgetCopies(by, st)
	for st.queue.len() > 0 {
		b.unqueue(st, st.queue.pop())
		b.drop(SessionEnded)
	}
	b.inflight -= st.window.live
	b.inflightBytes -= st.window.size
	b.deadlines.drop(st)
	delete(b.sessions, st.id)
	// Stale routes and inert holds may still point here. They keep nothing else alive.
	st.subs, st.inbound, st.acks, st.queue, st.window = topic.Small[*Subscription]{}, nil, ring[answer]{}, ring[queued]{}, window{}
}
