package broker

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"midge/broker/mqtt"
)

// BenchmarkPublishToNext is one message from Publish to a subscriber's Next, in batches as a connection reads them.
func BenchmarkPublishToNext(b *testing.B) {
	for _, qos := range []mqtt.QoS{mqtt.AtMostOnce, mqtt.AtLeastOnce, mqtt.ExactlyOnce} {
		for _, batch := range []int{1, 64, 1024} {
			b.Run(fmt.Sprintf("QoS%d/batch%d", qos, batch), func(b *testing.B) { benchmarkFan(b, qos, 1, batch) })
		}
	}
}

// BenchmarkFanOut is one message to many subscribers; an operation is one delivery.
func BenchmarkFanOut(b *testing.B) {
	for _, subscribers := range []int{10, 1000} {
		for _, qos := range []mqtt.QoS{mqtt.AtMostOnce, mqtt.AtLeastOnce} {
			b.Run(fmt.Sprintf("1to%d/QoS%d", subscribers, qos), func(b *testing.B) { benchmarkFan(b, qos, subscribers, 16) })
		}
	}
}

// benchmarkFan publishes in batches, and every subscriber pulls and answers; an operation is one delivery.
func benchmarkFan(b *testing.B, qos mqtt.QoS, subscribers, batch int) {
	br, now := New(Limits{}), time.Now()
	pub := mustOpen(b, br, Options{ClientID: "pub"})
	subs := make([]*Session, subscribers)
	for i := range subs {
		subs[i] = mustOpen(b, br, Options{ClientID: fmt.Sprint("sub", i)})
		subs[i].Subscribe(now, []Subscription{{Filter: "site/+/temp", QoS: qos}})
	}
	in, out, ids := make([]Inbound, batch), make([]Outbound, batch+1), make([]uint16, 0, batch)
	payload := []byte("21.5")
	b.ReportAllocs()
	for n := 0; n < b.N; n += batch * subscribers {
		for i := range in {
			in[i] = Inbound{ID: uint16(i + 1), Message: &Message{Topic: "site/1/temp", Payload: payload, QoS: qos}}
			ids = append(ids, in[i].ID)
		}
		pub.Publish(now, in)
		pub.Next(now, out)
		if qos == mqtt.ExactlyOnce {
			pub.Release(ids...)
			pub.Next(now, out)
		}
		for _, sub := range subs {
			if k := pullAndAnswer(now, sub, qos, out, ids[:0]); k != batch {
				b.Fatalf("a subscriber gets %d messages of a batch of %d", k, batch)
			}
		}
		ids = ids[:0]
	}
}

func pullAndAnswer(now time.Time, sub *Session, qos mqtt.QoS, out []Outbound, ids []uint16) int {
	k, _ := sub.Next(now, out)
	for i := range out[:k] {
		ids = append(ids, out[i].ID)
	}
	switch qos {
	case mqtt.AtLeastOnce:
		sub.Acked(ids...)
	case mqtt.ExactlyOnce:
		sub.Received(ids...)
		sub.Next(now, out)
		sub.Completed(ids...)
	}
	return k
}

// BenchmarkIdleSession measures what a session costs that has one subscription and nothing to do, fresh and after it has had traffic.
func BenchmarkIdleSession(b *testing.B) {
	for _, traffic := range []bool{false, true} {
		b.Run(fmt.Sprintf("traffic=%v", traffic), func(b *testing.B) {
			const sessions = 10_000
			for b.Loop() {
				before := heapInUse()
				br, now := New(Limits{}), time.Now()
				holds := make([]*Session, sessions)
				for i := range holds {
					id := fmt.Sprint("device", i)
					holds[i] = mustOpen(b, br, Options{ClientID: id, SessionExpiry: Never})
					holds[i].Subscribe(now, []Subscription{{Filter: id + "/set", QoS: mqtt.AtLeastOnce}})
					if traffic {
						exchange(b, now, holds[i], id)
					}
				}
				b.ReportMetric(float64(heapInUse()-before)/sessions, "B/session")
				runtime.KeepAlive(holds)
				runtime.KeepAlive(br)
			}
		})
	}
}

// exchange is one QoS 2 message out and one QoS 1 message back in.
func exchange(b *testing.B, now time.Time, s *Session, id string) {
	out := make([]Outbound, 8)
	s.Publish(now, []Inbound{{ID: 1, Message: &Message{Topic: id + "/set", Payload: []byte("1"), QoS: mqtt.ExactlyOnce}}})
	s.Next(now, out)
	s.Acked(out[1].ID)
	s.Release(1)
	if n, err := s.Next(now, out); n != 1 || err != nil || s.Waiting() != 0 {
		b.Fatalf("the exchange is complete: %d, %v", n, err)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
