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

// WriteFrames queues frames.
func (l *Link) WriteFrames(frames []transports.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	now := time.Now()
	mtu := l.machine.MTU()
	for i := range frames {
		f := &frames[i]
		switch {
		case len(f.Data) == 0 || len(f.Data) > mtu:
			l.counters.Count(transports.ReasonOversize, 1)
		case l.line == nil:
			l.counters.Count(transports.ReasonDown, 1)
		default:
			if drop := l.machine.Send(now, f); drop != "" {
				l.counters.Count(drop, 1)
			}
		}
	}
	l.prod()
}

// write is the writer's goroutine. It ends when the link closes and nothing is queued, or Close gives that up. The line's pace is kept before a
// packet is asked for, so that the machine chooses late, what is urgent first.
func (l *Link) write() {
	defer close(l.written)
	pace := pacer{octet: l.octet}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var buf []byte
	for l.pause(pace.wait(time.Now())) {
		now := time.Now()
		l.mu.Lock()
		ln, closed := l.line, l.closed
		message, ok := 0, false
		l.timer = time.Time{}
		if ln != nil {
			if buf, message, ok = l.machine.Output(now, buf[:0]); !ok {
				l.timer, _ = l.machine.Deadline()
			}
			l.tell()
		}
		wait := l.timer
		l.mu.Unlock()
		switch {
		case ok:
			l.writePacket(ln, &pace, buf, message)
			continue
		case closed:
			return
		}
		var due <-chan time.Time
		if !wait.IsZero() {
			timer.Reset(max(wait.Sub(now), retryLeast))
			due = timer.C
		}
		select {
		case <-l.closing:
		case <-l.queued:
		case <-due:
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counters.Count(transports.ReasonSend, uint64(l.machine.End()))
}

// writePacket writes one packet and counts what became of the frame in it.
func (l *Link) writePacket(ln *line, pace *pacer, encoded []byte, message int) {
	count := func(reason string) {
		if message > 0 {
			l.counters.Count(reason, 1)
		}
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
			if now.Sub(progress) >= stuckAfter || !l.pause(max(retryLeast, 16*l.octet)) {
				count(transports.ReasonSend)
				return
			}
		default:
			count(transports.ReasonDown)
			l.lose(ln, err) // wakes the reader, which opens it again
			return
		}
	}
	if message > 0 {
		l.counters.Sent(1, uint64(message))
	}
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
