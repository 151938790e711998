package systemd

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready says that Midge may be used: at the start, and when a reload is done.
func Ready() { tell(daemon.SdNotifyReady) }

// Stopping says that it is ending.
func Stopping() { tell(daemon.SdNotifyStopping) }

// Reloading says that it reads its configuration again. Ready follows.
func Reloading() { tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec()) }

// tell is best effort: systemd is gone, or was never there.
func tell(state string) { daemon.SdNotify(false, state) }

// Watch tells the watchdog, twice in each of its intervals, that Midge works, until ctx ends. Before each it calls alive, which returns when the core has
// answered; if that takes too long, so does the message, and systemd starts Midge anew.
func Watch(ctx context.Context, alive func()) error {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return err // what systemd has set is no time
	}
	if interval == 0 {
		return nil
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		alive()
		tell(daemon.SdNotifyWatchdog)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
