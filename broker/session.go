package broker

import (
	"time"

	"midge/broker/mqtt"
	"midge/broker/topic"
)

// A Session is one front end's hold on the session of a client id, from Open until Close or a take-over.
//
// Publish, Subscribe, SetWill and Close are called by one goroutine at a time; the other verbs by any.
type Session struct {
	b       *Broker
	st      *state
	waker   Waker
	traffic *Traffic

	receiveMaximum int
	pullBytes      int       // see Options
	pulled         int       // octets handed out by the Next that runs
	resend         int       // next delivery of the window to hand out again after a reconnect
	outstanding    int       // deliveries handed out to this front end and still open
	prompt         time.Time // when it last pulled, or had nothing to pull
	awake          bool      // it was woken for deliveries and has not been drained since
	told           bool      // it was woken for acknowledgements and has not asked for them since
	resting        bool      // see Rest

	wakes     *Wakes // to wake when the running verb has released the lock, or when the front end says so
	alone     bool   // nobody else flushes wakes
	lastRoute *route // of the topic it published last
}

// state is what a client id owns, with or without a front end.
type state struct {
	id     string
	owner  *Session // nil when no front end has it
	subs   topic.Small[*Subscription]
	shares []*share // of subs, those that are shared
	group  *group   // nil, unless this is the backlog of a group and nobody's session
	expiry uint32   // seconds
	will   *Will
	access Access // of the client that had it last

	acks    ring[answer] // for the client as a publisher, and PUBRELs for it as a subscriber
	replies int          // of acks
	queue   ring[queued]
	bytes   int    // of queue
	skipped int    // places of queue that are empty: see kept.skip
	passed  uint64 // number of the first message in queue among all that it was given
	window  window
	numbers uint64 // sequence number given last to a copy at QoS > 0
	blocked bool   // the first of queue has to be safe before it may be handed out

	inbound map[uint16]bool // QoS 2 identifiers published and not yet released; whether the store has them

	username       string
	connectionless bool
	num            uint32   // its number in the store; 0: it is not there
	dur            *durable // nil: its queue is in memory only
	changed        uint64   // number of the last batch that has something of it
	written        bool     // the store has, or is being given, its record
	rewritten      bool     // it is listed in journal.sessions
	touched        bool     // it is listed in journal.finished
	ended          bool

	room chan struct{} // closed when the queue is no longer busy; nil while nobody waits

	absence *absence // nil while a front end has it
}

// absence is what a session waits for whose client has gone.
type absence struct {
	willAt   time.Time // after a loss: when the will is due; zero: none
	expireAt time.Time // when the session ends; zero: never
	deadline time.Time // the earlier of them that is still due
	place    int       // in the heap, if there is a deadline
}

// queued is one session's copy of a message.
type queued struct {
	msg    *Message
	from   *origin // nil when it has no subscription identifiers and came by no shared subscription
	kept   *kept   // at QoS > 0 in a durable session
	qos    mqtt.QoS
	retain bool
}

// answer is an acknowledgement and what has to be safe before it goes out.
type answer struct {
	Outbound
	pub   *publication // nil: nothing
	batch uint64
}

// number gives the next sequence number.
func (st *state) number() uint64 {
	st.numbers++
	return st.numbers
}

// seq is its number among the session's copies at QoS > 0; 0: not given yet.
func (q *queued) seq() uint64 {
	if q.kept == nil {
		return 0
	}
	return q.kept.seq
}

func (b *Broker) hold(o Options) *Session {
	s := &Session{b: b, waker: o.Waker, wakes: o.Wakes}
	if s.wakes == nil {
		s.wakes, s.alone = new(Wakes), true
	}
	return s
}

// ClientID is the client id that the session belongs to.
func (s *Session) ClientID() string { return s.st.id }

// Username is the name that the front end authenticated, "" for an anonymous client.
func (s *Session) Username() string { return s.st.username }

// Expiry is how many seconds the session outlives its front end: what was asked for, or less where Limits.SessionExpiry says so.
func (s *Session) Expiry() uint32 {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return s.st.expiry
}

// lock enters a verb. When it returns an error the lock is not held.
func (s *Session) lock() error {
	s.b.mu.Lock()
	if s.st.owner != s {
		s.b.mu.Unlock()
		return ErrTakenOver
	}
	return nil
}

// unlock leaves a verb and wakes whom it gave something.
func (s *Session) unlock() {
	s.b.unlock()
	s.wake()
}

func (s *Session) wake() {
	if s.alone {
		s.wakes.Flush()
	}
}

// rouse has the front end woken for deliveries when by's verb is over, unless it was already or the verb is its own.
func (s *Session) rouse(by *Session) {
	if !s.awake && s != by && s.waker != nil {
		s.awake = true
		by.wakes.add(s.waker)
	}
}

// Closing says how a front end leaves a session.
type Closing struct {
	// Lost: the client is gone without a word; its will is published, after its delay.
	Lost bool
	// SessionExpiry, when not nil, replaces the interval given to Open (MQTT 5 §3.14.2.2.2).
	SessionExpiry *uint32
}

// Close gives the session back. Afterwards every verb answers ErrTakenOver, as Close itself does on a session that is no longer held.
func (s *Session) Close(now time.Time, c Closing) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.unlock()
	b, st := s.b, s.st
	if c.SessionExpiry != nil {
		st.expiry = b.expiryOf(st.id, *c.SessionExpiry)
	}
	b.detach(now, s, st)
	if st.will != nil && st.num != 0 {
		b.journal.soon() // it was published or taken back: neither may come again after a power cut
	}
	if !c.Lost {
		st.will = nil // "The Will Message MUST be removed … once it has been published or the Server has received a DISCONNECT" [MQTT-3.1.2-10]
	}
	if w := st.will; w != nil && w.Delay == 0 {
		st.will = nil
		b.publishWill(now, s, st, w)
	}
	if st.expiry == 0 {
		b.end(now, s, st)
		return nil
	}
	b.schedule(now, st)
	return nil
}

// Rest says that the front end will not pull for a while, as its client is asleep: until the next Next, what its shared subscriptions would have brought
// goes to other members.
func (s *Session) Rest(now time.Time) error {
	if err := s.lock(); err != nil {
		return err
	}
	s.resting = true
	s.b.recallAll(now, s, s.st)
	s.st.shrink()
	s.unlock()
	return nil
}

// SetWill replaces the will; nil takes it away.
func (s *Session) SetWill(w *Will) error {
	if err := s.lock(); err != nil {
		return err
	}
	s.st.will = w
	s.b.makeDurable(s.st, true) // the record goes where its will goes
	s.unlock()
	return nil
}
