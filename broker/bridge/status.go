package bridge

import (
	"maps"
	"sync"
	"time"
)

// State is how far the connection upstream is.
type State uint8

const (
	// Waiting: there is no connection, and the next attempt waits for its time. LastError says why.
	Waiting State = iota
	// Connecting: from the start of TCP until the upstream has answered SUBSCRIBE. Nothing new is sent yet.
	Connecting
	// Connected: messages cross both ways.
	Connected
)

var stateNames = [...]string{"waiting", "connecting", "connected"}

// String is the state as logs and metrics name it.
func (s State) String() string { return stateNames[s] }

// DropReason says why the bridge gave up a message.
type DropReason uint8

// The reasons. Each has a counter that exists from the start.
const (
	DropEcho      DropReason = iota // from upstream: the echo of a message that the bridge had sent
	DropUnmapped                    // either way: no line carries the topic, or it has no valid name on the other side
	DropRefused                     // from upstream: the local broker refused it for good
	DropPoison                      // to upstream: it ended connection after connection
	DropUncertain                   // to upstream at QoS 0: the connection broke while it was being sent
	dropReasons
)

var dropNames = [dropReasons]string{"echo", "unmapped", "refused", "poison", "uncertain_qos0"}

// String is the reason as metrics name it.
func (r DropReason) String() string { return dropNames[r] }

// Status is a snapshot of a bridge.
type Status struct {
	Name      string
	State     State
	Since     time.Time     // when the state was entered
	LastError string        // why the last connection failed or ended, or what upstream refused; "" when nothing was wrong yet
	Backlog   int           // messages for upstream that wait or are in flight
	Oldest    time.Duration // how long the first of them has been known to wait; an estimate while there is no connection
	InFlight  int           // sent at QoS 1 or 2 and not yet acknowledged upstream

	Connects  uint64 // accepted connections
	Sent      uint64 // messages handed to the connection for the first time
	Acked     uint64 // of them, at QoS 1 and 2, acknowledged upstream
	Received  uint64 // messages from upstream
	Resent    uint64 // messages sent again on another connection
	Uncertain uint64 // messages at QoS 2 sent again although upstream may have had them: it had lost the session

	Dropped map[string]uint64 // by DropReason
}

// ledger is what Status reports, kept by the loop.
type ledger struct {
	mu      sync.Mutex
	s       Status
	waits   time.Time // since when messages are known to wait; zero: none does
	waiting func() int
}

func newLedger(name string) *ledger {
	l := &ledger{s: Status{Name: name, Dropped: make(map[string]uint64, dropReasons)}}
	for r := range dropReasons {
		l.s.Dropped[r.String()] = 0
	}
	return l
}

func (l *ledger) update(f func(*Status)) {
	l.mu.Lock()
	f(&l.s)
	l.mu.Unlock()
}

func (l *ledger) drop(r DropReason) {
	l.update(func(s *Status) { s.Dropped[r.String()]++ })
}

// state enters a state.
func (l *ledger) state(now time.Time, st State) {
	l.update(func(s *Status) {
		if s.State != st {
			s.State, s.Since = st, now
		}
	})
}

// backlog notes how much waits now and since when the first of it does; oldest is zero when that is not known.
func (l *ledger) backlog(now time.Time, inflight int, oldest time.Time) {
	n := l.waiting()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.InFlight = inflight
	switch {
	case n == 0:
		l.waits = time.Time{}
	case !oldest.IsZero():
		l.waits = oldest
	case l.waits.IsZero():
		l.waits = now
	}
}

func (l *ledger) snapshot(now time.Time) Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.s
	s.Dropped = maps.Clone(s.Dropped)
	if l.waiting != nil {
		s.Backlog = l.waiting()
	}
	if !l.waits.IsZero() && s.Backlog > 0 {
		s.Oldest = now.Sub(l.waits)
	}
	return s
}
