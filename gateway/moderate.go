package gateway

import "time"

// moderator decides when a link's reader rests for a moment before it reads again, so that frames which would each wake
// the process come several at a time: what network cards call interrupt moderation. Waking costs several times what a message
// does. It rests only where that costs nobody a message: as long as frames come as fast as they did without.
type moderator struct {
	reads, frames int
	since         time.Time // when the present span of reads began
	resting       bool
	pace          time.Duration // per frame, as fast as it ever was since resting began
	barred        time.Time     // not to be tried again before
}

const (
	restFor     = time.Millisecond
	restSpan    = 32          // reads that are looked at together
	restBar     = time.Second // after senders were found to wait for their answers
	restFrames  = 2           // frames a read up to which reading is worth moderating
	restBetween = restFor / 2 // reads further apart than this are too few to be worth it
)

// after takes note of one read of n frames and reports whether to rest for restFor before the next.
func (m *moderator) after(now time.Time, n int) bool {
	m.reads++
	m.frames += n
	if m.reads < restSpan {
		return m.resting
	}
	elapsed := now.Sub(m.since)
	pace := elapsed / time.Duration(m.frames)
	switch {
	case m.resting && pace > m.pace+m.pace/2: // its senders wait for their answers, or there is less to do
		m.resting, m.barred = false, now.Add(restBar)
	case m.resting:
		m.pace = min(m.pace, pace)
	case m.frames <= restFrames*m.reads && elapsed < restBetween*restSpan && !now.Before(m.barred):
		m.resting, m.pace = true, pace
	}
	m.reads, m.frames, m.since = 0, 0, now
	return m.resting
}
