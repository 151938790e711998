package trace

import (
	"context"
	"io"
	"sync"
	"time"

	"midge/transports"
)

// waitingMax bounds the octets of a Capture that wait to be written: some thousand frames.
const waitingMax = 1 << 20

// A Capture takes the frames of a link on one side and writes them as a file on the other, at its own pace: what the reader of the file is too slow for is
// left out and counted. Its methods may be called from any goroutine.
type Capture struct {
	format func(transports.Addr) string
	more   chan struct{} // one slot

	mu      sync.Mutex
	buf     []byte
	counted Counted
}

// Counted are the frames of a Capture: those that were taken, and those that found no room.
type Counted struct{ Taken, LeftOut uint64 }

// NewCapture begins a capture of a link that formats addresses so.
func NewCapture(format func(transports.Addr) string) *Capture {
	return &Capture{format: format, more: make(chan struct{}, 1), buf: appendFileHeader(nil)}
}

// Record takes a frame, as the gateway's end of the link receives or sends it. It does not wait and keeps nothing of the frame.
func (c *Capture) Record(now time.Time, f *transports.Frame, received bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.buf)+recordMax > waitingMax {
		c.counted.LeftOut++
		return
	}
	c.buf = appendFrame(c.buf, now, f, received, c.format)
	c.counted.Taken++
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// CopyTo writes what was recorded to w, whole frames at a time and as soon as there is one, until ctx ends; then what is left. The error is w's.
func (c *Capture) CopyTo(ctx context.Context, w io.Writer) error {
	var spare []byte
	for ended := false; ; {
		c.mu.Lock()
		b := c.buf
		c.buf = spare[:0]
		c.mu.Unlock()
		if len(b) > 0 {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		spare = b
		if ended {
			return nil
		}
		select {
		case <-c.more:
		case <-ctx.Done():
			ended = true
		}
	}
}

// Counted returns how many frames were recorded and left out.
func (c *Capture) Counted() Counted {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counted
}
