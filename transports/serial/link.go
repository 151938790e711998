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

// A Link is a serial line as a transports.Link: the shell of a Machine.
type Link struct {
	device   string
	gap      time.Duration
	octet    time.Duration         // on the line; 0 = no pace
	open     func() (*line, error) // nil: the stream cannot be had again
	counters *transports.Counters
	buf      [readRoom]byte // the reader's own

	closing chan struct{} // closed when Close begins
	giveUp  chan struct{} // closed when Close waits no longer for what is queued
	written chan struct{} // closed when the writer has ended
	queued  chan struct{} // one slot: the machine has something to write, or something is due earlier than the writer knows
	changed chan struct{} // one slot: down may have changed
	once    sync.Once

	mu      sync.Mutex
	machine Machine
	line    *line  // nil while the device is away
	why     string // when line is nil
	wasUp   bool   // the device has been there once
	told    string // what down was when changed was signalled last
	failed  error  // of a stream that cannot be had again
	closed  bool
	timer   time.Time // for which the writer waits; zero = it waits for none
	places  parking   // occupied while the device is away
}

var _ transports.Watched = (*Link)(nil)

// reasons are those for which any link on a line counts.
var reasons = []string{transports.ReasonOversize, transports.ReasonQueueFull, transports.ReasonSend, transports.ReasonCRC,
	transports.ReasonMalformed, transports.ReasonGarbageBytes, transports.ReasonDown, transports.ReasonReopen}

// newLink starts with a line, or without one because of why.
func newLink(s settings, open func() (*line, error), ln *line, why error) *Link {
	l := &Link{
		device: s.Device, gap: s.Gap, octet: s.octet, open: open,
		counters: s.counters(),
		closing:  make(chan struct{}), giveUp: make(chan struct{}), written: make(chan struct{}), queued: make(chan struct{}, 1), changed: make(chan struct{}, 1),
		line: ln, wasUp: ln != nil,
	}
	l.machine = s.protocol.New(l.counters)
	if ln == nil {
		l.why = why.Error()
		l.places.occupy()
	} else {
		l.machine.Begin(time.Now())
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
		n, patience := 0, time.Duration(-1)
		if !closed {
			if n = l.decoded(frames); l.machine.Partial() {
				patience = l.gap
			}
			l.prod() // what arrived may want an answer
			l.tell()
		}
		l.mu.Unlock()
		switch {
		case closed:
			return 0, transports.ErrClosed
		case n > 0:
			return n, nil
		case ln != nil:
			l.read(ln, patience)
		case failed != nil:
			return 0, failed
		default:
			l.reopen()
		}
	}
}

// decoded moves messages from the machine to the caller. l.mu is held.
func (l *Link) decoded(frames []transports.Frame) (n int) {
	octets := 0
	for n < len(frames) {
		f, ok := l.machine.Next()
		if !ok {
			break
		}
		if len(f.Data) > cap(frames[n].Data) {
			l.counters.Count(transports.ReasonOversize, 1)
			continue
		}
		f.Data = append(frames[n].Data[:0], f.Data...)
		frames[n] = f
		octets += len(f.Data)
		n++
	}
	l.counters.Received(n, uint64(octets))
	return n
}

// read takes what the line brings into the machine, or the silence on it.
func (l *Link) read(ln *line, patience time.Duration) {
	ln.wait(patience)
	began := time.Now()
	n, err := ln.Read(l.buf[:])
	now := time.Now()
	l.mu.Lock()
	if l.line == ln { // else the writer has found it gone
		if n == 0 || !ln.timed && now.Sub(began) >= l.gap {
			l.machine.Feed(now, nil)
		}
		if n > 0 {
			l.machine.Feed(now, l.buf[:n])
		}
	}
	l.mu.Unlock()
	if err != nil {
		l.lose(ln, err)
	}
}

// prod wakes the writer if the machine has something for it before the time for which it waits. l.mu is held.
func (l *Link) prod() {
	at, ok := l.machine.Deadline()
	if !ok || !l.timer.IsZero() && !at.Before(l.timer) {
		return
	}
	select {
	case l.queued <- struct{}{}:
	default:
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
	device, err := failedAt(l.device, err)
	l.why = fmt.Sprintf("serial device %s has gone: %s", device, goneBecause(err))
	switch {
	case l.open == nil:
		l.failed = fmt.Errorf("serial device %s has gone: %w", device, err)
	case !l.closed:
		l.places.occupy()
	}
	l.counters.Count(transports.ReasonDown, uint64(l.machine.End()))
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
		l.tell()
		return false
	}
	if l.wasUp {
		l.counters.Count(transports.ReasonReopen, 1)
	}
	l.line, l.wasUp = ln, true
	l.machine.Begin(time.Now())
	l.prod()
	return true
}

// MTU is the longest message that the line carries now.
func (l *Link) MTU() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.machine.MTU()
}

// FormatAddr is for people: the device's path where there is one peer on a line.
func (l *Link) FormatAddr(a transports.Addr) string { return l.machine.FormatAddr(a) }

// Stats returns the link's figures.
func (l *Link) Stats() transports.Stats {
	s := l.counters.Stats()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		s.Why = "the link is closed"
	default:
		s.Why = l.down()
		s.Up = s.Why == ""
	}
	return s
}

// down says why nothing can be sent, "" = it can. l.mu is held.
func (l *Link) down() string {
	if l.line == nil {
		return l.why
	}
	return l.machine.Down()
}

// tell signals that down has changed, if it has: the reader and the writer ask in their rounds. l.mu is held.
func (l *Link) tell() {
	down := l.down()
	if down == l.told {
		return
	}
	l.told = down
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Changes is transports.Watched's.
func (l *Link) Changes() <-chan struct{} { return l.changed }

// Close lets the line have what is queued for at most closeGrace, then frees the device.
func (l *Link) Close() error {
	l.once.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.machine.Flush()
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
