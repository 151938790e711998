package gateway

import (
	"testing"
	"time"
)

// simulate lets frames come for a while and returns how many were read in how many reads. With closed > 0 so many senders send again 50 µs
// after each read; else one frame comes each every.
func simulate(closed int, every, during time.Duration) (frames, reads int) {
	var m moderator
	now := time.Unix(1000, 0)
	end, read := now.Add(during), now
	for now.Before(end) {
		n := closed
		if closed > 0 {
			now = now.Add(50 * time.Microsecond)
		} else {
			n = max(1, int(now.Sub(read)/every))
			if next := read.Add(every); now.Before(next) {
				now = next
			}
			read = read.Add(time.Duration(n) * every)
		}
		frames, reads = frames+n, reads+1
		now = now.Add(m.after(now, n, false))
	}
	return frames, reads
}

func TestModeration(t *testing.T) {
	if frames, reads := simulate(0, 200*time.Microsecond, time.Second); frames < 4980 || reads > frames/12 {
		t.Errorf("1,000 devices of 5 msg/s are read several frames at a time: %d frames in %d reads", frames, reads)
	}
	if frames, reads := simulate(0, 5*time.Millisecond, 10*time.Second); frames != reads {
		t.Errorf("a frame now and then is read at once: %d frames in %d reads", frames, reads)
	}
	if m := (moderator{rest: restMost}); m.after(time.Unix(1000, 0), batch, true) != 0 {
		t.Error("after a read that was full the next follows at once")
	}
	if frames, _ := simulate(1, 0, 10*time.Second); frames < 190_000 {
		t.Errorf("a sender that waits for each answer is slowed by less than a twentieth of 200,000 frames: %d", frames)
	}
}
