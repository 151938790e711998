package listener

import (
	"container/heap"
	"time"
)

// set moves, adds or (zero) removes the timer of a sock.
func (l *loop) set(s *sock, at time.Time) {
	s.at = at
	switch {
	case s.place >= 0 && at.IsZero():
		heap.Remove(&l.timers, s.place)
	case s.place >= 0:
		heap.Fix(&l.timers, s.place)
	case !at.IsZero():
		heap.Push(&l.timers, s)
	}
}

// timers orders socks by time.
type timers []*sock

// Len, Less, Swap, Push and Pop are heap.Interface.
func (t timers) Len() int { return len(t) }

// Less reports whether i is due before j.
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }

// Swap exchanges two entries.
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].place, t[j].place = i, j
}

// Push appends a *sock.
func (t *timers) Push(x any) {
	s := x.(*sock)
	s.place = len(*t)
	*t = append(*t, s)
}

// Pop removes the last entry.
func (t *timers) Pop() any {
	last := len(*t) - 1
	s := (*t)[last]
	s.place = -1
	(*t)[last] = nil
	*t = (*t)[:last]
	return s
}
