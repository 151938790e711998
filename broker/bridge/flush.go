package bridge

import (
	"errors"
	"fmt"
	"os"
	"time"

	"midge/broker/mqtt"
)

// send puts a whole packet behind what waits to be written. It never waits; on a broken wire the packet is lost.
func (w *wire) send(p []byte) {
	w.post(func(out []byte) []byte { return append(out, p...) })
}

// publish is send for a PUBLISH.
func (w *wire) publish(p *mqtt.Delivery) {
	w.post(func(out []byte) []byte {
		w.publishes = w.publishes || p.QoS > mqtt.AtMostOnce
		return p.Append(out, mqtt.V311)
	})
}

func (w *wire) post(add func(out []byte) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reason == nil {
		w.out = add(w.out)
		slot(w.flush)
	}
}

// full reports whether so much waits for the socket that nothing new should be sent; room tells when to ask again.
func (w *wire) full() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.out) >= writeMark
}

// lastPublished is when the last PUBLISH at QoS 1 or 2 had been written to the socket; now while one may still wait.
func (w *wire) lastPublished(now time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.publishes || w.sending {
		return now
	}
	return w.published
}

func (w *wire) flusher() {
	defer close(w.gone)
	for {
		select {
		case <-w.broken:
			return
		case <-w.flush:
		}
		for b, publishes := w.take(); len(b) > 0; b, publishes = w.take() {
			if err := w.write(b); err != nil {
				w.fail(ended(err))
				return
			}
			w.written(b, publishes)
		}
	}
}

func (w *wire) take() (b []byte, publishes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.out) == 0 {
		return nil, false
	}
	b, publishes = w.out, w.publishes
	w.out, w.spare, w.publishes, w.sending = w.spare[:0], nil, false, true
	return b, publishes
}

func (w *wire) write(b []byte) error {
	for len(b) > 0 {
		if err := w.Conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
			return err
		}
		n, err := w.Conn.Write(b[:min(len(b), writeChunk)])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("upstream has taken nothing for %v", writeTime)
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (w *wire) written(b []byte, publishes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cap(b) <= 2*writeMark {
		w.spare = b
	}
	w.sending = false
	if publishes {
		w.published = time.Now()
	}
	slot(w.room)
}

// finish says DISCONNECT, if it can be sent within d, and breaks the wire.
func (w *wire) finish(d time.Duration) {
	w.send([]byte{typeDisconnect << 4, 0})
	timer := time.NewTimer(d)
	defer timer.Stop()
	for w.unsent() {
		select {
		case <-w.room:
		case <-w.broken:
		case <-timer.C:
			w.fail(errStopped)
		}
	}
	w.fail(errStopped)
}

func (w *wire) unsent() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reason == nil && (len(w.out) > 0 || w.sending)
}
