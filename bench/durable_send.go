package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// durableSize is the length of every payload of the durable works in octets: publisher number 4, sequence number 4, noise.
const durableSize = 250

// noise is what payloads are filled with: nothing that a store could compress.
var noise = func() (b [1 << 20]byte) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
	return b
}()

// topicOf is the topic of a publisher: 20 octets.
func topicOf(number uint32) string { return fmt.Sprintf("durable/topic-%06d", number) }

func offlineID(i int) string { return fmt.Sprintf("offline-%d", i) }

// A sender publishes at QoS 1 and remembers what was acknowledged.
type sender struct {
	*stream
	number uint32
	window int
	rate   int    // messages a second, 0 = as fast as the window allows
	limit  uint32 // messages in all, 0 = until the deadline
	retain bool   // each message has a topic of its own and is retained

	seq   uint32 // messages sent
	open  int
	id    uint16
	ids   [1 << 16]uint32 // sequence number + 1 of an open packet identifier, 0 = free
	marks []uint64        // a bit for each acknowledged sequence number
	count *atomic.Int64   // of acknowledgements, shared by the crowd
	out   []byte
}

// A crowd is senders that send together.
type crowd struct {
	senders []*sender
	acked   atomic.Int64
}

// newCrowd connects n senders; set says how each sends.
func newCrowd(ctx context.Context, addr string, n int, set func(*sender)) (*crowd, error) {
	c := &crowd{}
	for i := range n {
		st, err := connect(ctx, addr, fmt.Sprintf("sender-%d", i), 64<<10)
		if err != nil {
			c.close()
			return nil, err
		}
		s := &sender{stream: st, number: uint32(i), count: &c.acked}
		set(s)
		c.senders = append(c.senders, s)
	}
	return c, nil
}

func (c *crowd) close() {
	for _, s := range c.senders {
		s.conn.Close()
	}
}

// start lets all send until the deadline, or without one until each has reached its limit, and wait for what is open. The channel gives the first error, or nil, when
// all have ended.
func (c *crowd) start(until time.Time) <-chan error {
	ended := make(chan error, 1)
	errs := make([]error, len(c.senders))
	var sending sync.WaitGroup
	for i, s := range c.senders {
		sending.Go(func() {
			if err := s.run(until); err != nil {
				errs[i] = fmt.Errorf("sender %d: %w", i, err)
			}
		})
	}
	go func() {
		sending.Wait()
		ended <- errors.Join(errs...)
	}()
	return ended
}

func (s *sender) run(until time.Time) error {
	begun := time.Now()
	for {
		now := time.Now()
		more := until.IsZero() || now.Before(until)
		if s.limit > 0 && s.seq == s.limit {
			more = false
		}
		if !more && s.open == 0 {
			return nil
		}
		if more {
			s.refill(now.Sub(begun))
		}
		if _, err := s.Write(s.out); err != nil {
			return err
		}
		s.out = s.out[:0]
		if err := s.wait(now, begun, more); err != nil {
			return err
		}
	}
}

// refill sends what the window, the pace and the limit allow.
func (s *sender) refill(since time.Duration) {
	due := uint32(1 << 31)
	if s.rate > 0 {
		due = uint32(int64(since) * int64(s.rate) / int64(time.Second))
	}
	if s.limit > 0 {
		due = min(due, s.limit)
	}
	for ; s.open < s.window && s.seq < due; s.open++ {
		for s.id++; s.id == 0 || s.ids[s.id] != 0; s.id++ {
		}
		s.ids[s.id] = s.seq + 1
		s.publish()
		s.seq++
	}
}

func (s *sender) publish() {
	topic, head := topicOf(s.number), byte(headPublish|1<<1)
	if s.retain {
		topic, head = fmt.Sprintf("%s/%d", topic, s.seq), head|1
	}
	s.out = appendLength(append(s.out, head), 2+len(topic)+2+durableSize)
	s.out = binary.BigEndian.AppendUint16(appendString(s.out, topic), s.id)
	from := (int(s.number)*7919 + int(s.seq)*(durableSize-8)) % (len(noise) - durableSize)
	s.out = append(s.out, noise[from:from+durableSize]...)
	putPayload(s.out[len(s.out)-durableSize:], s.number, s.seq)
}

// readMin is how long a read waits at least: past its deadline a connection does not look for what has come.
const readMin = 100 * time.Microsecond

// wait reads once; a paced sender that has more to send no longer than until its next message is due.
func (s *sender) wait(now, begun time.Time, more bool) error {
	deadline, paced := now.Add(drainTime), s.rate > 0 && more && s.open < s.window
	if paced {
		due := begun.Add(time.Duration(int64(s.seq+1) * int64(time.Second) / int64(s.rate)))
		deadline = now.Add(max(readMin, due.Sub(now)))
	}
	s.conn.SetReadDeadline(deadline)
	if err := s.fill(); paced && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	} else if err != nil {
		return err
	}
	for {
		head, body, ok, err := s.next()
		if err != nil || !ok {
			return err
		}
		if err := s.take(head, body); err != nil {
			return err
		}
	}
}

func (s *sender) take(head byte, body []byte) error {
	id, err := ackID(body)
	if err != nil {
		return err
	}
	if head != headPuback || s.ids[id] == 0 {
		return fmt.Errorf("got type %#02x for packet %d, which does not wait for it", head, id)
	}
	s.mark(s.ids[id] - 1)
	s.ids[id] = 0
	s.open--
	s.count.Add(1)
	return nil
}

func (s *sender) mark(seq uint32) {
	for int(seq/64) >= len(s.marks) {
		s.marks = append(s.marks, 0)
	}
	s.marks[seq/64] |= 1 << (seq % 64)
}

// acknowledged reports whether a message was.
func (s *sender) acknowledged(seq uint32) bool {
	return int(seq/64) < len(s.marks) && s.marks[seq/64]&(1<<(seq%64)) != 0
}
