package store

import (
	"math/rand/v2"
	"testing"
)

// TestAQueueIsWrittenOnce queues beside things that change all the time, which are merged, and empties the queue.
func TestAQueueIsWrittenOnce(t *testing.T) {
	s, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := s.NewBatch()
	commit := func() {
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	const messages, size = 40_000, 250
	payload := make([]byte, size)
	random := rand.NewChaCha8([32]byte{})
	var removed []Removed
	for seq := uint64(1); seq <= messages; seq++ {
		random.Read(payload)
		b.Enqueue(1, &Entry{Seq: seq, Total: seq * size, QoS: 1, Message: Message{Topic: "a", QoS: 1, Payload: payload}})
		removed = append(removed, Removed{Seq: seq})
		if seq%100 == 0 {
			b.SetSession(Session{Num: 1, ClientID: "c", Given: seq})
			b.SetNote(2, "n", []byte{byte(seq)})
			b.AddInbound(2, uint16(seq))
			b.SetClock(Clock{Now: int64(seq)})
			commit()
		}
	}
	b.Remove(1, removed)
	commit()
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := s.Metrics().CompactBytes; n > messages*size/20 {
		t.Errorf("what is merged is what changes all the time, and the queue of %d octets is not: %d octets were written by merging", messages*size, n)
	}
}
