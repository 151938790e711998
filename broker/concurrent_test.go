package broker

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker/mqtt"
	"midge/broker/store"
)

// bell is a waker with one slot.
type bell chan struct{}

func (b bell) Wake() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// TestNothingLost has several publishers at QoS 1 and 2 and subscribers that are taken over again and again while they pull: every message
// arrives, those of one publisher in order, at QoS 2 once.
func TestNothingLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { nothingLost(t, New(Limits{}), 2000) })
}

// TestNothingLostThroughTheStore is the same with sessions that are kept on disk, where most of their queues wait.
func TestNothingLostThroughTheStore(t *testing.T) {
	for _, how := range []Durability{{}, {CommitInterval: 5 * time.Millisecond}} {
		s, err := store.Open(store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := Restore(time.Now(), Limits{}, s, how)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		nothingLost(t, b, 1000)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the broker runs to its end: %v", err)
		}
		if err := b.Stop(time.Now()); err != nil {
			t.Errorf("the store closes: %v", err)
		}
	}
}

func nothingLost(t *testing.T, b *Broker, messages int) {
	const publishers = 4
	var readers, writers sync.WaitGroup
	for _, qos := range []mqtt.QoS{mqtt.AtLeastOnce, mqtt.ExactlyOnce} {
		r := &reader{t: t, b: b, qos: qos, want: publishers * messages, seen: make(map[string]int), open: make(map[uint16]bool),
			bell: make(bell, 1), rob: make(chan int, 1), robbed: make(chan *Session, 2)}
		sub := r.connect(0)
		sub.Subscribe(time.Now(), []Subscription{{Filter: "t/#", QoS: qos}})
		readers.Go(func() { r.run(sub) })
		readers.Go(r.takeOver)
	}
	for i := range publishers {
		writers.Go(func() { publishAll(t, b, i, messages) })
	}
	writers.Wait()
	readers.Wait()
	b.check(t, "all was delivered")
	c := b.Counters()
	want(t, "all was delivered", c.Queued == 0 && c.Inflight == 0, "nothing waits any more: %+v", c)
	for reason, n := range c.Dropped {
		want(t, "all was delivered", n == 0, "nothing is dropped: %d %s", n, reason)
	}
}

// publishAll publishes one at a time or several and pauses when it is told that a queue is busy.
func publishAll(t *testing.T, b *Broker, number, messages int) {
	ring := make(bell, 1)
	s := mustOpen(t, b, Options{ClientID: fmt.Sprint("pub", number), CleanStart: true, Waker: ring})
	out := make([]Outbound, 200)
	for n := 0; n < messages; {
		batch := make([]Inbound, min(1+n%67, messages-n))
		for i := range batch {
			batch[i] = Inbound{ID: uint16(i + 1), Message: &Message{Topic: fmt.Sprint("t/", number), Payload: fmt.Append(nil, n), QoS: mqtt.AtLeastOnce + mqtt.QoS(n%2)}}
			n++
		}
		busy, err := s.Publish(time.Now(), batch)
		if err != nil {
			t.Errorf("publisher %d goes on: %v", number, err)
			return
		}
		for open := len(batch); open > 0; {
			k, _ := s.Next(time.Now(), out)
			for _, o := range out[:k] {
				if o.Kind == Pubrec {
					s.Release(o.ID)
				} else {
					open--
				}
			}
			if k == 0 {
				<-ring
			}
		}
		if busy != nil {
			<-busy
		}
	}
}

// reader is one client whose session is taken over by its next connection while it pulls.
type reader struct {
	t    *testing.T
	b    *Broker
	qos  mqtt.QoS
	want int

	seen map[string]int  // times that each message came
	last map[string]int  // number that came last on this connection, by topic
	open map[uint16]bool // QoS 2: received, PUBREL awaited
	bell bell

	rob    chan int // asks takeOver for the next connection
	robbed chan *Session
}

func (r *reader) connect(turn int) *Session {
	return mustOpen(r.t, r.b, Options{ClientID: fmt.Sprint("sub", r.qos), SessionExpiry: 60, ReceiveMaximum: uint16(10 + turn%100), Waker: r.bell})
}

func (r *reader) takeOver() {
	for turn := range r.rob {
		r.robbed <- r.connect(turn)
	}
}

func (r *reader) run(s *Session) {
	defer close(r.rob)
	r.last = make(map[string]int)
	dst := make([]Outbound, 37)
	for turn, n := 1, 0; len(r.seen) < r.want || n > 0 || s.Waiting() > 0; turn++ {
		if turn%20 == 0 {
			select {
			case r.rob <- turn:
			default:
			}
		}
		var err error
		if n, err = s.Next(time.Now(), dst); err != nil {
			s, r.last, n = <-r.robbed, make(map[string]int), 1
			continue
		}
		for _, o := range dst[:n] {
			r.take(s, o)
		}
		if n == 0 && (len(r.seen) < r.want || s.Waiting() > 0) {
			<-r.bell
		}
	}
}

// take answers one thing. The session may have been taken over before the answer.
func (r *reader) take(s *Session, o Outbound) {
	switch {
	case o.Kind == Pubrel:
		delete(r.open, o.ID)
		s.Completed(o.ID)
	case o.Kind != Publish:
		r.t.Errorf("a subscriber is given %s", o.text())
	case o.QoS == mqtt.ExactlyOnce:
		if !r.open[o.ID] {
			r.open[o.ID] = true
			r.note(o)
		}
		s.Received(o.ID)
	default:
		r.note(o)
		s.Acked(o.ID)
	}
}

func (r *reader) note(o Outbound) {
	number, err := strconv.Atoi(string(o.Message.Payload))
	if err != nil {
		r.t.Errorf("a payload is a number: %v", err)
	}
	if last, ok := r.last[o.Message.Topic]; ok && number <= last {
		r.t.Errorf("%d of %s comes after %d on one connection", number, o.Message.Topic, last)
	}
	r.last[o.Message.Topic] = number
	what := fmt.Sprint(o.Message.Topic, " ", number)
	if r.seen[what]++; r.seen[what] > 1 && o.QoS == mqtt.ExactlyOnce {
		r.t.Errorf("%s comes %d times at QoS 2", what, r.seen[what])
	}
}
