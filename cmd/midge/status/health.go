package status

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// health returns whether Midge can do its work, and a line for each reason against it, or else for each note.
func (s Sources) health() (healthy bool, lines []string) {
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			return false, []string{"not ready: " + err.Error()}
		}
	}
	var reasons, notes []string
	if s.Trouble != nil {
		reasons = s.Trouble()
	}
	for _, l := range snapshot(s.Links) {
		if !l.Up {
			reasons = append(reasons, named("link", l.Name, "down", l.Why))
		}
	}
	if len(reasons) > 0 {
		return false, reasons
	}
	for _, b := range snapshot(s.Bridges) {
		if !b.Connected {
			notes = append(notes, named("bridge", b.Name, "not connected", b.Why)+waiting(b))
		}
	}
	return true, append([]string{"ok"}, notes...)
}

// named says what is the matter with one link or bridge: its own words, or ours where it has none.
func named(kind, name, state, why string) string {
	if why == "" {
		return fmt.Sprintf("%s %s: %s", kind, name, state)
	}
	return fmt.Sprintf("%s %s: %s", kind, name, strings.TrimSuffix(why, "."))
}

func waiting(b Bridge) string {
	if b.Backlog == 0 {
		return ""
	}
	return fmt.Sprintf("; %d messages wait, the oldest for %s", b.Backlog, b.Oldest.Truncate(time.Second))
}

// snapshot asks a source that may be nil.
func snapshot[T any](source func() T) (t T) {
	if source != nil {
		t = source()
	}
	return t
}

// serveHealth answers 200 or 503 with plain text, one line per reason or note.
func (s Sources) serveHealth(w http.ResponseWriter, _ *http.Request) {
	healthy, lines := s.health()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store") // yesterday's health is no answer
	if !healthy {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	for _, line := range lines {
		// A reason may quote the words of a peer; it stays on its line.
		fmt.Fprintln(w, strings.Map(printable, line))
	}
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}
