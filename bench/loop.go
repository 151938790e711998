package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A loop drives windowed publishers and their subscribers by turns in one goroutine. A server that sends each packet by itself
// wakes it once for all sockets that are ready, where goroutines with sockets of their own would each be woken, and would each read
// once more in vain: with them the generator cost a third more, and held mosquitto back by a quarter. Two loops
// for the same pairs cost as much as the goroutines.
type loop struct {
	descriptors
	pubs []*windowed
	subs []*subscriber
}

// add takes a publisher and the subscriber that gets what it sends.
func (l *loop) add(p *windowed, s *subscriber) error {
	l.pubs, l.subs = append(l.pubs, p), append(l.subs, s)
	s.looped = true
	for _, st := range []*stream{p.stream, s.stream} {
		if _, err := l.detach(st); err != nil {
			return err
		}
	}
	return nil
}

func (l *loop) sent() (n int64) {
	for _, p := range l.pubs {
		n += p.sent()
	}
	return n
}

// run ends when every message is acknowledged and has come, or nothing came for silence after the deadline.
func (l *loop) run(until time.Time) error {
	l.begin()
	defer l.done()
	ep, err := newEpoll(l.fds)
	if err != nil {
		return err
	}
	defer unix.Close(ep)
	for i, p := range l.pubs {
		if err := p.launch(); err != nil {
			return fmt.Errorf("publisher of pair %d: %w", i, err)
		}
	}
	return l.turn(ep, time.Now(), until)
}

func (l *loop) turn(ep int, start, until time.Time) error {
	events := make([]unix.EpollEvent, len(l.fds))
	last := start // when something came
	for {
		ready, err := waitEpoll(ep, events)
		if err != nil {
			return err
		}
		now := time.Now()
		if len(ready) > 0 {
			last = now
		}
		more := now.Before(until)
		for _, ev := range ready {
			if err := l.step(int(ev.Fd), start, more); err != nil {
				return err
			}
		}
		if !more && l.settled() {
			return nil
		}
		if !more && now.Sub(last) > silence {
			return l.unacknowledged()
		}
	}
}

// step serves the socket with the index i in the order of add.
func (l *loop) step(i int, start time.Time, more bool) error {
	if i%2 == 0 {
		if err := l.pubs[i/2].step(more); err != nil {
			return fmt.Errorf("publisher of pair %d: %w", i/2, err)
		}
		return nil
	}
	if err := l.subs[i/2].step(start); err != nil {
		return fmt.Errorf("subscriber of pair %d: %w", i/2, err)
	}
	return nil
}

// settled says that nothing is under way any more.
func (l *loop) settled() bool {
	for i, p := range l.pubs {
		if p.open > 0 || l.subs[i].once < p.sent() {
			return false
		}
	}
	return true
}

// unacknowledged is an error when a publisher still waits. Missing messages are no error, the ledgers count them.
func (l *loop) unacknowledged() error {
	for i, p := range l.pubs {
		if p.open > 0 {
			return fmt.Errorf("publisher of pair %d: %d messages are not acknowledged", i, p.open)
		}
	}
	return nil
}
