package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// silence ends a run in which messages are missing: as long as nothing came.
const silence = 2 * time.Second

// settleTime bounds how long subscribers may take to get what waits in the server when the publishers have ended.
const settleTime = 2 * time.Minute

// figures are the outcome of one run, or the medians of several. A zero rate, cpu or perConn is not measured.
type figures struct {
	rate    float64 // messages a second at the subscribers
	cpu     float64 // the server's CPU time per message at the subscribers, in µs
	own     float64 // the generator's, in µs
	others  float64 // share of the machine that other programs took during the run, 0 to 1
	perConn float64 // anonymous memory of the server per idle connection, in octets

	due   int64 // messages that the subscribers were to get
	lost  int64 // of them, those that never came
	twice int64 // repeats
	late  int64 // messages that came after a later one of the same publisher

	resent int64 // repeats by MQTT-SN clients
}

// traffic is publishers and the subscribers that get what they send. Every connection stands before run.
type traffic struct {
	pubs []publisher
	subs []*subscriber
}

func (t *traffic) close() {
	for _, p := range t.pubs {
		p.close()
	}
	for _, s := range t.subs {
		s.conn.Close()
	}
}

// run lets the publishers send for budget, waits until all has come or silence says that no more will, and closes every
// connection. The window of the rate ends with the last message.
func (t *traffic) run(ctx context.Context, pid int, budget time.Duration) (figures, error) {
	defer t.close()
	defer context.AfterFunc(ctx, t.close)()
	m, err := startMeter(pid)
	if err != nil {
		return figures{}, err
	}
	var reading sync.WaitGroup
	for _, s := range t.subs {
		if !s.looped {
			reading.Go(func() { s.run(m.start) })
		}
	}
	err = t.publish(m.start.Add(budget))
	t.settle(ctx)
	u, meterErr := m.used()
	t.close()
	reading.Wait()
	f := t.sum(u)
	return f, errors.Join(ctx.Err(), err, meterErr, t.subscriberErr(f))
}

// publish runs all publishers to their end.
func (t *traffic) publish(until time.Time) error {
	errs := make([]error, len(t.pubs))
	var sending sync.WaitGroup
	for i, p := range t.pubs {
		sending.Go(func() { errs[i] = p.run(until) })
	}
	sending.Wait()
	return errors.Join(errs...)
}

// settle returns when every subscriber has what is due, nothing came for silence, settleTime is over or ctx ended.
func (t *traffic) settle(ctx context.Context) {
	var due int64
	for _, s := range t.subs {
		due += s.due()
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	begun := time.Now()
	changed, before := begun, int64(-1)
	for {
		got, now := t.got(), time.Now()
		if got != before {
			changed, before = now, got
		}
		if got >= due || now.Sub(changed) > silence || now.Sub(begun) > settleTime {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (t *traffic) got() (n int64) {
	for _, s := range t.subs {
		n += s.got.Load()
	}
	return n
}

func (t *traffic) sum(u usage) figures {
	f := figures{others: u.others}
	var got, end int64
	for _, s := range t.subs {
		got += s.once
		f.due += s.due()
		f.twice += s.twice
		f.late += s.late
		end = max(end, s.last.Load())
	}
	f.lost = f.due - got
	if got > 0 {
		f.rate = float64(got) / time.Duration(end).Seconds()
		f.cpu = float64(u.server.Nanoseconds()) / 1e3 / float64(got)
		f.own = float64(u.own.Nanoseconds()) / 1e3 / float64(got)
	}
	return f
}

// subscriberErr tells of a subscriber that did not live to the end, or got what nobody sent.
func (t *traffic) subscriberErr(f figures) error {
	for i, s := range t.subs {
		if s.err != nil && !errors.Is(s.err, net.ErrClosed) {
			return fmt.Errorf("subscriber %d ended early: %w", i, s.err)
		}
		if s.alien > 0 {
			return fmt.Errorf("subscriber %d got %d payloads that nobody sent", i, s.alien)
		}
	}
	if f.due == f.lost {
		return errors.New("not one message came")
	}
	return nil
}
