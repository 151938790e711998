package store

import (
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// AddBody keeps a message that several queues share, under a number that was never used before. receivers is how many entries of this same batch
// use it. The body goes away with the last of them.
func (b *Batch) AddBody(number uint64, receivers int, m *Message) {
	if receivers <= 0 {
		return
	}
	b.raiseBody(number)
	b.key = appendBody(b.key[:0], number)
	b.value = appendMessage(b.value[:0], m, m.Topic)
	b.set()
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.s.refs[number] += 0 // it is there, even if no entry comes
	b.dead = append(b.dead, number)
}

// raiseBody persists that a body number was used: one write for many numbers.
func (b *Batch) raiseBody(number uint64) {
	b.s.mu.Lock()
	raised := number > b.s.highBody
	if raised {
		b.s.highBody = number + bodyStride
	}
	high := b.s.highBody
	b.s.mu.Unlock()
	if raised {
		b.key = append(b.key[:0], keyHighBody...)
		b.value = binary.AppendUvarint(b.value[:0], high)
		b.set()
	}
}

// release takes one entry off a body. b.s.mu is held.
func (b *Batch) release(number uint64) {
	n := b.s.refs[number]
	if n == 0 {
		return
	}
	b.s.refs[number] = n - 1
	if n == 1 {
		b.dead = append(b.dead, number)
	}
}

// dropBodies removes the bodies that nothing uses any more, neighbours by one range tombstone.
func (b *Batch) dropBodies() {
	if len(b.dead) == 0 {
		return
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.dead = slices.DeleteFunc(b.dead, func(number uint64) bool {
		n, there := b.s.refs[number]
		return n > 0 || !there
	})
	slices.Sort(b.dead)
	dead := slices.Compact(b.dead)
	for _, number := range dead {
		delete(b.s.refs, number)
	}
	for len(dead) > 0 {
		n := 1
		for n < len(dead) && b.s.noneBetween(dead[n-1], dead[n]) {
			n++
		}
		b.dropBodyRun(dead[:n])
		dead = dead[n:]
	}
	b.dead = b.dead[:0]
}

// gapMax is over how many unused numbers a range tombstone for bodies may reach.
const gapMax = 16

// noneBetween reports whether no body that is in use has a number between two others. s.mu is held.
func (s *Store) noneBetween(a, b uint64) bool {
	if b-a > gapMax {
		return false
	}
	for number := a + 1; number < b; number++ {
		if _, used := s.refs[number]; used {
			return false
		}
	}
	return true
}

func (b *Batch) dropBodyRun(run []uint64) {
	if len(run) >= rangeFrom {
		b.key = appendBody(b.key[:0], run[0])
		b.end = after(appendBody(b.end[:0], run[len(run)-1]))
		b.dropRange()
		return
	}
	for _, number := range run {
		b.key = appendBody(b.key[:0], number)
		b.drop()
	}
}

// releaseDropped removes the shared entries of the sessions that the batch has dropped, and the bodies that only they used. It comes after the commit
// of the drop, when what is on disk is exactly what is left of them. It is not synced: Open would find the entries without a session and do the same.
func (b *Batch) releaseDropped() error {
	if len(b.dropped) == 0 {
		return nil
	}
	defer func() { b.dropped = b.dropped[:0] }()
	lower, upper := kindRange(kindShared)
	it, err := b.s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return damaged(err)
	}
	defer it.Close()
	for _, num := range b.dropped {
		if err := b.releaseSession(it, num); err != nil {
			return err
		}
	}
	b.dropBodies()
	if b.b.Empty() {
		return nil
	}
	if err := b.s.apply(b.b, pebble.NoSync); err != nil {
		return err
	}
	b.b.Reset()
	return nil
}

// releaseSession releases the bodies of one dropped session and removes its entries.
func (b *Batch) releaseSession(it *pebble.Iterator, num uint32) error {
	b.key = appendNum(b.key[:0], kindShared, num)
	b.end = after(append(b.end[:0], b.key...))
	var bodies []uint64
	for ok := it.SeekGEWithLimit(b.key, b.end) == pebble.IterValid; ok; ok = it.NextWithLimit(b.end) == pebble.IterValid {
		e, err := decodeShared(it.Value())
		if err != nil {
			return damagedKey(it.Key(), err)
		}
		bodies = append(bodies, e.Body)
	}
	if len(bodies) > 0 {
		b.dropRange()
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	for _, number := range bodies {
		b.release(number)
	}
	return damaged(it.Error())
}
