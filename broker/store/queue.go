package store

// rangeFrom is how many neighbouring entries are removed by a range tombstone: it takes 29 octets in the log, and each entry's own tombstone 15.
const rangeFrom = 3

// Enqueue adds an entry to the queue of a session. When e.Body is not 0, the same batch adds that body.
func (b *Batch) Enqueue(num uint32, e *Entry) {
	if e.Body == 0 {
		b.key = appendSeq(b.key[:0], kindOwn, num, e.Seq)
		b.value = appendOwn(b.value[:0], e)
		b.set()
		b.s.busy.add(num, len(b.value))
		return
	}
	b.key = appendSeq(b.key[:0], kindShared, num, e.Seq)
	b.value = appendShared(b.value[:0], e)
	b.set()
	b.s.mu.Lock()
	b.s.refs[e.Body]++
	b.s.mu.Unlock()
}

// AddReceived keeps that the subscriber has a QoS 2 message, so that only PUBCOMP is missing. The entry is no longer read; Remove takes it and the mark away.
func (b *Batch) AddReceived(num uint32, seq uint64) {
	b.key = appendSeq(b.key[:0], kindReceived, num, seq)
	b.value = b.value[:0]
	b.set()
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.s.mark(num, seq, 0)
}

// mark remembers a received entry. s.mu is held.
func (s *Store) mark(num uint32, seq, body uint64) {
	m := s.marks[num]
	if m == nil {
		m = marks{}
		s.marks[num] = m
	}
	m[seq] = body
}

// Remove takes entries out of the queue of a session, in ascending order, and what AddReceived has marked of them. Neighbours go by one range tombstone.
func (b *Batch) Remove(num uint32, seqs []Removed) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	m := b.s.marks[num]
	for len(seqs) > 0 {
		n := 1
		for n < len(seqs) && seqs[n].Seq == seqs[n-1].Seq+1 {
			n++
		}
		b.removeRun(num, seqs[:n], m)
		seqs = seqs[n:]
	}
	if m != nil && len(m) == 0 {
		delete(b.s.marks, num)
	}
}

// removeRun removes neighbours. Own entries, shared ones and marks have keys of their own; none of one kind lies between two of the
// other, so each kind's tombstone may cover the whole run. b.s.mu is held.
func (b *Batch) removeRun(num uint32, run []Removed, m marks) {
	var own, shared, marked stretch
	for _, r := range run {
		body, isMarked := m[r.Seq]
		if isMarked {
			marked.add(r.Seq)
			delete(m, r.Seq)
		}
		if r.Body != 0 {
			body = r.Body
		}
		if body == 0 {
			own.add(r.Seq)
			continue
		}
		shared.add(r.Seq)
		b.release(body)
	}
	b.dropStretch(kindOwn, num, own)
	b.dropStretch(kindShared, num, shared)
	b.dropStretch(kindReceived, num, marked)
}

// A stretch is from the first to the last of n places of a queue.
type stretch struct {
	first, last uint64
	n           int
}

func (s *stretch) add(seq uint64) {
	if s.n == 0 {
		s.first = seq
	}
	s.last = seq
	s.n++
}

func (b *Batch) dropStretch(kind byte, num uint32, s stretch) {
	if s.n == 0 {
		return
	}
	b.key = appendSeq(b.key[:0], kind, num, s.first)
	if s.n >= rangeFrom {
		b.end = after(appendSeq(b.end[:0], kind, num, s.last))
		b.dropRange()
		return
	}
	b.drop()
	if s.n == 2 {
		b.key = appendSeq(b.key[:0], kind, num, s.last)
		b.drop()
	}
}
