package demo

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// lookEvery is how often the gateway is asked: a change is seen as soon as a person would see it.
	lookEvery = 100 * time.Millisecond
	// drawEvery is the most that a screen is redrawn while its numbers move; an event redraws it at once.
	drawEvery = time.Second
	// sumEvery is how often plain output tells the sums.
	sumEvery = 5 * time.Second
	// eventsKept bounds the events that a screen can go back to.
	eventsKept = 16
)

// show tells what happens until ctx ends.
func (s *stage) show(ctx context.Context, began time.Time) {
	banner := s.where.banner()
	var out display = &plain{out: s.cfg.Out}
	if s.cfg.Terminal {
		out = &screen{out: s.cfg.Out, size: s.cfg.Size}
	}
	out.begin(banner)
	defer out.end()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var w watch
	var v view
	for {
		v.elapsed = time.Since(began)
		v.devices, v.broker = s.node.Gateway.Devices(), s.node.Broker.Counters()
		fresh := append(w.compare(v.devices), s.notes.take()...)
		for _, e := range fresh {
			v.events = append(v.events, seconds(v.elapsed)+" "+e)
		}
		v.events = slices.Clone(v.events[max(0, len(v.events)-eventsKept):])
		out.show(v, fresh)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// display is a screen or plain lines.
type display interface {
	begin(banner []string)
	// show is called every lookEvery; fresh are the events since the last call, without their times.
	show(v view, fresh []string)
	end()
}

// notes keeps what the node logs at level warn and above until it is shown, one line each.
type notes struct {
	mu    sync.Mutex
	lines []string
}

// notesMax bounds them; what a storm of warnings adds beyond is left out.
const notesMax = 50

// Write takes one log record.
func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.lines) < notesMax {
		n.lines = append(n.lines, clean(strings.TrimSpace(string(b))))
	}
	return len(b), nil
}

func (n *notes) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines := n.lines
	n.lines = nil
	return lines
}

// withoutTime leaves the time out of a log record: what is shown is shown now.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// seconds is how an event tells when it happened.
func seconds(d time.Duration) string { return fmt.Sprintf("%6.1fs", d.Seconds()) }
