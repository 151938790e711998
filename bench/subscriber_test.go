package main

import (
	"io"
	"testing"
	"time"
)

// endless is a connection whose reads always give the same whole packets.
type endless struct{ data []byte }

func (e endless) Read(b []byte) (int, error)  { return copy(b, e.data), nil }
func (e endless) Write(b []byte) (int, error) { return io.Discard.Write(b) }

// The fast way through a run of QoS 0 messages and the general one enter the same into the ledger, wherever a read ends.
func TestTakeRunAgreesWithTake(t *testing.T) {
	var data []byte
	for seq := range uint32(4) {
		data = appendPublish(data, "a", 0, 0, 0, seq)
		data = appendPublish(data, "longer/topic/than/fits/into/one/octet/of/length/with/the/payload", 0, 0, 0, 100+seq)
		data = appendPublish(data, "a", 1, 7, 1, seq)
	}
	data = append(data, 0x30, 3, 0, 1, 'a') // no payload: alien
	for cut := range data {
		s := subscriber{stream: &stream{ReadWriter: endless{}, buf: make([]byte, 4096)}, ledger: newLedger(2)}
		for _, part := range [][]byte{data[:cut], data[cut:]} {
			copy(s.buf, s.buf[s.start:s.end])
			s.start, s.end = 0, s.end-s.start
			s.end += copy(s.buf[s.end:], part)
			if err := s.takeAll(time.Now()); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
		if s.once != 12 || s.late != 3 || s.alien != 1 || s.start != s.end {
			t.Fatalf("cut at %d: 12 messages, 3 of them late, one alien; got %d, %d, %d, %d octets left", cut, s.once, s.late, s.alien, s.end-s.start)
		}
	}
}

// BenchmarkSubscriber is the generator's own cost per message received, without system calls.
func BenchmarkSubscriber(b *testing.B) {
	for qos := range byte(3) {
		b.Run([]string{"qos0", "qos1", "qos2"}[qos], func(b *testing.B) {
			const batch = 1000
			var data []byte
			for range batch {
				data = appendPublish(data, "bench/0", qos, 1, 0, 0)
			}
			s := subscriber{stream: &stream{ReadWriter: endless{data: data}, buf: make([]byte, subscriberBuffer)}, ledger: newLedger(1)}
			start := time.Now()
			b.ReportAllocs()
			for n := 0; n < b.N; n += batch {
				if err := s.fill(); err != nil {
					b.Fatal(err)
				}
				s.books[0].next = 0
				if err := s.takeAll(start); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
