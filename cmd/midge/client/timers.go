package client

import "time"

// far is when nothing is due.
const far = 24 * time.Hour

// deadline is the next time at which timers has something to do.
func (r *runner) deadline() time.Time {
	at := time.Now().Add(far)
	if r.keepAlive > 0 {
		at = earlier(at, r.sent.Add(r.keepAlive))
		if r.engine.pingPending {
			at = earlier(at, r.pinged.Add(r.keepAlive))
		}
	}
	if !r.next.IsZero() {
		at = earlier(at, r.next)
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// timers does what is due at now: the tool's tick, a ping when nothing was sent for the keep-alive time, the end of a
// connection on which a ping got no answer for as long.
func (r *runner) timers(now time.Time) error {
	if !r.next.IsZero() && !now.Before(r.next) {
		r.next = time.Time{}
		r.end(r.tool.tick(r))
	}
	if r.keepAlive == 0 {
		return nil
	}
	if r.engine.pingPending {
		if !now.Before(r.pinged.Add(r.keepAlive)) {
			return errLost
		}
		return nil
	}
	if !now.Before(r.sent.Add(r.keepAlive)) {
		r.engine.ping()
		r.pinged = now
	}
	return nil
}
