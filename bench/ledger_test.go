package main

import (
	"math/rand/v2"
	"testing"
)

func TestLedger(t *testing.T) {
	rows := []struct {
		want              string
		seqs              []uint32
		once, twice, late int64
	}{
		{"in order, nothing is wrong", []uint32{0, 1, 2, 3}, 4, 0, 0},
		{"a gap is only fewer messages", []uint32{0, 1, 5}, 3, 0, 0},
		{"a repeat of the last", []uint32{0, 1, 1}, 2, 1, 0},
		{"a repeat from before a gap", []uint32{0, 4, 0, 4}, 2, 2, 0},
		{"one that fills the middle of a gap", []uint32{0, 9, 5, 5}, 3, 1, 1},
		{"those that fill a gap from both ends", []uint32{4, 0, 3, 1, 2, 2}, 5, 1, 4},
	}
	for _, r := range rows {
		l := newLedger(1)
		for _, seq := range r.seqs {
			l.note(0, seq)
		}
		if l.once != r.once || l.twice != r.twice || l.late != r.late {
			t.Errorf("%s: %v gives once %d, twice %d, late %d; want %d, %d, %d", r.want, r.seqs, l.once, l.twice, l.late, r.once, r.twice, r.late)
		}
	}
}

func TestLedgerKeepsPublishersApart(t *testing.T) {
	l := newLedger(2)
	l.note(0, 0)
	l.note(1, 0)
	l.note(2, 0)
	if l.once != 2 || l.alien != 1 || l.twice != 0 {
		t.Errorf("two publishers count by themselves and a third is unknown: got once %d, alien %d, twice %d", l.once, l.alien, l.twice)
	}
}

// The ledger agrees with a set on any order of messages.
func TestLedgerAgreesWithASet(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		l, seen, twice := newLedger(1), map[uint32]bool{}, int64(0)
		for range 60 {
			seq := r.Uint32N(40)
			if seen[seq] {
				twice++
			}
			seen[seq] = true
			l.note(0, seq)
		}
		if l.once != int64(len(seen)) || l.twice != twice {
			t.Fatalf("seed %d: once %d, twice %d; the set says %d, %d", seed, l.once, l.twice, len(seen), twice)
		}
	}
}
