// Package ration keeps what others cause from filling the log: a thing is said once a minute for each who and what, and what was not said is counted. It is a leaf.
package ration

import "time"

// Keys is how many keys are let through in a minute.
const Keys = 100

// Ration lets a thing be said once per key and minute, so that who does it a thousand times a second does not fill the log. Its owner locks. The
// zero Ration is ready.
type Ration struct {
	since  time.Time
	seen   map[string]struct{}
	unsaid int
}

// Take reports whether it may be said now, and how often something was not said since something was last.
func (r *Ration) Take(now time.Time, key string) (ok bool, unsaid int) {
	if r.seen == nil || now.Sub(r.since) >= time.Minute {
		r.since, r.seen = now, map[string]struct{}{}
	}
	if _, again := r.seen[key]; again || len(r.seen) >= Keys {
		r.unsaid++
		return false, 0
	}
	r.seen[key] = struct{}{}
	unsaid, r.unsaid = r.unsaid, 0
	return true, unsaid
}
