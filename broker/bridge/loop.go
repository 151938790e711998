package bridge

import (
	"context"
	"errors"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"midge/broker"
)

// runner is one run of a bridge. Its loop is the one goroutine that calls the session and Paho.
type runner struct {
	*Bridge
	mapping   mapping
	peer      string // host:port upstream
	connectTo dialer
	stall     time.Duration

	session *broker.Session
	flight  flight
	inbox   inbox
	echoes  echoes
	backoff backoff
	trial   trial
	version uint // protocol level of the next CONNECT
	settled bool // version was accepted once: no further tries

	wake  waker
	timer *time.Timer

	link      *link     // nil: no connection and none being made
	connectAt time.Time // when there is no link
	unsent    []broker.Outbound
	lastSent  time.Time
	doubtful  int // how many more messages an earlier run may have sent: as many as it could have in flight

	busy      <-chan struct{} // a local receiver is behind: upstream is not read until this is closed …
	busyUntil time.Time       // … or this time

	again bool // a verb was called whose answer waits in the session

	logged map[string]time.Time // when each error was logged last
	batch  [pullBatch]broker.Outbound
}

// run connects, carries and reconnects until ctx ends.
func (r *runner) run(ctx context.Context) error {
	err := r.loop(ctx)
	if stopErr := r.stop(); err == nil {
		err = stopErr
	}
	r.timer.Stop()
	if closeErr := r.session.Close(time.Now(), broker.Closing{}); err == nil && closeErr != nil && !errors.Is(closeErr, broker.ErrTakenOver) {
		err = closeErr
	}
	return err
}

func (r *runner) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		now := time.Now()
		if err := r.work(now); err != nil {
			return err
		}
		r.timer.Reset(max(0, r.nextDeadline(now).Sub(now)))
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wait sleeps until something happens and takes it in.
func (r *runner) wait(ctx context.Context) error {
	c := r.channels()
	select {
	case <-ctx.Done():
	case <-r.wake:
	case <-r.timer.C:
	case <-r.busy:
		r.busy = nil
	case <-c.room:
	case <-c.heard:
	case <-c.broken:
	case o := <-c.result:
		return r.answered(time.Now(), o)
	case g := <-c.granted:
		r.subscribed(time.Now(), g)
	case m := <-c.inbound:
		return r.arrived(time.Now(), m)
	}
	return nil
}

// channels are those of the link as far as they are to be listened to now; a nil channel is never ready.
type channels struct {
	room, heard, broken <-chan struct{}
	result              <-chan outcome
	granted             <-chan grant
	inbound             <-chan paho.Message
}

func (r *runner) channels() (c channels) {
	l := r.link
	if l == nil {
		return c
	}
	c.result, c.granted = l.result, l.granted
	if l.wire == nil {
		return c
	}
	c.room, c.heard, c.broken = l.wire.room, l.wire.heard, l.wire.broken
	if r.busy == nil {
		c.inbound = l.inbound
	}
	return c
}

// work does everything that can be done now.
func (r *runner) work(now time.Time) error {
	if r.busy != nil && !now.Before(r.busyUntil) {
		r.busy = nil
	}
	if r.link == nil && !now.Before(r.connectAt) {
		r.connect(now)
	}
	if err := r.takeAcks(now); err != nil {
		return err
	}
	if l := r.link; l != nil && l.wire != nil {
		if why := l.wire.why(); why == nil {
			r.check(now)
		}
		if l.wire.why() != nil {
			if err := r.lost(now); err != nil {
				return err
			}
		}
	}
	if err := r.takeEvents(); err != nil {
		return err
	}
	if err := r.retryHeld(now); err != nil {
		return err
	}
	if err := r.pull(now); err != nil {
		return err
	}
	v := r.flight.view()
	r.ledger.backlog(now, v.inflight, v.oldest)
	return nil
}

// nextDeadline is when the loop must look again although nothing happened.
func (r *runner) nextDeadline(now time.Time) time.Time {
	next := now.Add(time.Hour)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	if r.busy != nil {
		sooner(r.busyUntil)
	}
	sooner(r.inbox.retryAt)
	if r.link == nil {
		sooner(r.connectAt)
		return next
	}
	sooner(r.link.deadline)
	if r.link.phase == open && len(r.flight.list) > 0 {
		sooner(now.Add(r.stall / 8))
	}
	return next
}

// stop leaves the upstream: what is in flight has a moment to be acknowledged, then the bridge says that it goes.
func (r *runner) stop() (err error) {
	l := r.link
	if l == nil {
		return nil
	}
	if l.wire == nil {
		l.cancel()
		o := <-l.result
		if l.wire = o.wire; o.err != nil {
			if o.wire != nil {
				o.wire.fail(errStopped)
			}
			l.free()
			return nil
		}
	}
	if l.phase == open && l.wire.why() == nil {
		r.availability("0")
		err = r.quiesce()
		l.wire.finish(finishTime)
	}
	l.end(errStopped)
	err = errors.Join(err, r.takeAcks(time.Now()))
	r.link = nil
	r.ledger.state(time.Now(), Waiting)
	r.log.Info("bridge disconnected", "peer", r.peer)
	return err
}

// quiesce waits until all that is in flight is acknowledged, for quiesceTime at most.
func (r *runner) quiesce() error {
	timer := time.NewTimer(quiesceTime)
	defer timer.Stop()
	r.link.closing = true
	for {
		now := time.Now()
		if err := errors.Join(r.takeAcks(now), r.pull(now)); err != nil {
			return err
		}
		if len(r.flight.list) == 0 {
			return nil
		}
		select {
		case <-r.link.wire.heard:
		case <-r.wake:
		case <-r.link.wire.broken:
			return nil
		case <-timer.C:
			return nil
		}
	}
}
