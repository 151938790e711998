package guard

import "time"

// rationKeys is how many keys are let through in a minute.
const rationKeys = 100

// ration lets a thing be said once per key and minute, so that who does it a thousand times a second does not fill the log. Its owner locks. The
// zero ration is ready.
type ration struct {
	since  time.Time
	seen   map[string]struct{}
	unsaid int
}

// take reports whether it may be said now, and how often it was not said since it was last.
func (r *ration) take(now time.Time, key string) (ok bool, unsaid int) {
	if r.seen == nil || now.Sub(r.since) >= time.Minute {
		r.since, r.seen = now, map[string]struct{}{}
	}
	if _, again := r.seen[key]; again || len(r.seen) >= rationKeys {
		r.unsaid++
		return false, 0
	}
	r.seen[key] = struct{}{}
	unsaid, r.unsaid = r.unsaid, 0
	return true, unsaid
}
