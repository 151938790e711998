package udp

import (
	"testing"

	"midge/transports"
	"midge/transports/linktest"
)

// BenchmarkLoopback sends b.N frames of 60 octets through the loopback interface in writes of a given size, reads and answers none;
// the time is that of sending and receiving a frame, the kernel's included.
func BenchmarkLoopback(b *testing.B) {
	for _, c := range []struct {
		name  string
		batch int
		one   bool
	}{{"batch=1", 1, false}, {"batch=4", 4, false}, {"batch=16", 16, false}, {"batch=64", 64, false}, {"onebyone/batch=1", 1, true}, {"onebyone/batch=16", 16, true}} {
		b.Run(c.name, func(b *testing.B) {
			if c.one {
				newDatagrams = newOneByOne
				defer func() { newDatagrams = newBatched }()
			}
			gw := listenOn(b, Config{Address: "127.0.0.1:0"})
			d := dial(b, gw)
			out, in := make([]transports.Frame, c.batch), make([]transports.Frame, 64)
			for i := range out {
				out[i].Data = linktest.Message(60, byte(i))
			}
			for i := range in {
				in[i].Data = make([]byte, 0, 2048)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += c.batch {
				d.WriteFrames(out)
				for got := 0; got < c.batch; {
					k, err := gw.ReadFrames(in[:min(len(in), c.batch-got)])
					if err != nil {
						b.Fatal(err)
					}
					got += k
				}
			}
		})
	}
}

// BenchmarkEcho is a device in closed loop with a gateway that sends each frame back: what a wake-up costs.
func BenchmarkEcho(b *testing.B) {
	gw := listenOn(b, Config{Address: "127.0.0.1:0"})
	d := dial(b, gw)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		frames := make([]transports.Frame, 64)
		for i := range frames {
			frames[i].Data = make([]byte, 0, 2048)
		}
		for {
			n, err := gw.ReadFrames(frames)
			if err != nil {
				return
			}
			gw.WriteFrames(frames[:n])
		}
	}()
	out, in := []transports.Frame{{Data: linktest.Message(60, 1)}}, []transports.Frame{{Data: make([]byte, 0, 2048)}}
	b.ReportAllocs()
	for b.Loop() {
		d.WriteFrames(out)
		if _, err := d.ReadFrames(in); err != nil {
			b.Fatal(err)
		}
	}
	gw.Close()
	<-ended
}
