package store

import (
	"errors"
	"math"
)

// Overhead is what an entry counts in Entry.Total beside topic, payload and [mqtt.Properties.Octets], in octets. Only Span relies on it.
const Overhead = 128

// Span returns the first and the last entry of a queue, without their messages and without reading what lies between, and what Total was before the
// first. n is last.Seq-first.Seq+1, which is an upper bound of the number of entries; 0 means that the queue is empty. Entries that are marked as
// received do not count.
func (s *Store) Span(num uint32) (first, last Entry, before uint64, n int, err error) {
	w, err := s.walk(num, 0)
	if err != nil {
		return Entry{}, Entry{}, 0, 0, err
	}
	defer w.close()
	if w.current == nil {
		return Entry{}, Entry{}, 0, 0, w.err
	}
	if err := w.entry(func(e Entry, m *rawMessage) {
		first, before = e, e.Total-min(e.Total, uint64(m.octets()+Overhead))
	}); err != nil {
		return Entry{}, Entry{}, 0, 0, err
	}
	w.toEnd()
	if w.current == nil {
		return Entry{}, Entry{}, 0, 0, w.err
	}
	if last, err = w.head(); err != nil {
		return Entry{}, Entry{}, 0, 0, err
	}
	return first, last, before, int(min(last.Seq-first.Seq, math.MaxInt-1)) + 1, nil
}

// Read fills entries with the committed entries of a queue from Seq from on, in order and with their messages, which have memory of their own. It
// stops before topics and payloads together exceed maxBytes, but not before the first, and returns how many there are. Entries that are marked
// as received are left out. It may be called while another goroutine fills or commits a batch.
func (s *Store) Read(num uint32, from uint64, entries []Entry, maxBytes int) (int, error) {
	n, err := s.read(num, from, entries, maxBytes)
	if d := new(DamageError); errors.As(err, &d) {
		s.markDamaged(err)
	}
	return n, err
}

func (s *Store) read(num uint32, from uint64, entries []Entry, maxBytes int) (n int, err error) {
	if len(entries) == 0 {
		return 0, nil
	}
	w, err := s.walk(num, from)
	if err != nil {
		return 0, err
	}
	defer w.close()
	var names interner
	octets, full := 0, false
	for ; n < len(entries) && w.current != nil; w.next() {
		err := w.entry(func(e Entry, m *rawMessage) {
			octets += m.octets()
			if full = n > 0 && octets > maxBytes; !full {
				e.Message = m.own(&names)
				entries[n] = e
			}
		})
		if err != nil || full {
			return n, err
		}
		n++
	}
	return n, w.err
}
