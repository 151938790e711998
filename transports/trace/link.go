package trace

import (
	"io"
	"sync"
	"time"

	"midge/transports"
)

// ReasonTrace counts, in the Stats of a recorded link, the captures that were given up because their file could not be written: 0 or 1.
const ReasonTrace = "trace"

// A Link is a link that records.
type Link struct {
	transports.Link

	mu     sync.Mutex
	to     io.Writer // nil once it has failed
	failed error
	buf    []byte
}

var _ transports.Link = (*Link)(nil)

// Wrap records the gateway's end of a link into to: every frame that it reads, and every frame that it is given to write, also those that
// the link then drops. A batch is one Write. When to fails the recording ends and the link goes on.
func Wrap(link transports.Link, to io.Writer) *Link {
	l := &Link{Link: link, to: to}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush(appendFileHeader(nil))
	return l
}

// ReadFrames reads from the link inside and records what came.
func (l *Link) ReadFrames(frames []transports.Frame) (int, error) {
	n, err := l.Link.ReadFrames(frames)
	l.record(time.Now(), frames[:n], true)
	return n, err
}

// WriteFrames records and writes to the link inside.
func (l *Link) WriteFrames(frames []transports.Frame) {
	l.record(time.Now(), frames, false)
	l.Link.WriteFrames(frames)
}

func (l *Link) record(now time.Time, frames []transports.Frame, received bool) {
	if len(frames) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.to == nil {
		return
	}
	b := l.buf[:0]
	for i := range frames {
		b = appendFrame(b, now, &frames[i], received, l.FormatAddr)
	}
	l.flush(b)
}

// flush writes and keeps the buffer. l.mu is held.
func (l *Link) flush(b []byte) {
	if _, err := l.to.Write(b); err != nil {
		l.to, l.failed = nil, err
	}
	l.buf = b
}

// Err is why the recording ended before the link did, nil while it goes on.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Stats are those of the link inside, and whether the recording failed.
func (l *Link) Stats() transports.Stats {
	s := l.Link.Stats()
	s.Errors[ReasonTrace] = 0
	if l.Err() != nil {
		s.Errors[ReasonTrace] = 1
	}
	return s
}
