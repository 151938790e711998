package mqtt

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzParse feeds any packet body of any type and version to its decoder. What is accepted must come back the same after
// encoding and decoding it again; what is refused must say why.
func FuzzParse(f *testing.F) {
	for _, r := range goldenRows() {
		wire := octets(f, r.wire)
		f.Add(wire[0], uint8(r.v), wire[2:])
	}
	for _, r := range refusals {
		wire := octets(f, r.wire)
		f.Add(wire[0], uint8(r.v), wire[2:])
	}
	f.Fuzz(func(t *testing.T, first byte, version uint8, body []byte) {
		v := V31 + Version(version%3)
		before := bytes.Clone(body)
		p, err := parse(first, body, v)
		if !bytes.Equal(body, before) {
			t.Fatal("a decoder does not write to its input")
		}
		if err != nil {
			if e, ok := err.(*Error); !ok || !e.Reason.Failed() || e.Text == "" {
				t.Fatalf("a refusal has a reason code and a sentence: got %#v", err)
			}
			return
		}
		checkRoundTrip(t, p, v)
	})
}

func checkRoundTrip(t *testing.T, p any, v Version) {
	t.Helper()
	b := encode(p, v)
	h, err := ParseHeader(b)
	if err != nil || h.Total() != len(b) {
		t.Fatalf("an encoded packet is framed by its own header: got %+v, %v for % x", h, err, b)
	}
	if a, ok := p.(*Auth); ok && a.Reason == Success && a.Props == nil && v != V5 {
		return
	}
	q, err := parse(h.First, b[h.Size:], v)
	if err != nil {
		t.Fatalf("what was accepted is accepted again: got %v for % x of %+v", err, b, p)
	}
	if !reflect.DeepEqual(p, q) {
		t.Fatalf("decode after encode is the identity:\n got %+v\nwant %+v", q, p)
	}
}

// FuzzHeader cuts a stream into packets and looks for a header that promises more than it should.
func FuzzHeader(f *testing.F) {
	var stream []byte
	for _, r := range goldenRows() {
		stream = append(stream, octets(f, r.wire)...)
	}
	f.Add(stream)
	f.Add([]byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F})
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x80, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			h, err := ParseHeader(b)
			if err != nil {
				return
			}
			if h.Size < 2 || h.Size > 5 || h.Size > len(b) || h.Length < 0 || h.Length > MaxRemainingLength {
				t.Fatalf("a header has 2 to 5 octets and a length within the limit: got %+v of % x", h, b)
			}
			b = b[min(h.Total(), len(b)):]
		}
	})
}
