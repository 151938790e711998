package serial

import (
	"bytes"
	"testing"
	"time"

	"midge/transports/linktest"
)

// seeds are streams as they occur, from values.
func seeds(f *testing.F, framing Framing) {
	var two []byte
	for _, n := range []int{2, 5, 40, 255, 256, 300} {
		m := linktest.Message(n, byte(n))
		f.Add(framing.Append(nil, m), []byte{0})
		two = framing.Append(two, m)
	}
	f.Add(two, []byte{3, 0, 200})
	f.Add(framing.Append([]byte{0, 0x7E, 0xC0, 0x7D}, append([]byte{4, typeEncapsulated, 0, 9}, linktest.Message(9, 1)...)), []byte{})
	f.Add(bytes.Repeat([]byte{0x7E, 0x7D}, 20), []byte{1})
	f.Add([]byte{1, 0xFF, 0xFF, 0x0C}, []byte{0})
}

// FuzzChunks: how the octets are cut into reads does not matter as long as there is no silence, and what is delivered could be a message.
func FuzzChunks(f *testing.F) {
	for _, fr := range framings {
		seeds(f, fr.framing)
	}
	f.Fuzz(func(t *testing.T, octets, cuts []byte) {
		for _, fr := range framings {
			want, wantLost := decodeAll(fr.framing, octets, nil)
			got, gotLost := decodeAll(fr.framing, octets, cuts)
			if len(got) != len(want) || gotLost != wantLost {
				t.Fatalf("%s: chunks change nothing: whole gives %d messages and %+v lost, chunks %d and %+v", fr.name, len(want), wantLost, len(got), gotLost)
			}
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Fatalf("%s: message %d is the same in chunks: %x, whole %x", fr.name, i, got[i], want[i])
				}
				if len(got[i]) < messageLeast || len(got[i]) > traceMTU {
					t.Fatalf("%s: message %d has a length that a message can have, not %d", fr.name, i, len(got[i]))
				}
			}
		}
	})
}

// FuzzRoundTrip: what is encoded comes out again, also after garbage and silence.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("hello"), []byte{0x7E, 0x7D, 0xFF})
	f.Add(bytes.Repeat([]byte{0x7E}, 200), []byte{})
	f.Add([]byte{0x7D, 0x5E, 0xC0, 0xDB, 0x11, 0x13}, []byte{9, 0x0C, 1})
	f.Fuzz(func(t *testing.T, payload, garbage []byte) {
		m := linktest.Message(min(7+len(payload), traceMTU), 0)
		copy(m[7:], payload)
		if len(m) > 255 {
			copy(m[9:], payload)
		}
		for _, fr := range framings {
			d := fr.framing.NewDecoder(traceMTU, traceGap)
			now := time.Unix(0, 0)
			d.Feed(now, garbage)
			for d.Next() != nil {
			}
			d.Feed(now.Add(traceGap), nil)
			for d.Next() != nil {
			}
			d.Feed(now.Add(traceGap), fr.framing.Append(fr.framing.Append(nil, m), m))
			for i := range 2 {
				got := d.Next()
				for got != nil && !bytes.Equal(got, m) && fr.name == "hdlc" && i == 0 {
					got = d.Next() // the garbage may hold a good frame that only our flag ends
				}
				if !bytes.Equal(got, m) {
					t.Fatalf("%s: message %d comes out as it went in: got %x, want %x", fr.name, i, got, m)
				}
			}
			if got := d.Next(); got != nil {
				t.Fatalf("%s: nothing else comes out: %x", fr.name, got)
			}
		}
	})
}
