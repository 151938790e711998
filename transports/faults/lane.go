package faults

import (
	"math/rand/v2"
	"slices"
	"time"

	"midge/transports"
)

// Faults says how bad a link is, in each direction alike. The zero value is a perfect link.
type Faults struct {
	Loss    float64       // probability 0 to 1 that a frame never arrives
	Dup     float64       // probability that it arrives twice
	Corrupt float64       // probability that one bit of it is flipped
	Reorder float64       // probability that it is held back by ReorderHold, so that later ones overtake it
	Delay   time.Duration // every frame takes so long
	Jitter  time.Duration // and up to so much longer, evenly spread, which reorders too
	Seed    uint64        // the same seed, the same fate
}

// ReorderHold is how long a frame chosen by Faults.Reorder is held back.
const ReorderHold = 20 * time.Millisecond

// waitingMax bounds the frames that a lane holds back. 65,536 short frames are some 10 MB.
const waitingMax = 1 << 16

// late is a frame on its way.
type late struct {
	due   time.Time
	frame transports.Frame
}

// lane is one direction. It holds copies of frames until they are due.
type lane struct {
	Faults
	rng  *rand.Rand
	wait []late // by due time; equal times in order of arrival

	lost, duplicated, corrupted, reordered, overflown uint64
}

func newLane(f Faults, direction uint64) *lane {
	return &lane{Faults: f, rng: rand.New(rand.NewPCG(f.Seed, direction))}
}

// push decides the fate of a frame that was sent now. The frame is copied.
func (l *lane) push(now time.Time, f transports.Frame) {
	// Always the same draws, so that one probability does not shift the fates that the others decide.
	loss, dup, corrupt, reorder := l.rng.Float64(), l.rng.Float64(), l.rng.Float64(), l.rng.Float64()
	bit, jitter, jitter2 := l.rng.Uint64(), l.rng.Float64(), l.rng.Float64()
	if loss < l.Loss {
		l.lost++
		return
	}
	f.Data = slices.Clone(f.Data)
	if corrupt < l.Corrupt && len(f.Data) > 0 {
		l.corrupted++
		bit %= uint64(8 * len(f.Data))
		f.Data[bit/8] ^= 1 << (bit % 8)
	}
	hold := l.Delay
	if reorder < l.Reorder {
		l.reordered++
		hold += ReorderHold
	}
	l.add(now.Add(hold+time.Duration(jitter*float64(l.Jitter))), f)
	if dup < l.Dup {
		l.duplicated++
		f.Data = slices.Clone(f.Data)
		l.add(now.Add(hold+time.Duration(jitter2*float64(l.Jitter))), f)
	}
}

func (l *lane) add(due time.Time, f transports.Frame) {
	if len(l.wait) >= waitingMax {
		l.overflown++
		return
	}
	at := len(l.wait)
	for at > 0 && l.wait[at-1].due.After(due) {
		at--
	}
	l.wait = slices.Insert(l.wait, at, late{due, f})
}

// pop hands over a frame that is due, which is then the caller's.
func (l *lane) pop(now time.Time) (transports.Frame, bool) {
	if len(l.wait) == 0 || l.wait[0].due.After(now) {
		return transports.Frame{}, false
	}
	f := l.wait[0].frame
	l.wait[0] = late{}
	l.wait = l.wait[1:]
	return f, true
}

// next is when pop will have a frame; false when there is none.
func (l *lane) next() (time.Time, bool) {
	if len(l.wait) == 0 {
		return time.Time{}, false
	}
	return l.wait[0].due, true
}
