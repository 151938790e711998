package mqtt

import "testing"

func BenchmarkParsePublish(b *testing.B) {
	for _, r := range []struct{ name, wire string }{
		{"QoS0", "30 0010 'sensors/7/status' 00 'twenty-one degrees and a half, the wind blows from the north-west'"},
		{"QoS1", "32 0010 'sensors/7/status' 0001 00 'twenty-one degrees and a half, the wind blows from the north-west'"},
		{"UserProperty", "30 0010 'sensors/7/status' 09 26 0002 'id' 0002 'v7' 'twenty-one degrees'"},
	} {
		wire := octets(b, r.wire)
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h, _ := ParseHeader(wire)
				if _, err := ParsePublish(h.First, wire[h.Size:h.Total()], V5); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendDelivery(b *testing.B) {
	payload := make([]byte, 64)
	user := props(func(p *Properties) { p.User = []UserProperty{{"id", "v7"}} }, PropUserProperty)
	for _, r := range []struct {
		name string
		v    Version
		d    Delivery
	}{
		{"QoS0v311", V311, Delivery{Topic: "sensors/7/status", Payload: payload}},
		{"QoS1v5", V5, Delivery{Topic: "sensors/7/status", Payload: payload, QoS: 1, ID: 1}},
		{"UserProperty", V5, Delivery{Topic: "sensors/7/status", Payload: payload, Props: user}},
	} {
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 256)
			for b.Loop() {
				buf = r.d.Append(buf[:0], r.v)
			}
		})
	}
}

func BenchmarkPuback(b *testing.B) {
	b.Run("Parse", func(b *testing.B) {
		wire := octets(b, "40 0001")
		b.ReportAllocs()
		for b.Loop() {
			h, _ := ParseHeader(wire)
			if _, err := ParseAck(h.First, wire[h.Size:h.Total()], V5); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Append", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 16)
		for b.Loop() {
			buf = AppendAck(buf[:0], TypePuback, 1, Success, V5)
		}
	})
}
