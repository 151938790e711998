package mqttsn

import (
	"bytes"
	"reflect"
	"testing"
)

func FuzzDecode(f *testing.F) {
	for _, r := range rows {
		f.Add(r.bytes(f))
		f.Add(longForm3(r.bytes(f)))
	}
	f.Add(Encapsulated{NodeID: []byte{1}}.Append(nil, Pingreq{}.Append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		again := p.Append(nil)
		q, err := Decode(again)
		if err != nil || !reflect.DeepEqual(p, q) {
			t.Fatalf("decode of encode is the identity: %#v became %#v, %v", p, q, err)
		}
		if typ, err := PeekType(b); err != nil || typ != p.Type() || typ >= NumTypes {
			t.Fatalf("PeekType agrees with Decode and stays below NumTypes: %v, %v", typ, err)
		}
		if r, err := ParseText(Text(p)); err != nil || !reflect.DeepEqual(p, r) {
			t.Fatalf("the text %q is the packet %#v: got %#v, %v", Text(p), p, r, err)
		}
		for _, c := range p.String() {
			if c < ' ' || c == 0x7F {
				t.Fatalf("no control character reaches a log: %q", p.String())
			}
		}
	})
}

func FuzzEncapsulated(f *testing.F) {
	f.Add(Encapsulated{Radius: 3, NodeID: []byte("A1B2")}.Append(nil, Pingreq{}.Append(nil)))
	f.Add(Encapsulated{}.Append(nil, Connect{ProtocolID: 1, ClientID: "x"}.Append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, inner, err := ParseEncapsulated(b)
		if err != nil {
			return
		}
		again := e.Append(nil, inner)
		b[2] &= 3 // reserved bits are ignored on receipt and zero on sending
		if !bytes.Equal(again, b) {
			t.Fatalf("an envelope put on again is the same: % x became % x", b, again)
		}
	})
}

func FuzzPublish(f *testing.F) {
	f.Add(true, false, int8(1), uint8(0), uint16(1), uint16(2), []byte("abc"))
	f.Add(false, true, int8(-1), uint8(2), uint16(0x6162), uint16(0), []byte{})
	f.Fuzz(func(t *testing.T, dup, retain bool, qos int8, kind uint8, topic, msg uint16, data []byte) {
		p := Publish{Dup: dup, Retain: retain, QoS: max(-1, min(2, QoS(qos))), TopicIDType: TopicIDType(kind % 3), TopicID: topic, MsgID: msg, Data: rest(data)}
		if p.Size() > MaxSize {
			return
		}
		q, err := DecodePublish(p.Append(nil))
		if err != nil || !reflect.DeepEqual(p, q) {
			t.Fatalf("decode of encode is the identity: %#v became %#v, %v", p, q, err)
		}
	})
}

func FuzzParseText(f *testing.F) {
	for _, r := range rows {
		f.Add(Text(r.value))
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, err := ParseText(line)
		if err != nil {
			return
		}
		q, err := ParseText(Text(p))
		if err != nil || !reflect.DeepEqual(p, q) {
			t.Fatalf("%q reads back as itself: %#v became %#v, %v", Text(p), p, q, err)
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	buf := Publish{QoS: 1, TopicID: 1, MsgID: 1, Data: make([]byte, 64)}.Append(nil)
	out := make([]byte, 0, 256)
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodePublish(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
	p, _ := DecodePublish(buf)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			out = p.Append(out[:0])
		}
	})
}
