package serial

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// twin is a line of two ports: what is written goes to one, what is read comes from both. A Read has octets of one port only, and packets stay whole: a cut says how many octets from the
// front of what a port has brought stand together, 0 = the packet has not yet come to its end. When one port fails the line does.
type twin struct {
	rx, tx  namedStream
	cut     func([]byte) int
	units   chan []byte
	failed  chan error // a slot for each port
	closed  chan struct{}
	readers sync.WaitGroup

	timeout time.Duration // only the reader's, as is rest
	rest    []byte        // of a unit
}

// namedStream is one port of a line that has two.
type namedStream struct {
	stream
	device string
}

// portFailure is an error of one port of a line that has two.
type portFailure struct {
	device string
	err    error
}

func (f *portFailure) Error() string { return fmt.Sprintf("serial device %s: %v", f.device, f.err) }

func (f *portFailure) Unwrap() error { return f.err }

// failedAt is the device at which an error came, and what it says without that; device unless it knows better.
func failedAt(device string, err error) (string, error) {
	if f := (*portFailure)(nil); errors.As(err, &f) {
		return f.device, f.err
	}
	return device, err
}

// newTwin makes a stream of two, which it owns.
func newTwin(rx, tx namedStream, cut func([]byte) int) *twin {
	t := &twin{rx: rx, tx: tx, cut: cut, units: make(chan []byte), failed: make(chan error, 2), closed: make(chan struct{}), timeout: -1}
	t.readers.Go(func() { t.take(rx) })
	t.readers.Go(func() { t.take(tx) })
	return t
}

// take passes on what a port brings, until that fails or the line is closed.
func (t *twin) take(from namedStream) {
	var room [readRoom]byte
	var arrived []byte
	for {
		n, err := from.Read(room[:])
		arrived = append(arrived, room[:n]...)
		for k := t.cut(arrived); k > 0; k = t.cut(arrived) {
			select {
			case t.units <- bytes.Clone(arrived[:k]):
			case <-t.closed:
				return
			}
			arrived = append(arrived[:0], arrived[k:]...)
		}
		if err != nil {
			t.failed <- &portFailure{from.device, err}
			return
		}
	}
}

func (t *twin) Read(b []byte) (int, error) {
	if len(t.rest) == 0 {
		var late <-chan time.Time
		if t.timeout >= 0 {
			late = time.After(t.timeout)
		}
		select {
		case t.rest = <-t.units:
		case err := <-t.failed:
			return 0, err
		case <-t.closed:
			return 0, os.ErrClosed
		case <-late:
			return 0, nil
		}
	}
	n := copy(b, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

func (t *twin) Write(b []byte) (int, error) {
	n, err := t.tx.Write(b)
	if err != nil {
		err = &portFailure{t.tx.device, err}
	}
	return n, err
}

func (t *twin) SetReadTimeout(d time.Duration) error {
	t.timeout = d
	return nil
}

// Close closes both ports and returns when nobody reads them any more.
func (t *twin) Close() error {
	close(t.closed)
	err := errors.Join(t.rx.Close(), t.tx.Close())
	t.readers.Wait()
	return err
}
