package gateway

import (
	"testing"
	"time"
)

// arrivals are frames that come to a moderated reader.
type arrivals struct {
	m   moderator
	now time.Time
}

// closed lets n senders send again 50 µs after each read, for a while. It returns how many frames were read in how many reads.
func (a *arrivals) closed(n int, during time.Duration) (frames, reads int) {
	for end := a.now.Add(during); a.now.Before(end); reads++ {
		a.now = a.now.Add(50 * time.Microsecond)
		frames += n
		a.now = a.now.Add(a.m.after(a.now, n, false))
	}
	return frames, reads
}

// open lets a frame come each every, whoever reads it when.
func (a *arrivals) open(every, during time.Duration) (frames, reads int) {
	read := a.now
	for end := a.now.Add(during); a.now.Before(end); reads++ {
		n := max(1, int(a.now.Sub(read)/every))
		if next := read.Add(every); a.now.Before(next) {
			a.now = next
		}
		read = read.Add(time.Duration(n) * every)
		frames += n
		a.now = a.now.Add(a.m.after(a.now, n, false))
	}
	return frames, reads
}

func TestModeration(t *testing.T) {
	begin := func() *arrivals { return &arrivals{now: time.Unix(1000, 0)} }
	if frames, reads := begin().open(200*time.Microsecond, time.Second); frames < 5000-int(restMost/(200*time.Microsecond)) || reads > frames/12 {
		t.Errorf("1,000 devices of 5 msg/s are read several frames at a time: %d frames in %d reads", frames, reads)
	}
	if frames, reads := begin().open(5*time.Millisecond, 10*time.Second); frames != reads {
		t.Errorf("a frame now and then is read at once: %d frames in %d reads", frames, reads)
	}
	if m := (moderator{rest: restMost}); m.after(time.Unix(1000, 0), batchFirst, true) != 0 {
		t.Error("after a read that was full the next follows at once")
	}
	if frames, _ := begin().closed(1, 10*time.Second); frames < 190_000 {
		t.Errorf("a sender that waits for each answer is slowed by less than a twentieth of 200,000 frames: %d", frames)
	}
	connected := begin()
	connected.closed(1, 1200*time.Millisecond)
	if frames, reads := connected.open(200*time.Microsecond, time.Second); reads > frames/6 {
		t.Errorf("devices that connected one after the other, each waiting for its answers, are soon read several frames at a time: %d frames in %d reads", frames, reads)
	}
}
