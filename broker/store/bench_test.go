package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The load of the benchmarks: a topic of 20 octets and 250 octets that do not compress.
const (
	benchTopic   = "site1/sensors/temp/7"
	benchPayload = 250
	benchBatch   = 250
)

// procNumber reads a figure of this process in octets: "write_bytes" of /proc/self/io, or "RssAnon" of /proc/self/status.
func procNumber(b testing.TB, file, name string) uint64 {
	text, err := os.ReadFile("/proc/self/" + file)
	if err != nil {
		b.Skip("the figures of the process are Linux's:", err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != name+":" {
			continue
		}
		n, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		if len(f) == 3 { // kB
			n <<= 10
		}
		return n
	}
	b.Fatalf("/proc/self/%s does not say %s", file, name)
	return 0
}

func written(b testing.TB) uint64 { return procNumber(b, "io", "write_bytes") }

// A filler makes entries of the benchmarks' load.
type filler struct {
	rng *rand.ChaCha8
	e   Entry
}

func newFiller() *filler {
	f := &filler{rng: rand.NewChaCha8([32]byte{1})}
	f.e = Entry{QoS: 1, Message: Message{Topic: benchTopic, Payload: make([]byte, benchPayload), QoS: 1, Publisher: "publisher7"}}
	return f
}

func (f *filler) entry(seq uint64) *Entry {
	f.rng.Read(f.e.Message.Payload)
	f.e.Seq, f.e.Total = seq, seq*uint64(len(benchTopic)+benchPayload+Overhead)
	return &f.e
}

func openDir(b testing.TB, dir string) *Store {
	b.Helper()
	s, err := Open(Options{Dir: dir, BallastBytes: -1})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// fill queues n messages over some sessions in turn, in synced batches.
func fill(b testing.TB, s *Store, n, sessions int) {
	b.Helper()
	batch, f := s.NewBatch(), newFiller()
	for num := range sessions {
		session(batch, uint32(num+1))
	}
	for i := range n {
		batch.Enqueue(uint32(i%sessions+1), f.entry(uint64(i/sessions+1)))
		if (i+1)%benchBatch == 0 || i == n-1 {
			if err := batch.Commit(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// drain reads and removes what fill queued, as much a commit as fill has written in half a second at 5,000 messages a second.
func drain(b testing.TB, s *Store, n, sessions int) {
	b.Helper()
	batch, entries := s.NewBatch(), make([]Entry, benchBatch)
	from := make([]uint64, sessions)
	var gone []Removed
	pending := 0
	for left := n; left > 0; {
		for num := range sessions {
			m, err := s.Read(uint32(num+1), from[num], entries, 1<<20)
			if err != nil {
				b.Fatal(err)
			}
			gone = gone[:0]
			for _, e := range entries[:m] {
				gone = append(gone, Removed{Seq: e.Seq})
				from[num] = e.Seq + 1
			}
			batch.Remove(uint32(num+1), gone)
			left -= m
			if pending += m; pending < 10*benchBatch && left > 0 {
				continue
			}
			pending = 0
			if err := batch.Commit(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkBytesWritten queues messages for sessions that are away and drains them, and tells the octets that reached the device for each message: at most
// 2.0 × (payload + topic) + 100 = 640 in one session are promised.
func BenchmarkBytesWritten(b *testing.B) {
	for _, sessions := range []int{1, 10, 1000} {
		b.Run(fmt.Sprint("sessions=", sessions), func(b *testing.B) {
			const n = 200_000
			for b.Loop() {
				s := openDir(b, b.TempDir())
				before, start := written(b), time.Now()
				fill(b, s, n, sessions)
				queued, filled := written(b), time.Now()
				drain(b, s, n, sessions)
				drained, end := written(b), time.Now()
				m := s.Metrics()
				s.Close()
				closed := written(b)
				b.ReportMetric(float64(queued-before)/n, "B/queued")
				b.ReportMetric(float64(drained-queued)/n, "B/drained")
				b.ReportMetric(float64(closed-before)/n, "B/msg")
				b.ReportMetric(n/filled.Sub(start).Seconds(), "queued/s")
				b.ReportMetric(n/end.Sub(filled).Seconds(), "drained/s")
				b.ReportMetric(float64(m.LogBytes)/n, "B/log")
				b.ReportMetric(float64(m.FlushBytes)/n, "B/flush")
				b.ReportMetric(float64(m.CompactBytes)/n, "B/compact")
				b.ReportMetric(float64(m.UsedBytes)/1e6, "MB-left")
			}
		})
	}
}

// BenchmarkCommit commits one message at a time, and 250.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 250} {
		b.Run(fmt.Sprint("messages=", n), func(b *testing.B) {
			s := openDir(b, b.TempDir())
			defer s.Close()
			batch, f := s.NewBatch(), newFiller()
			before, seq := written(b), uint64(0)
			for b.Loop() {
				for range n {
					seq++
					batch.Enqueue(1, f.entry(seq))
				}
				if err := batch.Commit(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			b.ReportMetric(float64(written(b)-before)/float64(b.N), "B/commit")
		})
	}
}

// BenchmarkReopen opens a store with a million messages in one session and in a thousand, and asks for the ends of every queue.
func BenchmarkReopen(b *testing.B) {
	for _, sessions := range []int{1, 1000} {
		b.Run(fmt.Sprint("sessions=", sessions), func(b *testing.B) {
			dir := b.TempDir()
			s := openDir(b, dir)
			fill(b, s, 1_000_000, sessions)
			s.Close()
			runtime.GC()
			for b.Loop() {
				before := procNumber(b, "status", "RssAnon")
				s = openDir(b, dir)
				spans(b, s, sessions)
				b.ReportMetric(float64(int64(procNumber(b, "status", "RssAnon"))-int64(before))/1e6, "MB-anon")
				b.StopTimer()
				s.Close()
				b.StartTimer()
			}
		})
	}
}

func spans(b testing.TB, s *Store, want int) {
	b.Helper()
	found := 0
	if err := s.Sessions(func(x Session) error {
		if _, _, _, n, err := s.Span(x.Num); err != nil || n == 0 {
			return fmt.Errorf("queue of session %d: %d messages, %w", x.Num, n, err)
		}
		found++
		return nil
	}); err != nil || found != want {
		b.Fatalf("%d sessions with queues, want %d: %v", found, want, err)
	}
}

// BenchmarkRetained opens a store with 100,000 retained messages and reads them.
func BenchmarkRetained(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	s := openDir(b, dir)
	batch, f := s.NewBatch(), newFiller()
	for i := range n {
		m := f.entry(1).Message
		m.Topic = fmt.Sprintf("site%d/sensors/temp/%d", i%100, i)
		batch.SetRetained(&m)
		if (i+1)%benchBatch == 0 {
			if err := batch.Commit(); err != nil {
				b.Fatal(err)
			}
		}
	}
	s.Close()
	for b.Loop() {
		s = openDir(b, dir)
		found := 0
		if err := s.Retained(func(*Message) error { found++; return nil }); err != nil || found != n {
			b.Fatalf("%d retained messages, want %d: %v", found, n, err)
		}
		b.StopTimer()
		s.Close()
		b.StartTimer()
	}
}
