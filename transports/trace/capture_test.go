package trace_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"midge/internal/peertest"
	"midge/transports"
	"midge/transports/trace"
)

// TestCaptureOverIPv6 lets tshark check what an IPv6 peer's frames look like, checksums too.
func TestCaptureOverIPv6(t *testing.T) {
	peertest.Need(t, "tshark")
	c := trace.NewCapture(func(a transports.Addr) string { return string(a.Bytes()) })
	addr := transports.MakeAddr([]byte("[fe80::7%eth0]:4000"))
	at := time.Unix(1_000_000_000, 5)
	c.Record(at, &transports.Frame{Addr: addr, Data: []byte{3, 1, 1}, Broadcast: true}, true)
	c.Record(at, &transports.Frame{Addr: addr, Data: []byte{3, 2, 1}}, false)
	c.Record(at, &transports.Frame{Addr: transports.MakeAddr([]byte("[::ffff:192.0.2.9]:4000")), Data: []byte{3, 1, 1}, Broadcast: true}, true)
	var file bytes.Buffer
	ended, end := context.WithCancel(context.Background())
	end()
	if err := c.CopyTo(ended, &file); err != nil {
		t.Fatal(err)
	}
	got := dissect(t, file.Bytes(), "-o", "udp.check_checksum:TRUE")
	want := "fe80::7 fd00::1 0x01\nfd00::1 fe80::7 0x02\n192.0.2.9 239.0.0.1 0x01\n"
	if got != want {
		t.Errorf("tshark sees\n%s\nwant\n%s", got, want)
	}
}

// slowWriter takes one Write at a time, when it is told to.
type slowWriter struct {
	let   chan struct{}
	bytes int
}

func (w *slowWriter) Write(b []byte) (int, error) {
	<-w.let
	w.bytes += len(b)
	return len(b), nil
}

// TestSlowReaderLosesFrames: recording never waits; what finds no room is counted.
func TestSlowReaderLosesFrames(t *testing.T) {
	c := trace.NewCapture(func(transports.Addr) string { return "192.0.2.1:1000" })
	w := &slowWriter{let: make(chan struct{})}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- c.CopyTo(ctx, w) }()
	const frames = 10_000
	f := &transports.Frame{Data: bytes.Repeat([]byte{7}, 256)}
	for range frames {
		c.Record(time.Now(), f, true)
	}
	close(w.let)
	end()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	n := c.Counted()
	if n.Taken+n.LeftOut != frames || n.Taken < 1000 || n.LeftOut < 1000 {
		t.Errorf("some thousand frames wait for a reader that does not read, the others are counted: %+v", n)
	}
	if want := 24 + int(n.Taken)*(16+28+256); w.bytes != want {
		t.Errorf("what was taken is in the file, whole: %d octets, not %d", w.bytes, want)
	}
}

// TestBrokenFileEndsTheCapture tells of the error.
func TestBrokenFileEndsTheCapture(t *testing.T) {
	c := trace.NewCapture(func(transports.Addr) string { return "" })
	if err := c.CopyTo(t.Context(), brokenWriter{}); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a file that cannot be written ends it: %v", err)
	}
}
