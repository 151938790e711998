package serial

import (
	"testing"
	"time"

	"midge/transports/linktest"
)

// BenchmarkDecode is the cost of finding a message of 60 octets in a read of 64 of them.
func BenchmarkDecode(b *testing.B) {
	for _, f := range framings {
		b.Run(f.name, func(b *testing.B) {
			var octets []byte
			for i := range 64 {
				octets = f.framing.Append(octets, linktest.Message(60, byte(i)))
			}
			d := f.framing.NewDecoder(mtuDefault, gapLeast)
			now := time.Unix(0, 0)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%64 == 0 {
					d.Feed(now, octets)
				}
				if d.Next() == nil {
					b.Fatal("a message is found")
				}
			}
		})
	}
}
