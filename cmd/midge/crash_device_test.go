package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"midge/broker/mqtt"
	"midge/mqttsn"
	"midge/mqttsn/client"
)

// unaware is a device that must not notice that its gateway was killed: it repeats what is not answered, for as long as it takes, and never connects
// a second time.
type unaware struct {
	*device
	h          *history
	id         string
	rng        *rand.Rand
	registered map[string]registration
	done       chan struct{} // closed when run has ended
}

// registration is a name that has had an id.
type registration struct {
	id uint16
	at time.Duration
}

// enduring is a device's configuration for that.
func enduring(id string) client.Config {
	return client.Config{ClientID: id, KeepAlive: 5 * time.Minute, Retry: 250 * time.Millisecond, Retries: 400, QueueMax: 100,
		CongestionWait: 500 * time.Millisecond, TopicsMax: 5000}
}

// ask makes a request of the machine, unless ctx has ended.
func (d *unaware) ask(ctx context.Context, call func(*client.Client, time.Time) error) error {
	select {
	case d.calls <- call:
		return <-d.errs
	case <-d.device.done:
		return errors.New("the device has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// event returns the next event; ok is false when ctx has ended. What no restart may cause is a fault.
func (d *unaware) event(ctx context.Context) (e client.Event, ok bool) {
	select {
	case e = <-d.events:
	case <-ctx.Done():
		return nil, false
	}
	switch e := e.(type) {
	case client.Lost:
		d.h.fault("%s has lost its gateway: %s", d.id, e.Reason)
	case client.ConnectRefused, client.Ended:
		d.h.fault("%s: unexpected %T %+v", d.id, e, e)
	case client.Registered:
		d.register(e)
	}
	return e, true
}

// register checks that an id, once given, stays. Only around a kill the gateway may not know whether the device has heard of it, and tell it again.
func (d *unaware) register(e client.Registered) {
	now := d.h.now()
	before, again := d.registered[e.Name]
	switch {
	case e.Code != mqttsn.Accepted:
		d.h.fault("%s cannot register %s: %v", d.id, e.Name, e.Code)
		return
	case again && before.id != e.ID:
		d.h.fault("%s: %s had topic id %d and now has %d", d.id, e.Name, before.id, e.ID)
	case again && !d.h.killed(before.at-readLag, before.at+ackLag):
		d.h.fault("%s: %s was registered again", d.id, e.Name)
	}
	d.registered[e.Name] = registration{e.ID, now}
}

// counters are what the machine has counted.
func (d *unaware) counters(ctx context.Context) (c client.Counters) {
	d.ask(ctx, func(m *client.Client, _ time.Time) error {
		c = m.Counters()
		return nil
	})
	return c
}

// check looks for what must not have happened. It is called when run has ended.
func (d *unaware) check(ctx context.Context) {
	c := d.counters(ctx)
	if n := c.Received[mqttsn.TypeConnack]; n != 1 {
		d.h.fault("%s was to connect once, it got CONNACK %d times", d.id, n)
	}
	if c.Losses != 0 {
		d.h.fault("%s has lost its gateway %d times", d.id, c.Losses)
	}
}

// snPublisher publishes one message after the other.
type snPublisher struct {
	unaware
	src   *source
	every time.Duration // mean wait between two messages
	next  func(rng *rand.Rand, number int) message
	allowance
}

// run publishes until finish was called, or ctx ends.
func (p *snPublisher) run(ctx context.Context) {
	defer close(p.done)
	for !p.ending.Load() && ctx.Err() == nil {
		if !p.spend() {
			pause(ctx, p.every)
			continue
		}
		m := p.next(p.rng, len(p.src.sent))
		number, payload := p.src.send(m)
		var token client.Token
		var before uint64
		err := p.ask(ctx, func(c *client.Client, now time.Time) (err error) {
			before = c.Counters().Retransmissions
			token, err = c.Publish(now, client.Named(m.topic), mqttsn.QoS(p.src.qos), m.retain, payload)
			return err
		})
		if err != nil {
			if ctx.Err() == nil {
				p.h.fault("%s cannot publish: %v", p.id, err)
			}
			return
		}
		if !p.published(ctx, token, number) {
			return
		}
		p.src.again(number, int(p.counters(ctx).Retransmissions-before))
		pause(ctx, time.Duration(p.rng.Int64N(int64(2*p.every))))
	}
}

// published waits for the acknowledgement.
func (p *snPublisher) published(ctx context.Context, token client.Token, number int) bool {
	for {
		e, ok := p.event(ctx)
		if !ok {
			return false
		}
		done, is := e.(client.Published)
		if !is || done.Token != token {
			continue
		}
		if done.Code != mqttsn.Accepted || done.Discarded {
			p.h.fault("%s: %v was refused with %v (discarded: %v)", p.id, key{p.src, number}, done.Code, done.Discarded)
			return true
		}
		p.src.acked(number)
		return true
	}
}

// sleeper is a device that is asleep most of the time, and gets what came meanwhile when it wakes.
type sleeper struct {
	unaware
	sink *sink
	nap  time.Duration // mean
	over func() bool   // asked when it is asleep: it may end
}

// run naps and wakes until over says so or ctx ends.
func (s *sleeper) run(ctx context.Context) {
	defer close(s.done)
	woke, slept := client.Counters{}, client.Counters{}
	for ctx.Err() == nil && !s.over() {
		pause(ctx, time.Duration(s.rng.Int64N(int64(2*s.nap))))
		// A gateway that gets the same PINGREQ twice cannot know that the device sleeps again when it answers the second.
		now := s.counters(ctx)
		if now.WhileAsleep > slept.WhileAsleep && slept.Retransmissions == woke.Retransmissions {
			s.h.fault("%s was asleep, had asked once, and got %d messages", s.id, now.WhileAsleep-slept.WhileAsleep)
		}
		woke = now
		if err := s.ask(ctx, func(c *client.Client, now time.Time) error { return c.Wake(now) }); err != nil {
			if ctx.Err() == nil {
				s.h.fault("%s cannot wake: %v", s.id, err)
			}
			return
		}
		if !s.awake(ctx) {
			return
		}
		slept = s.counters(ctx)
	}
}

// awake takes messages until PINGRESP.
func (s *sleeper) awake(ctx context.Context) bool {
	for {
		e, ok := s.event(ctx)
		if !ok {
			return false
		}
		switch e := e.(type) {
		case client.Message:
			s.sink.arrive(e.Topic, e.Payload, mqtt.QoS(e.QoS), e.Dup)
		case client.AwakeEnded:
			return true
		case client.Lost:
			return false
		}
	}
}
