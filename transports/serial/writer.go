package serial

import (
	"errors"
	"syscall"
	"time"

	"midge/transports"
)

const (
	// closeGrace is how long Close lets queued frames go: a last DISCONNECT is 2 octets, 2 ms at 9600 baud.
	closeGrace = 250 * time.Millisecond
	// stuckAfter is how long a line may take nothing before a frame is given up.
	stuckAfter = 5 * time.Second
	// retryLeast is the least pause before a line that was full is tried again.
	retryLeast = time.Millisecond
)

// WriteFrames queues frames. A broadcast is a frame like any other: everybody in reach is one peer.
func (l *Link) WriteFrames(frames []transports.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	for i := range frames {
		m := frames[i].Data
		switch {
		case len(m) == 0 || len(m) > l.set.MTU:
			l.counters.Count(transports.ReasonOversize, 1)
		case l.line == nil:
			l.counters.Count(transports.ReasonDown, 1)
		case !l.out.push(l.set.framing, m):
			l.counters.Count(transports.ReasonQueueFull, 1)
		}
	}
	if len(l.out.frames) > 0 {
		select {
		case l.queued <- struct{}{}:
		default:
		}
	}
}

// write is the writer's goroutine. It ends when the link closes and the queue is empty, or Close gives it up.
func (l *Link) write() {
	defer close(l.written)
	pace := pacer{octet: l.set.octet}
	var buf []byte
	for {
		l.mu.Lock()
		ln, closed := l.line, l.closed
		encoded, message, ok := l.out.pop(buf[:0])
		l.mu.Unlock()
		buf = encoded
		switch {
		case ok && ln != nil:
			l.writeFrame(ln, &pace, encoded, message)
			continue
		case ok: // the device went away after this frame was queued
			l.counters.Count(transports.ReasonDown, 1)
			continue
		case closed:
			return
		}
		select {
		case <-l.closing:
		case <-l.queued:
		}
	}
}

// writeFrame writes one frame at the line's pace and counts what became of it.
func (l *Link) writeFrame(ln *line, pace *pacer, encoded []byte, message int) {
	if !l.pause(pace.wait(time.Now())) {
		l.counters.Count(transports.ReasonSend, 1)
		return
	}
	progress := time.Now()
	for rest := encoded; len(rest) > 0; {
		n, err := ln.write(rest)
		now := time.Now()
		if n > 0 {
			rest, progress = rest[n:], now
			pace.wrote(now, n)
		}
		switch {
		case len(rest) == 0:
		case err == nil && n > 0, errors.Is(err, syscall.EINTR):
		case err == nil || errors.Is(err, syscall.EAGAIN):
			if now.Sub(progress) >= stuckAfter || !l.pause(max(retryLeast, 16*l.set.octet)) {
				l.counters.Count(transports.ReasonSend, 1)
				return
			}
		default:
			l.counters.Count(transports.ReasonDown, 1)
			l.lose(ln, err) // wakes the reader, which opens it again
			return
		}
	}
	l.counters.Sent(1, uint64(message))
}

// pause waits; false when Close gives the queue up.
func (l *Link) pause(d time.Duration) bool {
	select {
	case <-l.giveUp:
		return false
	default:
	}
	if d <= 0 {
		return true
	}
	select {
	case <-l.giveUp:
		return false
	case <-time.After(d):
		return true
	}
}
