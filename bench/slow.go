package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// How many messages a second a slow publisher sends, and one that is alone.
const (
	slowRate = 50
	loneRate = 20
)

func slowPublishers(ctx context.Context, tgt target, sc scale) (figures, error) {
	return runSlow(ctx, tgt, sc, sc.slow, slowRate)
}

func lonePublisher(ctx context.Context, tgt target, sc scale) (figures, error) {
	return runSlow(ctx, tgt, sc, 1, loneRate)
}

func runSlow(ctx context.Context, tgt target, sc scale, n, rate int) (figures, error) {
	var t traffic
	err := t.addSubscriber(ctx, tgt, "slow/+", 1, n)
	if err == nil {
		s := &slow{rate: rate, grain: sc.grain}
		t.pubs = []publisher{s}
		t.subs[0].sources = t.sources()
		err = s.connect(ctx, tgt.mqtt, n)
	}
	if err != nil {
		t.close()
		return figures{}, err
	}
	return t.run(ctx, tgt.pid, sc.budget)
}

// slow is many publishers that each send a QoS 1 message now and then, all driven by one goroutine. Each reads its
// acknowledgements just before it sends again, so that they cost the generator no wake-up.
type slow struct {
	descriptors
	pubs  []slowPublisher
	rate  int           // messages a second of each
	grain time.Duration // of the pace
	buf   [1024]byte
	count int64
}

type slowPublisher struct {
	fd    int
	topic string
	seq   uint32
	acked int // octets of PUBACK that came, 4 a message
}

func (s *slow) connect(ctx context.Context, addr string, n int) error {
	for i := range n {
		st, err := connect(ctx, addr, fmt.Sprintf("slow-%d", i), 64)
		if err != nil {
			return err
		}
		fd, err := s.detach(st)
		if err != nil {
			return err
		}
		s.pubs = append(s.pubs, slowPublisher{fd: fd, topic: fmt.Sprintf("slow/%d", i)})
	}
	return nil
}

func (s *slow) sent() int64 { return s.count }

func (s *slow) run(until time.Time) error {
	s.begin()
	defer s.done()
	tick := newPace(time.Now(), len(s.pubs), s.rate, s.grain)
	for i := 0; tick.wait(until); i = (i + 1) % len(s.pubs) {
		if err := s.send(uint32(i)); err != nil {
			return fmt.Errorf("slow publisher %d: %w", i, err)
		}
	}
	return s.drain(until.Add(drainTime))
}

// send takes what acknowledgements have come and sends one message. A full socket holds the message back until the next turn.
func (s *slow) send(number uint32) error {
	p := &s.pubs[number]
	if err := s.readAcks(p); err != nil {
		return err
	}
	id := uint16(p.seq%0xFFFF) + 1
	b := appendPublish(s.buf[:0], p.topic, 1, id, number, p.seq)
	n, err := unix.Write(p.fd, b)
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	if err != nil || n < len(b) {
		return fmt.Errorf("wrote %d of %d octets: %w", n, len(b), err)
	}
	p.seq++
	s.count++
	return nil
}

func (s *slow) readAcks(p *slowPublisher) error {
	n, err := unix.Read(p.fd, s.buf[:])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil:
		return fmt.Errorf("read acknowledgements: %w", err)
	case n == 0:
		return errors.New("the server closed the connection")
	case p.acked%4 == 0 && s.buf[0] != headPuback:
		return fmt.Errorf("want PUBACK, got type %#02x", s.buf[0])
	}
	p.acked += n
	return nil
}

// drain waits for the acknowledgements that are still due.
func (s *slow) drain(until time.Time) error {
	for i := range s.pubs {
		p := &s.pubs[i]
		for p.acked < 4*int(p.seq) {
			if time.Now().After(until) {
				return fmt.Errorf("slow publisher %d: %d of %d messages acknowledged", i, p.acked/4, p.seq)
			}
			if err := s.readAcks(p); err != nil {
				return fmt.Errorf("slow publisher %d: %w", i, err)
			}
			if p.acked < 4*int(p.seq) {
				time.Sleep(time.Millisecond)
			}
		}
	}
	return nil
}
