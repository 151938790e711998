package main

import (
	"context"
	"fmt"
	"time"
)

// flood queues as fast as the server acknowledges, kills it in the middle of that, and lets the subscriber come after a restart.
func flood(ctx context.Context, d *durableRun) error {
	if err := subscribeOffline(ctx, d.mqtt, offlineID(0), "durable/#"); err != nil {
		return err
	}
	c, err := newCrowd(ctx, d.mqtt, d.sc.senders, func(s *sender) { s.window = d.sc.window })
	if err != nil {
		return err
	}
	defer c.close()
	g, err := startGauge(d.pid)
	if err != nil {
		return err
	}
	sending := c.start(time.Time{})
	err = rest(ctx, d.sc.budget)
	d.f.take(g.read(c.acked.Load()))
	d.crash()
	<-sending // with the errors of connections that are gone
	if err != nil {
		return err
	}
	if err := d.again(ctx); err != nil {
		return err
	}
	return d.drain(ctx, c, offlineID(0))
}

// drain connects an offline subscriber and holds what comes against what was acknowledged.
func (d *durableRun) drain(ctx context.Context, c *crowd, id string) error {
	r, err := newReceiver(ctx, d.mqtt, id, len(c.senders))
	if err != nil {
		return err
	}
	defer r.conn.Close()
	err = r.run(c.acked.Load())
	d.f.drain = r.rate()
	d.f.check(c, &r.ledger)
	return err
}

// onlineRate is how many messages a second go to online subscribers, all publishers together.
const onlineRate = 1000

// online sends at a pace to persistent subscribers that take everything at once.
func online(ctx context.Context, d *durableRun) error {
	c, err := newCrowd(ctx, d.mqtt, d.sc.senders, func(s *sender) { s.window, s.rate = d.sc.window, onlineRate/d.sc.senders })
	if err != nil {
		return err
	}
	defer c.close()
	var receivers []*receiver
	for i := range 2 {
		r, err := newReceiver(ctx, d.mqtt, offlineID(i), len(c.senders))
		if err != nil {
			return err
		}
		defer r.conn.Close()
		if err := r.subscribe("durable/#", 1); err != nil {
			return err
		}
		receivers = append(receivers, r)
		go r.run(1 << 62)
	}
	g, err := startGauge(d.pid)
	if err != nil {
		return err
	}
	if err := <-c.start(time.Now().Add(d.sc.paced)); err != nil {
		return err
	}
	if err := rest(ctx, d.sc.settle); err != nil {
		return err
	}
	d.f.take(g.read(c.acked.Load()))
	d.f.rate = float64(c.acked.Load()) / d.sc.paced.Seconds()
	for _, r := range receivers {
		r.conn.Close()
		<-r.ended
		d.f.check(c, &r.ledger)
	}
	return nil
}

// backlogRate is how many messages a second are queued, all publishers together.
const backlogRate = 5000

// backlog queues at a pace and then drains; what is written for both counts.
func backlog(ctx context.Context, d *durableRun) error {
	if err := subscribeOffline(ctx, d.mqtt, offlineID(0), "durable/#"); err != nil {
		return err
	}
	c, err := newCrowd(ctx, d.mqtt, d.sc.senders, func(s *sender) { s.window, s.rate = d.sc.window, backlogRate/d.sc.senders })
	if err != nil {
		return err
	}
	defer c.close()
	g, err := startGauge(d.pid)
	if err != nil {
		return err
	}
	if err := <-c.start(time.Now().Add(d.sc.paced)); err != nil {
		return err
	}
	if err := d.drain(ctx, c, offlineID(0)); err != nil {
		return err
	}
	if err := rest(ctx, d.sc.settle); err != nil {
		return err
	}
	d.f.take(g.read(c.acked.Load()))
	d.f.rate = float64(c.acked.Load()) / d.sc.paced.Seconds()
	return nil
}

// restartQueued fills many queues, kills the server, looks how it comes up, and drains the queues one after the other.
func restartQueued(ctx context.Context, d *durableRun) error {
	each := d.sc.queued / d.sc.sessions
	for i := range d.sc.sessions {
		if err := subscribeOffline(ctx, d.mqtt, offlineID(i), topicOf(uint32(i))); err != nil {
			return err
		}
	}
	c, err := newCrowd(ctx, d.mqtt, d.sc.sessions, func(s *sender) { s.window, s.limit = d.sc.window, uint32(each) })
	if err != nil {
		return err
	}
	defer c.close()
	if err := d.fill(ctx, c); err != nil {
		return err
	}
	got, took := int64(0), time.Duration(0)
	all := newLedger(len(c.senders))
	for i := range d.sc.sessions {
		r, err := newReceiver(ctx, d.mqtt, offlineID(i), len(c.senders))
		if err != nil {
			return err
		}
		err = r.run(int64(each))
		r.conn.Close()
		if err != nil {
			return fmt.Errorf("drain %s: %w", offlineID(i), err)
		}
		got, took = got+r.once, took+r.took()
		all.books[i], all.once, all.twice, all.late = r.books[i], all.once+r.once, all.twice+r.twice, all.late+r.late
	}
	d.f.drain = float64(got) / took.Seconds()
	d.f.check(c, &all)
	return nil
}

// fill lets a crowd send all it has, and then kills the server and starts it again.
func (d *durableRun) fill(ctx context.Context, c *crowd) error {
	g, err := startGauge(d.pid)
	if err != nil {
		return err
	}
	if err := <-c.start(time.Time{}); err != nil {
		return err
	}
	d.f.take(g.read(c.acked.Load()))
	d.crash()
	return d.again(ctx)
}

// restartRetained sets retained messages, kills the server, and reads them all after the restart.
func restartRetained(ctx context.Context, d *durableRun) error {
	c, err := newCrowd(ctx, d.mqtt, d.sc.senders, func(s *sender) {
		s.window, s.limit, s.retain = d.sc.window, uint32(d.sc.retained/d.sc.senders), true
	})
	if err != nil {
		return err
	}
	defer c.close()
	if err := d.fill(ctx, c); err != nil {
		return err
	}
	r, err := newReceiver(ctx, d.mqtt, "reader", len(c.senders))
	if err != nil {
		return err
	}
	defer r.conn.Close()
	if err := r.subscribe("durable/#", 1); err != nil {
		return err
	}
	err = r.run(c.acked.Load())
	d.f.drain = r.rate()
	d.f.check(c, &r.ledger)
	d.f.late = 0 // the topics of retained messages have no order
	return err
}

// rest waits, unless ctx ends.
func rest(ctx context.Context, t time.Duration) error {
	select {
	case <-time.After(t):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
