package serial

import (
	"fmt"
	"sync"
	"time"

	"midge/transports"
)

// Back-off between attempts to open a device that is away.
const (
	reopenFirst = 500 * time.Millisecond
	reopenMost  = 5 * time.Second
)

// readRoom is the octets of one read: what a line of 921,600 baud brings in 40 ms.
const readRoom = 4096

// A Link is a serial line as a transports.Link.
type Link struct {
	set      settings
	open     func() (*line, error) // nil: the stream cannot be had again
	counters *transports.Counters

	// The reader's own.
	decoder Decoder
	counted Lost // of decoder, already in counters
	buf     [readRoom]byte

	closing chan struct{} // closed when Close begins
	giveUp  chan struct{} // closed when Close waits no longer for what is queued
	written chan struct{} // closed when the writer has ended
	queued  chan struct{} // one slot: the queue has something
	once    sync.Once

	mu     sync.Mutex
	line   *line  // nil while the device is away
	why    string // when line is nil
	wasUp  bool   // the device has been there once
	failed error  // of a stream that cannot be had again
	closed bool
	out    queue
	places parking // occupied while the device is away
}

var _ transports.Link = (*Link)(nil)

// newLink starts with a line, or without one because of why.
func newLink(s settings, open func() (*line, error), ln *line, why error) *Link {
	l := &Link{
		set: s, open: open,
		counters: transports.NewCounters(transports.ReasonOversize, transports.ReasonQueueFull, transports.ReasonSend, transports.ReasonCRC,
			transports.ReasonMalformed, transports.ReasonGarbageBytes, transports.ReasonDown, transports.ReasonReopen),
		decoder: s.framing.NewDecoder(s.MTU, s.Gap),
		closing: make(chan struct{}), giveUp: make(chan struct{}), written: make(chan struct{}), queued: make(chan struct{}, 1),
		out: newQueue(s.octet, s.MTU), line: ln, wasUp: ln != nil,
	}
	if ln == nil {
		l.why = why.Error()
		l.places.occupy()
	}
	go l.write()
	return l
}

// ReadFrames waits for messages on the line. While the device is away it tries to open it again.
func (l *Link) ReadFrames(frames []transports.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	for {
		l.mu.Lock()
		ln, failed, closed := l.line, l.failed, l.closed
		l.mu.Unlock()
		if closed {
			return 0, transports.ErrClosed
		}
		if n := l.decoded(frames); n > 0 {
			return n, nil
		}
		switch {
		case ln != nil:
			l.read(ln)
		case failed != nil:
			return 0, failed
		default:
			l.reopen()
		}
	}
}

// decoded moves messages from the decoder to the caller.
func (l *Link) decoded(frames []transports.Frame) (n int) {
	octets := 0
	for n < len(frames) {
		m := l.decoder.Next()
		if m == nil {
			break
		}
		if len(m) > cap(frames[n].Data) {
			l.counters.Count(transports.ReasonOversize, 1)
			continue
		}
		frames[n] = transports.Frame{Data: append(frames[n].Data[:0], m...)}
		octets += len(m)
		n++
	}
	l.countLost()
	l.counters.Received(n, uint64(octets))
	return n
}

func (l *Link) countLost() {
	now := l.decoder.Lost()
	l.counters.Count(transports.ReasonCRC, now.CRC-l.counted.CRC)
	l.counters.Count(transports.ReasonMalformed, now.Malformed-l.counted.Malformed)
	l.counters.Count(transports.ReasonOversize, now.Oversize-l.counted.Oversize)
	l.counters.Count(transports.ReasonGarbageBytes, now.GarbageBytes-l.counted.GarbageBytes)
	l.counted = now
}

// read takes what the line brings into the decoder, or the silence on it.
func (l *Link) read(ln *line) {
	patience := time.Duration(-1)
	if l.decoder.Partial() {
		patience = l.set.Gap
	}
	ln.wait(patience)
	began := time.Now()
	n, err := ln.Read(l.buf[:])
	now := time.Now()
	if n == 0 || !ln.timed && now.Sub(began) >= l.set.Gap {
		l.decoder.Feed(now, nil)
	}
	if n > 0 {
		l.decoder.Feed(now, l.buf[:n])
	}
	if err != nil {
		l.lose(ln, err)
		l.decoder = l.set.framing.NewDecoder(l.set.MTU, l.set.Gap)
		l.counted = Lost{}
	}
}

// lose gives up a line that failed, and what was queued for it.
func (l *Link) lose(ln *line, err error) {
	ln.kill()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line != ln {
		return
	}
	l.line = nil
	l.why = fmt.Sprintf("serial device %s has gone: %s", l.set.Device, goneBecause(err))
	switch {
	case l.open == nil:
		l.failed = fmt.Errorf("serial device %s has gone: %w", l.set.Device, err)
	case !l.closed:
		l.places.occupy()
	}
	l.counters.Count(transports.ReasonDown, uint64(l.out.clear()))
}

// reopen waits for the device and opens it, or returns because the link closes.
func (l *Link) reopen() {
	for pause := reopenFirst; ; pause = min(2*pause, reopenMost) {
		select {
		case <-l.closing:
			return
		case <-time.After(pause):
		}
		l.mu.Lock()
		l.places.leave()
		l.mu.Unlock()
		if l.adopt(l.open()) {
			return
		}
	}
}

// adopt takes the result of an attempt to open; false asks for another one.
func (l *Link) adopt(ln *line, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		if err == nil {
			ln.kill()
		}
		return true
	case err != nil:
		l.why = err.Error()
		l.places.occupy()
		return false
	}
	if l.wasUp {
		l.counters.Count(transports.ReasonReopen, 1)
	}
	l.line, l.wasUp = ln, true
	return true
}

// MTU is the longest message, 1,024 octets unless the configuration says otherwise.
func (l *Link) MTU() int { return l.set.MTU }

// FormatAddr is the device's path: there is one peer on a line.
func (l *Link) FormatAddr(transports.Addr) string { return l.set.Device }

// Stats returns the link's figures.
func (l *Link) Stats() transports.Stats {
	s := l.counters.Stats()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		s.Why = "the link is closed"
	case l.line == nil:
		s.Why = l.why
	default:
		s.Up = true
	}
	return s
}

// Close lets the line have what is queued for at most closeGrace, then frees the device.
func (l *Link) Close() error {
	l.once.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		close(l.closing)
		grace := time.AfterFunc(closeGrace, func() { close(l.giveUp) })
		defer grace.Stop()
		select {
		case <-l.written:
		case <-l.giveUp:
		}
		l.mu.Lock()
		ln := l.line
		l.line = nil
		l.places.leave()
		l.mu.Unlock()
		if ln != nil {
			ln.kill() // ends a Read that waits, and a Write where that may wait
		}
		<-l.written
	})
	return nil
}
