package main

import (
	"context"
	"fmt"
)

// A windowed publisher keeps a fixed number of QoS 1 or 2 messages open: as many go out as one read has completed.
type windowed struct {
	*stream
	topic  string
	qos    byte
	number uint32
	window int

	seq  uint32
	open int           // messages that are not completed
	id   uint16        // the packet identifier used last
	wait [1 << 16]byte // first octet of the acknowledgement that a packet identifier waits for, 0 = free
	out  []byte
}

func newWindowed(ctx context.Context, addr, topic string, qos byte, number uint32, window int) (*windowed, error) {
	st, err := connect(ctx, addr, fmt.Sprintf("pub-%d", number), 64<<10)
	if err != nil {
		return nil, err
	}
	return &windowed{stream: st, topic: topic, qos: qos, number: number, window: window}, nil
}

func (w *windowed) sent() int64 { return int64(w.seq) }

// launch sends the first window.
func (w *windowed) launch() error {
	w.refill()
	return w.flush()
}

// step reads once and answers; with more it fills the window again.
func (w *windowed) step(more bool) error {
	if err := w.takeAll(); err != nil {
		return err
	}
	if more {
		w.refill()
	}
	return w.flush()
}

func (w *windowed) flush() error {
	if len(w.out) == 0 {
		return nil
	}
	_, err := w.Write(w.out)
	w.out = w.out[:0]
	return err
}

func (w *windowed) refill() {
	for ; w.open < w.window; w.open++ {
		for w.id++; w.id == 0 || w.wait[w.id] != 0; w.id++ {
		}
		w.wait[w.id] = headPuback
		if w.qos == 2 {
			w.wait[w.id] = headPubrec
		}
		w.out = appendPublish(w.out, w.topic, w.qos, w.id, w.number, w.seq)
		w.seq++
	}
}

func (w *windowed) takeAll() error {
	if err := w.fill(); err != nil {
		return err
	}
	for {
		head, body, ok, err := w.next()
		if err != nil || !ok {
			return err
		}
		if err := w.take(head, body); err != nil {
			return err
		}
	}
}

func (w *windowed) take(head byte, body []byte) error {
	id, err := ackID(body)
	if err != nil {
		return err
	}
	if head != w.wait[id] {
		return fmt.Errorf("packet %d waits for type %#02x, got %#02x", id, w.wait[id], head)
	}
	if head == headPubrec {
		w.wait[id] = headPubcomp
		w.out = appendAck(w.out, headPubrel, id)
		return nil
	}
	w.wait[id] = 0
	w.open--
	return nil
}
