package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"
)

// subscriberBuffer is the read buffer of a subscriber in octets: what one read may take from a busy socket.
const subscriberBuffer = 256 << 10

// A subscriber reads all that comes, enters it into its ledger and answers each read with one write.
type subscriber struct {
	*stream
	ledger
	qos     byte
	sources []source // those whose every message it is to get
	looped  bool     // a loop drives it, not run
	out     []byte   // acknowledgements of the read in hand

	// Written by run once a read, for settle.
	got  atomic.Int64 // ledger.once
	last atomic.Int64 // when the last message came, in nanoseconds after the epoch of time.Since
	err  error        // why run ended; valid after run
}

// newSubscriber connects and subscribes to filter at qos; publishers is how many publisher numbers the run has.
func newSubscriber(ctx context.Context, addr, clientID, filter string, qos byte, publishers int) (*subscriber, error) {
	st, err := connect(ctx, addr, clientID, subscriberBuffer)
	if err != nil {
		return nil, err
	}
	if err := st.subscribe(filter, qos); err != nil {
		st.conn.Close()
		return nil, fmt.Errorf("%s: %w", clientID, err)
	}
	return &subscriber{stream: st, ledger: newLedger(publishers), qos: qos}, nil
}

// due is how many messages it is to get of what its sources have sent; valid when they have ended.
func (s *subscriber) due() (n int64) {
	for _, p := range s.sources {
		n += p.sent()
	}
	return n
}

// run reads until the connection is closed. start is the zero of last.
func (s *subscriber) run(start time.Time) {
	for s.err == nil {
		s.err = s.step(start)
	}
}

// step reads once, enters what came and answers.
func (s *subscriber) step(start time.Time) error {
	if err := s.fill(); err != nil {
		return err
	}
	return s.takeAll(start)
}

func (s *subscriber) takeAll(start time.Time) error {
	s.out = s.out[:0]
	before := s.once
	for {
		s.takeRun()
		head, body, ok, err := s.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := s.take(head, body); err != nil {
			return err
		}
	}
	if s.once != before {
		s.last.Store(int64(time.Since(start)))
		s.got.Store(s.once)
	}
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.Write(s.out)
	return err
}

// takeRun takes the run of short QoS 0 messages at the front of what was read, as take would and several times
// faster: it is most of what the generator does at QoS 0. It stops at anything else and leaves that to take.
func (s *subscriber) takeRun() {
	b := s.buf[s.start:s.end]
	for len(b) > 4 && b[0] == headPublish && b[1] < 0x80 {
		end := 2 + int(b[1])
		at := 4 + int(binary.BigEndian.Uint16(b[2:]))
		if end > len(b) || end-at != payloadSize {
			break
		}
		s.note(binary.BigEndian.Uint32(b[at:]), binary.BigEndian.Uint32(b[at+4:]))
		b = b[end:]
	}
	s.start = s.end - len(b)
}

func (s *subscriber) take(head byte, body []byte) error {
	switch {
	case head&0xF0 == headPublish:
		return s.takePublish(head>>1&3, body)
	case head == headPubrel:
		id, err := ackID(body)
		s.out = appendAck(s.out, headPubcomp, id)
		return err
	}
	return fmt.Errorf("a subscriber got a packet of type %#02x", head)
}

func (s *subscriber) takePublish(qos byte, body []byte) error {
	id, payload, err := splitPublish(body, qos)
	if err != nil {
		return err
	}
	if publisher, seq, ok := getPayload(payload); ok {
		s.note(publisher, seq)
	} else {
		s.alien++
	}
	switch qos {
	case 1:
		s.out = appendAck(s.out, headPuback, id)
	case 2:
		s.out = appendAck(s.out, headPubrec, id)
	}
	return nil
}
