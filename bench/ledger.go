package main

import "sort"

// A ledger checks what one subscriber gets: each message once, and each publisher's in order.
type ledger struct {
	books []book
	once  int64 // messages that came, each counted once
	twice int64 // repeats of messages that had come
	late  int64 // messages that came after a later one of the same publisher
	alien int64 // payloads that no publisher of this run wrote
}

// A book is one publisher's line: all below next have come, but for the gaps.
type book struct {
	next uint32
	gaps []gap // in rising order, disjoint
}

// A gap is the missing sequence numbers from <= n < to.
type gap struct{ from, to uint32 }

func newLedger(publishers int) ledger { return ledger{books: make([]book, publishers)} }

// note enters one message.
func (l *ledger) note(publisher, seq uint32) {
	if publisher >= uint32(len(l.books)) {
		l.alien++
		return
	}
	if b := &l.books[publisher]; seq == b.next {
		b.next++
		l.once++
	} else {
		l.noteOther(b, seq)
	}
}

func (l *ledger) noteOther(b *book, seq uint32) {
	if seq < b.next {
		l.noteOld(b, seq)
		return
	}
	b.gaps = append(b.gaps, gap{b.next, seq})
	b.next = seq + 1
	l.once++
}

func (l *ledger) noteOld(b *book, seq uint32) {
	i := sort.Search(len(b.gaps), func(i int) bool { return b.gaps[i].to > seq })
	if i == len(b.gaps) || b.gaps[i].from > seq {
		l.twice++
		return
	}
	l.late++
	l.once++
	b.fillGap(i, seq)
}

// fillGap takes seq out of gap i.
func (b *book) fillGap(i int, seq uint32) {
	g := b.gaps[i]
	var rest []gap
	if g.from < seq {
		rest = append(rest, gap{g.from, seq})
	}
	if seq+1 < g.to {
		rest = append(rest, gap{seq + 1, g.to})
	}
	b.gaps = append(b.gaps[:i:i], append(rest, b.gaps[i+1:]...)...)
}
