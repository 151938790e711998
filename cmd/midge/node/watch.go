package node

import (
	"context"
	"log/slog"
	"time"

	"midge/transports"
)

// passing is how long a link may be down before that is worth a line in the log. A radio whose port has just been opened is asked how it is set, which takes less.
const passing = 2 * time.Second

// watch logs when the device of a link goes and when it is back, until ctx ends. What the log has not told counts as up.
func watch(ctx context.Context, log *slog.Logger, l interface {
	Stats() transports.Stats
	Changes() <-chan struct{}
}) error {
	said := ""
	for {
		why := l.Stats().Why
		if why != "" && why != said {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(passing):
			}
			why = l.Stats().Why
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case why == said:
		case why == "":
			log.Info("link is up")
		default:
			log.Warn("link is down", "reason", why)
		}
		said = why
		select {
		case <-ctx.Done():
			return nil
		case <-l.Changes():
		}
	}
}
