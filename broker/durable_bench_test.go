package broker

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"midge/broker/mqtt"
	"midge/broker/store"
)

// BenchmarkOfflineQueue is a QoS 1 message into the queue of an offline session, synced to a real disk before it is acknowledged, from 8 publishers with 64
// messages open each; and its way out again when the session comes back.
func BenchmarkOfflineQueue(b *testing.B) {
	s, err := store.Open(store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	br, err := Restore(time.Now(), Limits{}, s, Durability{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- br.Run(ctx) }()
	sub := mustOpen(b, br, Options{ClientID: "sub", SessionExpiry: Never})
	sub.Subscribe(time.Now(), []Subscription{{Filter: "site/#", QoS: mqtt.AtLeastOnce}})
	sub.Close(time.Now(), Closing{})

	b.ResetTimer()
	var publishers sync.WaitGroup
	for i := range 8 {
		publishers.Go(func() { publishSynced(b, br, fmt.Sprint("pub", i), b.N/8+1) })
	}
	publishers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queued/s")
	begun := time.Now()
	n := drainSynced(b, br, 8*(b.N/8+1))
	b.ReportMetric(float64(n)/time.Since(begun).Seconds(), "drained/s")
	m := s.Metrics()
	b.ReportMetric(float64(m.LogBytes+m.FlushBytes+m.CompactBytes)/float64(n), "written-B/op")
	b.ReportMetric(m.CommitTime.Seconds()*1e6/float64(max(1, m.Commits)), "µs/commit")
	b.StopTimer()
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	if err := br.Stop(time.Now()); err != nil {
		b.Error(err)
	}
}

// publishSynced publishes n messages of 250 octets and keeps 64 of them open.
func publishSynced(b *testing.B, br *Broker, id string, n int) {
	ring := make(bell, 1)
	s := mustOpen(b, br, Options{ClientID: id, Waker: ring})
	var out [64]Outbound
	for sent, acked := 0, 0; acked < n; {
		var in []Inbound
		for ; sent < n && sent-acked < 64; sent++ {
			in = append(in, Inbound{ID: uint16(sent%65535 + 1), Message: &Message{Topic: "site/1/temp/outdoors", Payload: make([]byte, 250), QoS: mqtt.AtLeastOnce}})
		}
		s.Publish(time.Now(), in)
		k, _ := s.Next(time.Now(), out[:])
		if acked += k; k == 0 {
			<-ring
		}
	}
}

// drainSynced pulls and acknowledges all that waits for the subscriber.
func drainSynced(b *testing.B, br *Broker, want int) (n int) {
	ring := make(bell, 1)
	s := mustOpen(b, br, Options{ClientID: "sub", SessionExpiry: Never, Waker: ring})
	out, ids := make([]Outbound, 256), make([]uint16, 0, 256)
	for n < want {
		k, _ := s.Next(time.Now(), out)
		if k == 0 {
			<-ring
			continue
		}
		ids = ids[:0]
		for _, o := range out[:k] {
			ids = append(ids, o.ID)
		}
		s.Acked(ids...)
		n += k
	}
	return n
}
