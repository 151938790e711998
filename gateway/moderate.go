package gateway

import "time"

// moderator decides how long a link's reader rests before it reads again, so that frames which would each wake
// the process come several at a time: what network cards call interrupt moderation. Waking costs several times what a message
// does. It rests only where that costs nobody a message: as long as frames come as fast as they did without. It begins with little and doubles it.
type moderator struct {
	reads, frames int
	since         time.Time     // when the present span of reads began
	rest          time.Duration // 0: none
	pace          time.Duration // per frame, as fast as it ever was since resting began
	barred        time.Time     // not to be tried again before
}

const (
	restLeast   = time.Millisecond
	restMost    = 16 * time.Millisecond // a radio does not notice it
	restSpan    = 32                    // reads that are looked at together
	restTrial   = 4                     // the same while the rest grows: should it be wrong, little time is lost
	restBar     = time.Second / 10      // after senders were found to wait for their answers
	restFrames  = 2                     // frames a read up to which reading is worth moderating
	restBetween = restLeast / 2         // reads further apart than this are too few to be worth it
)

// after takes note of one read of n frames, which was full or not, and returns how long to rest before the next.
func (m *moderator) after(now time.Time, n int, full bool) time.Duration {
	m.reads++
	m.frames += n
	if m.reads == restSpan || m.reads == restTrial && m.rest > 0 && m.rest < restMost {
		m.judge(now)
	}
	if full {
		return 0 // more waits already
	}
	return m.rest
}

// judge ends a span.
func (m *moderator) judge(now time.Time) {
	elapsed := now.Sub(m.since)
	pace := elapsed / time.Duration(max(1, m.frames))
	switch {
	case m.rest > 0 && pace > m.pace+m.pace/2: // its senders wait for their answers, or there is less to do
		m.rest, m.barred = 0, now.Add(restBar)
	case m.rest > 0:
		m.pace, m.rest = min(m.pace, pace), min(2*m.rest, restMost)
	case m.frames <= restFrames*m.reads && elapsed < restBetween*restSpan && !now.Before(m.barred):
		m.pace, m.rest = pace, restLeast
	}
	m.reads, m.frames, m.since = 0, 0, now
}
