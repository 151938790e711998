package serial

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// stream is an open line, as the driver's Port is one.
type stream interface {
	io.ReadWriteCloser
	// SetReadTimeout makes a Read that finds nothing for d return 0 and nil; negative waits for ever.
	SetReadTimeout(d time.Duration) error
}

// line is a stream and the care that it needs.
type line struct {
	stream
	// timed: SetReadTimeout works. Without it silence can only be guessed from how long a Read waited.
	timed bool
	// locked: Write returns at once and must not run while Close does. The driver keeps the number of the
	// descriptor, which after Close may already be another file's.
	locked bool

	mu      sync.Mutex
	dead    bool
	timeout time.Duration // what SetReadTimeout was last told; only the reader's
}

func (ln *line) write(b []byte) (int, error) {
	if !ln.locked {
		return ln.Write(b)
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.dead {
		return 0, os.ErrClosed
	}
	return ln.Write(b)
}

// kill closes the stream once, which also wakes its reader.
func (ln *line) kill() {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if !ln.dead {
		ln.dead = true
		ln.Close()
	}
}

// wait makes the next Read give up after d; negative means never.
func (ln *line) wait(d time.Duration) {
	if d != ln.timeout && ln.SetReadTimeout(d) == nil {
		ln.timeout = d
	}
}

// lineOf makes a line of any stream. Close of the stream must end a Read and a Write that wait.
func lineOf(rwc io.ReadWriteCloser) *line {
	ln := &line{timeout: -1}
	if d, ok := rwc.(deadliner); ok && d.SetReadDeadline(time.Time{}) == nil {
		ln.stream, ln.timed = &deadlined{rwc, d, -1}, true
	} else {
		ln.stream = untimed{rwc}
	}
	return ln
}

type deadliner interface{ SetReadDeadline(time.Time) error }

// deadlined turns deadlines, as files and connections have them, into timeouts.
type deadlined struct {
	io.ReadWriteCloser
	deadliner
	timeout time.Duration
}

func (s *deadlined) SetReadTimeout(d time.Duration) error {
	s.timeout = d
	if d < 0 {
		return s.SetReadDeadline(time.Time{})
	}
	return nil
}

func (s *deadlined) Read(b []byte) (int, error) {
	if s.timeout >= 0 {
		s.SetReadDeadline(time.Now().Add(s.timeout))
	}
	n, err := s.ReadWriteCloser.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}

type untimed struct{ io.ReadWriteCloser }

func (untimed) SetReadTimeout(time.Duration) error { return nil }
