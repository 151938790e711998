package store

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestSpan(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	if _, _, _, n, err := s.Span(1); n != 0 || err != nil {
		t.Errorf("the queue of nobody is empty: n=%d, %v", n, err)
	}
	commit(t, s, func(b *Batch) {
		b.AddBody(1, 1, message("topic", "12345"))
		e := shared(5, 1)
		e.Total = 1000
		b.Enqueue(1, e)
		e = own(90, "x")
		e.Total = 5000
		b.Enqueue(1, e)
		b.Enqueue(2, own(1, "x"))
	})
	first, last, before, n, err := s.Span(1)
	if err != nil || first.Seq != 5 || last.Seq != 90 || n != 86 || first.Body != 1 || last.Total != 5000 {
		t.Errorf("a queue from a shared to an own entry: first %+v, last %+v, n=%d, %v", first, last, n, err)
	}
	if want := uint64(1000 - 10 - Overhead); before != want {
		t.Errorf("before is the first entry's Total without the entry: got %d, want %d", before, want)
	}
	commit(t, s, func(b *Batch) { b.AddReceived(1, 5) })
	if first, last, _, n, err := s.Span(1); err != nil || first.Seq != 90 || last.Seq != 90 || n != 1 {
		t.Errorf("a received entry does not count: first %d, last %d, n=%d, %v", first.Seq, last.Seq, n, err)
	}
	commit(t, s, func(b *Batch) { b.AddReceived(1, 90) })
	if _, _, _, n, err := s.Span(1); err != nil || n != 0 {
		t.Errorf("a queue of received entries is empty: n=%d, %v", n, err)
	}
}

func TestReadBounds(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	commit(t, s, func(b *Batch) {
		for seq := range uint64(10) {
			b.Enqueue(1, own(seq+1, "123456789")) // 10 octets with the topic
		}
	})
	entries := make([]Entry, 20)
	for _, r := range []struct {
		what     string
		from     uint64
		room     int
		maxBytes int
		want     int
	}{
		{"all", 0, 20, 1000, 10}, {"from the middle", 6, 20, 1000, 5}, {"behind the end", 11, 20, 1000, 0}, {"as many as there is room for", 1, 3, 1000, 3},
		{"as many as octets allow", 1, 20, 35, 3}, {"exactly as many octets", 1, 20, 30, 3}, {"one at least", 1, 20, 0, 1}, {"no room", 1, 0, 1000, 0},
	} {
		n, err := s.Read(1, r.from, entries[:r.room], r.maxBytes)
		if n != r.want || err != nil {
			t.Errorf("%s: got %d entries, want %d (%v)", r.what, n, r.want, err)
		}
		for i, e := range entries[:n] {
			if e.Seq != max(r.from, 1)+uint64(i) {
				t.Errorf("%s: entry %d has Seq %d", r.what, i, e.Seq)
			}
		}
	}
}

func TestReadWhileCommitting(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	const total = 3000
	done := make(chan error, 1)
	go func() {
		entries := make([]Entry, 64)
		for from := uint64(1); from <= total; {
			n, err := s.Read(1, from, entries, 1<<20)
			if err != nil {
				done <- err
				return
			}
			for _, e := range entries[:n] {
				if e.Seq != from || string(e.Message.Payload) != fmt.Sprint(from) {
					done <- fmt.Errorf("entry %d is %d: %q", from, e.Seq, e.Message.Payload)
					return
				}
				from++
			}
		}
		done <- nil
	}()
	b := s.NewBatch()
	for seq := uint64(1); seq <= total; seq++ {
		e := own(seq, fmt.Sprint(seq))
		if seq%2 == 0 {
			b.AddBody(seq, 1, &e.Message)
			e.Body, e.Message = seq, Message{}
		}
		b.Enqueue(1, e)
		if seq%10 == 0 {
			if err := b.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := <-done; err != nil {
		t.Error("a reader beside the committer sees every entry once, in order:", err)
	}
}
