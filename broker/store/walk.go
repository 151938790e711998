package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// A walk goes over the entries of one queue, own and shared ones in one order, as they were at one moment. It passes over entries that are
// marked as received.
type walk struct {
	s        *Store
	num      uint32
	snap     *pebble.Snapshot
	sides    [2]side
	current  *side // nil at the end, or when err is set
	backward bool
	err      error // the first
}

// A side is one of the two ranges of keys that make a queue.
type side struct {
	kind byte
	it   *pebble.Iterator
	ok   bool
	seq  uint64 // when ok
}

// walk begins at the first entry from Seq from on. It must be closed.
func (s *Store) walk(num uint32, from uint64) (*walk, error) {
	w := &walk{s: s, num: num, snap: s.db.NewSnapshot(), sides: [2]side{{kind: kindOwn}, {kind: kindShared}}}
	for i := range w.sides {
		x := &w.sides[i]
		_, upper := numRange(x.kind, num)
		it, err := w.snap.NewIter(&pebble.IterOptions{LowerBound: appendSeq(nil, x.kind, num, from), UpperBound: upper})
		if err != nil {
			w.close()
			return nil, damaged(err)
		}
		x.it = it
		w.moved(x, it.First())
	}
	w.settle()
	return w, nil
}

func (w *walk) close() {
	for i := range w.sides {
		if it := w.sides[i].it; it != nil {
			it.Close()
		}
	}
	w.snap.Close()
}

// next goes one entry on.
func (w *walk) next() {
	w.step(w.current)
	w.settle()
}

// toEnd goes to the last entry.
func (w *walk) toEnd() {
	w.backward = true
	for i := range w.sides {
		w.moved(&w.sides[i], w.sides[i].it.Last())
	}
	w.settle()
}

// settle chooses the side whose entry is the next, and passes over marked ones.
func (w *walk) settle() {
	for {
		w.current = w.nearer(&w.sides[0], &w.sides[1])
		if w.err != nil {
			w.current = nil
		}
		if w.current == nil || !w.s.marked(w.num, w.current.seq) {
			return
		}
		w.step(w.current)
	}
}

func (w *walk) nearer(a, b *side) *side {
	switch {
	case !a.ok && !b.ok:
		return nil
	case !b.ok:
		return a
	case !a.ok:
		return b
	case (a.seq < b.seq) != w.backward:
		return a
	}
	return b
}

func (w *walk) step(x *side) {
	if w.backward {
		w.moved(x, x.it.Prev())
		return
	}
	w.moved(x, x.it.Next())
}

// moved takes note of where a side's iterator stands.
func (w *walk) moved(x *side, ok bool) {
	x.ok = ok
	err := x.it.Error()
	if ok {
		_, x.seq, err = cutSeq(x.it.Key())
		if err != nil {
			err = damagedKey(x.it.Key(), err)
		}
	}
	if w.err == nil {
		w.err = damaged(err)
	}
}

// head returns the current entry without its message.
func (w *walk) head() (Entry, error) {
	e, _, err := w.decode()
	return e, err
}

// decode reads the current entry, and its message if it is its own. The message is valid until the walk moves.
func (w *walk) decode() (e Entry, m rawMessage, err error) {
	x := w.current
	value, err := x.it.ValueAndErr()
	if err != nil {
		return Entry{}, rawMessage{}, damaged(err)
	}
	if x.kind == kindOwn {
		e, m, err = decodeOwn(value)
	} else {
		e, err = decodeShared(value)
	}
	if err != nil {
		return Entry{}, rawMessage{}, damagedKey(x.it.Key(), err)
	}
	e.Seq = x.seq
	return e, m, nil
}

// entry calls f with the current entry and its message, which is lent to f.
func (w *walk) entry(f func(Entry, *rawMessage)) error {
	e, m, err := w.decode()
	if err != nil {
		return err
	}
	if e.Body == 0 {
		f(e, &m)
		return nil
	}
	key := appendBody(nil, e.Body)
	value, closer, err := w.snap.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return damagedKey(key, fmt.Errorf("it is missing, but the queue of session %d has it", w.num))
	}
	if err != nil {
		return damaged(err)
	}
	defer closer.Close()
	if m, err = decodeMessage(value); err != nil {
		return damagedKey(key, err)
	}
	f(e, &m)
	return nil
}

// marked reports whether AddReceived was called for an entry.
func (s *Store) marked(num uint32, seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.marks[num][seq]
	return ok
}
