package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// snRate is how many messages a second each client of the paced work sends.
const snRate = 5

func snClosedLoop(ctx context.Context, tgt target, sc scale) (figures, error) {
	p := &snLoop{}
	return runSN(ctx, tgt, sc, sc.snClosed, p, &p.snClients)
}

func snPaced(ctx context.Context, tgt target, sc scale) (figures, error) {
	p := &snSlow{grain: sc.grain}
	return runSN(ctx, tgt, sc, sc.snPaced, p, &p.snClients)
}

// runSN connects n MQTT-SN clients and one MQTT subscriber to all their topics, and runs p, which drives the clients.
func runSN(ctx context.Context, tgt target, sc scale, n int, p publisher, clients *snClients) (figures, error) {
	t := traffic{pubs: []publisher{p}}
	err := t.addSubscriber(ctx, tgt, "sn/+", 1, n)
	if err == nil {
		t.subs[0].sources = t.sources()
		err = clients.connect(tgt.sn, n)
	}
	if err != nil {
		t.close()
		return figures{}, err
	}
	f, err := t.run(ctx, tgt.pid, sc.budget)
	f.resent = clients.resent
	return f, err
}

// snLoop drives clients that each send the next message when the last one is acknowledged.
type snLoop struct{ snClients }

func (s *snLoop) run(until time.Time) error {
	s.begin()
	defer s.done()
	ep, err := newEpoll(s.fds)
	if err != nil {
		return err
	}
	defer unix.Close(ep)
	for _, c := range s.clients {
		if err := s.publish(c, time.Now()); err != nil {
			return err
		}
	}
	return s.loop(ep, until)
}

func (s *snLoop) loop(ep int, until time.Time) error {
	events := make([]unix.EpollEvent, len(s.clients))
	open, checked := len(s.clients), time.Now()
	for open > 0 {
		ready, err := waitEpoll(ep, events)
		if err != nil {
			return err
		}
		now := time.Now()
		for _, ev := range ready {
			closed, err := s.turn(s.clients[ev.Fd], now, now.Before(until))
			if err != nil {
				return fmt.Errorf("MQTT-SN client %d: %w", ev.Fd, err)
			}
			if closed {
				open--
			}
		}
		if now.Sub(checked) > snRetry/10 {
			checked = now
			if err := s.repeatOverdue(now); err != nil {
				return err
			}
		}
		if now.After(until.Add(drainTime)) {
			return fmt.Errorf("%d MQTT-SN clients wait for a PUBACK", open)
		}
	}
	return nil
}

// turn takes what has come for c and sends its next message if it is free; closed says that it is free and has no more to send.
func (s *snLoop) turn(c *snClient, now time.Time, more bool) (closed bool, err error) {
	was := c.open
	if err := c.takeAck(); err != nil {
		return false, err
	}
	if c.open || !was {
		return false, nil
	}
	if !more {
		return true, nil
	}
	return false, s.publish(c, now)
}

func (s *snLoop) repeatOverdue(now time.Time) error {
	for _, c := range s.clients {
		if c.open && now.Sub(c.sentAt) >= snRetry {
			if err := s.repeat(c, now); err != nil {
				return fmt.Errorf("MQTT-SN client %d: %w", c.number, err)
			}
		}
	}
	return nil
}

// snSlow drives clients that send at a fixed pace. One whose last message is not acknowledged repeats it in place of a new one.
type snSlow struct {
	snClients
	grain time.Duration // of the pace
}

func (s *snSlow) run(until time.Time) error {
	s.begin()
	defer s.done()
	tick := newPace(time.Now(), len(s.clients), snRate, s.grain)
	for i := 0; tick.wait(until); i = (i + 1) % len(s.clients) {
		if err := s.turn(s.clients[i]); err != nil {
			return fmt.Errorf("MQTT-SN client %d: %w", i, err)
		}
	}
	return s.drain(until.Add(drainTime))
}

func (s *snSlow) turn(c *snClient) error {
	if c.open {
		if err := c.takeAck(); err != nil {
			return err
		}
	}
	if c.open {
		return s.repeat(c, time.Now())
	}
	return s.publish(c, time.Now())
}

// drain waits for the acknowledgements that are still due.
func (s *snSlow) drain(until time.Time) error {
	for _, c := range s.clients {
		for c.open {
			now := time.Now()
			if now.After(until) {
				return fmt.Errorf("MQTT-SN client %d waits for a PUBACK", c.number)
			}
			if err := c.takeAck(); err != nil {
				return err
			}
			if c.open && now.Sub(c.sentAt) >= snRetry {
				if err := s.repeat(c, now); err != nil {
					return err
				}
			}
			if c.open {
				time.Sleep(time.Millisecond)
			}
		}
	}
	return nil
}
