package node

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"midge/transports"
)

// device is what watch sees of a link.
type device struct {
	mu      sync.Mutex
	why     string
	changes chan struct{}
}

func (d *device) Stats() transports.Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return transports.Stats{Up: d.why == "", Why: d.why}
}

func (d *device) Changes() <-chan struct{} { return d.changes }

func (d *device) is(why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.why = why
	select {
	case d.changes <- struct{}{}:
	default:
	}
}

// TestWatch: the log tells of a device that has gone and of its return, each once, and not of what is over in a moment.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := &device{why: "not there", changes: make(chan struct{}, 1)}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- watch(ctx, slog.New(slog.NewTextHandler(&log, nil)), d) }()
		want := func(sentence, why string, lines ...string) {
			t.Helper()
			if why != "as before" {
				d.is(why)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			got := strings.Split(strings.TrimSpace(log.String()), "\n")
			if log.Len() == 0 {
				got = nil
			}
			if len(got) != len(lines) {
				t.Fatalf("%s: %d lines, got %q", sentence, len(lines), got)
			}
			for i := range lines {
				if !strings.Contains(got[i], lines[i]) {
					t.Errorf("%s: the log says %q, and should say %q", sentence, got[i], lines[i])
				}
			}
			log.Reset()
		}
		want("a device that is not there at the start", "as before", `level=WARN msg="link is down" reason="not there"`)
		want("it comes", "", `level=INFO msg="link is up"`)
		d.is("asked how it is set")
		time.Sleep(passing / 2)
		want("down for a moment", "")
		d.is("pulled out")
		time.Sleep(passing / 2)
		want("what it is after a moment is what is told", "not there", `reason="not there"`)
		want("another reason", "transparent", `reason=transparent`)
		want("the same reason again", "transparent")
		want("and back", "", `msg="link is up"`)
		d.is("closed")
		synctest.Wait()
		end()
		if err := <-ended; err != nil || log.Len() > 0 {
			t.Errorf("the end is neither an error nor a line: %v, %q", err, log.String())
		}
	})
}
