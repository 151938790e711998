package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// A publisher sends until a deadline.
type publisher interface {
	// run sends until the deadline and waits for the acknowledgements that are due then. It ends early when the connection is closed.
	run(until time.Time) error
	source
	// close ends the connections and with them a run that is under way.
	close()
}

// A source is what a subscriber's due is counted from.
type source interface {
	// sent is how many messages went out; valid when the run of their publisher has ended.
	sent() int64
}

// drainTime bounds the wait for a server that does not read, or does not acknowledge, after the deadline of a run.
const drainTime = 20 * time.Second

// blastBuffer is about what one write of a blast holds, in octets.
const blastBuffer = 64 << 10

// A blast publishes at QoS 0 as fast as the server reads. It writes the same buffer of packets again and again and
// changes only their sequence numbers.
type blast struct {
	*stream
	buf    []byte
	stride int // length of one packet in octets
	seq    uint32
}

func newBlast(ctx context.Context, addr, topic string, number uint32) (*blast, error) {
	st, err := connect(ctx, addr, fmt.Sprintf("pub-%d", number), 64)
	if err != nil {
		return nil, err
	}
	b := &blast{stream: st}
	one := appendPublish(nil, topic, 0, 0, number, 0)
	b.stride = len(one)
	for len(b.buf)+b.stride <= blastBuffer {
		b.buf = append(b.buf, one...)
	}
	return b, nil
}

func (b *blast) sent() int64 { return int64(b.seq) }
func (b *blast) close()      { b.conn.Close() }

func (b *blast) run(until time.Time) error {
	b.conn.SetDeadline(until.Add(drainTime))
	for time.Now().Before(until) {
		for at := b.stride - payloadSize + 4; at < len(b.buf); at += b.stride {
			binary.BigEndian.PutUint32(b.buf[at:], b.seq)
			b.seq++
		}
		if n, err := b.Write(b.buf); err != nil {
			b.seq -= uint32((len(b.buf) - n) / b.stride)
			return fmt.Errorf("publish at QoS 0: %w", err)
		}
	}
	return nil
}
