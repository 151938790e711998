package broker

import (
	"testing"
	"time"

	"midge/broker/mqtt"
)

// BenchmarkPublishToNext is one message from Publish to a subscriber's Next, in batches as a connection reads them.
func BenchmarkPublishToNext(b *testing.B) {
	for _, qos := range []mqtt.QoS{mqtt.AtMostOnce, mqtt.AtLeastOnce} {
		b.Run("QoS"+string('0'+qos), func(b *testing.B) {
			br, now := New(Limits{}), time.Now()
			pub, _, _ := br.Open(now, Options{ClientID: "pub", CleanStart: true})
			sub, _, _ := br.Open(now, Options{ClientID: "sub", CleanStart: true})
			sub.Subscribe(now, []Subscription{{Filter: "site/+/temp", QoS: qos}})
			const batch = 64
			in, out, ids := make([]Inbound, batch), make([]Outbound, batch+1), make([]uint16, 0, batch)
			b.ReportAllocs()
			for n := 0; n < b.N; n += batch {
				for i := range in {
					in[i] = Inbound{ID: uint16(i + 1), Message: &Message{Topic: "site/1/temp", Payload: []byte("21.5"), QoS: qos}}
				}
				pub.Publish(now, in)
				pub.Next(now, out)
				k, _ := sub.Next(now, out)
				ids = ids[:0]
				for _, o := range out[:k] {
					if o.ID != 0 {
						ids = append(ids, o.ID)
					}
				}
				sub.Acked(ids...)
				if k != batch {
					b.Fatalf("the subscriber got %d of %d messages of a batch", k, batch)
				}
			}
		})
	}
}
