package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sort"
	"time"
)

const (
	headDisconnect = 0xE0
	// drainSilence ends a drain in which messages are missing.
	drainSilence = 3 * time.Second
)

// subscribeOffline makes a persistent session with one subscription at QoS 1 and leaves it.
func subscribeOffline(ctx context.Context, addr, id, filter string) error {
	st, err := connectAs(ctx, addr, id, 0, 64)
	if err != nil {
		return err
	}
	defer st.conn.Close()
	if err := st.subscribe(filter, 1); err != nil {
		return err
	}
	if _, err := st.Write([]byte{headDisconnect, 0}); err != nil {
		return fmt.Errorf("leave %s: %w", id, err)
	}
	// The server closes the connection when it has done with it.
	st.conn.SetReadDeadline(time.Now().Add(handshakeTime))
	if _, err := st.Read(make([]byte, 1)); err == nil {
		return fmt.Errorf("leave %s: the server sends something after DISCONNECT", id)
	}
	return nil
}

// A receiver is the client of a persistent session that takes what waits for it.
type receiver struct {
	*stream
	ledger
	out   []byte
	begun time.Time
	last  time.Time     // when a message came that had not come before
	ended chan struct{} // closed when run has ended
}

// newReceiver connects; publishers is how many publisher numbers there are.
func newReceiver(ctx context.Context, addr, id string, publishers int) (*receiver, error) {
	begun := time.Now()
	st, err := connectAs(ctx, addr, id, 0, subscriberBuffer)
	if err != nil {
		return nil, err
	}
	return &receiver{stream: st, ledger: newLedger(publishers), begun: begun, last: begun, ended: make(chan struct{})}, nil
}

// run reads and acknowledges until so many messages have come, nothing comes for drainSilence, or the connection is closed.
func (r *receiver) run(enough int64) error {
	defer close(r.ended)
	for r.once < enough {
		if enough < 1<<62 {
			r.conn.SetReadDeadline(time.Now().Add(drainSilence))
		}
		err := r.fill()
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
			return nil // the ledger tells what is missing
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if err := r.takeAll(); err != nil {
			return err
		}
	}
	return nil
}

func (r *receiver) takeAll() error {
	before := r.once
	r.out = r.out[:0]
	for {
		head, body, ok, err := r.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := r.take(head, body); err != nil {
			return err
		}
	}
	if r.once != before {
		r.last = time.Now()
	}
	_, err := r.Write(r.out)
	return err
}

func (r *receiver) take(head byte, body []byte) error {
	if head&0xF0 != headPublish || head>>1&3 != 1 {
		return fmt.Errorf("a subscriber at QoS 1 got a packet of type %#02x", head)
	}
	id, payload, err := splitPublish(body, 1)
	if err != nil {
		return err
	}
	if len(payload) != durableSize {
		return fmt.Errorf("a payload has %d octets, want %d", len(payload), durableSize)
	}
	r.note(binary.BigEndian.Uint32(payload), binary.BigEndian.Uint32(payload[4:]))
	r.out = appendAck(r.out, headPuback, id)
	return nil
}

// took is the time from the dial to the last message.
func (r *receiver) took() time.Duration { return r.last.Sub(r.begun) }

// rate is how many messages came a second.
func (r *receiver) rate() float64 { return float64(r.once) / max(r.took(), time.Microsecond).Seconds() }

// has reports whether a message came.
func (b *book) has(seq uint32) bool {
	i := sort.Search(len(b.gaps), func(i int) bool { return b.gaps[i].to > seq })
	return seq < b.next && (i == len(b.gaps) || b.gaps[i].from > seq)
}

// check holds what came against what was acknowledged.
func (f *durableFigures) check(c *crowd, l *ledger) {
	for _, s := range c.senders {
		b := &l.books[s.number]
		for seq := range s.seq {
			if s.acknowledged(seq) {
				f.due++
				if !b.has(seq) {
					f.lost++
				}
			}
		}
	}
	f.twice += l.twice
	f.late += l.late
}
