package store

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
)

// A walk goes over the entries of one queue, own and shared ones in one order, as they were at one moment. It passes over entries that are
// marked as received.
//
// Its iterators are clones of one, so that they show the same moment. A snapshot would show it as well, but while one is open a flush must write entries
// that were removed before they ever reached a table.
type walk struct {
	s        *Store
	num      uint32
	sides    [2]side
	bodies   *pebble.Iterator // nil until a shared entry is met
	current  *side            // nil at the end, or when err is set
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
	w := &walk{s: s, num: num, sides: [2]side{{kind: kindOwn}, {kind: kindShared}}}
	for i := range w.sides {
		x := &w.sides[i]
		_, upper := numRange(x.kind, num)
		it, err := w.iterator(appendSeq(nil, x.kind, num, from), upper)
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

// iterator returns an iterator that shows what the first one that was made shows.
func (w *walk) iterator(lower, upper []byte) (*pebble.Iterator, error) {
	o := &pebble.IterOptions{LowerBound: lower, UpperBound: upper}
	if first := w.sides[0].it; first != nil {
		return first.Clone(pebble.CloneOptions{IterOptions: o})
	}
	return w.s.db.NewIter(o)
}

func (w *walk) close() {
	for _, it := range []*pebble.Iterator{w.sides[0].it, w.sides[1].it, w.bodies} {
		if it != nil {
			it.Close()
		}
	}
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
	if m, err = w.body(e.Body); err != nil {
		return err
	}
	f(e, &m)
	return nil
}

// body returns a body, which is lent until the next call.
func (w *walk) body(number uint64) (rawMessage, error) {
	if w.bodies == nil {
		it, err := w.iterator(kindRange(kindBody))
		if err != nil {
			return rawMessage{}, damaged(err)
		}
		w.bodies = it
	}
	key := appendBody(nil, number)
	if !w.bodies.SeekGE(key) || !bytes.Equal(w.bodies.Key(), key) {
		if err := w.bodies.Error(); err != nil {
			return rawMessage{}, damaged(err)
		}
		return rawMessage{}, damagedKey(key, errMissing)
	}
	value, err := w.bodies.ValueAndErr()
	if err != nil {
		return rawMessage{}, damaged(err)
	}
	m, err := decodeMessage(value)
	if err != nil {
		err = damagedKey(key, err)
	}
	return m, err
}

// marked reports whether AddReceived was called for an entry.
func (s *Store) marked(num uint32, seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.marks[num][seq]
	return ok
}
