package mqtt

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// A row is one packet: its octets, field by field with what each is, and its value. Every body length in cuts is a shorter packet
// in its own right; a packet cut anywhere else must be refused.
type row struct {
	name  string
	v     Version
	wire  string
	value any
	cuts  []int
}

// octets reads hex digits; what stands in parentheses is comment, in quotes text. The remaining length is put in
// behind the first octet; TestHeader looks at longer ones.
func octets(t testing.TB, s string) []byte {
	t.Helper()
	b := fields(t, s)
	if len(b) > 128 {
		t.Fatal("a row's body has at most 127 octets")
	}
	return append([]byte{b[0], byte(len(b) - 1)}, b[1:]...)
}

func fields(t testing.TB, s string) []byte {
	t.Helper()
	var b []byte
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		end, token := 0, ""
		switch s[0] {
		case '(':
			end = strings.Index(s, ")") + 1
		case '\'':
			end = strings.Index(s[1:], "'") + 2
			b = append(b, s[1:end-1]...)
		default:
			if end = strings.IndexAny(s, " ('"); end < 0 {
				end = len(s)
			}
			token = s[:end]
		}
		x, err := hex.DecodeString(token)
		if err != nil {
			t.Fatalf("test row has %q where hex digits are expected", token)
		}
		b, s = append(b, x...), s[end:]
	}
	return b
}

// parse reads a packet of any type; values come back as pointers.
func parse(first byte, b []byte, v Version) (any, error) {
	switch PacketType(first >> 4) {
	case TypeConnect:
		p, err := ParseConnect(first, b)
		return &p, err
	case TypeConnack:
		p, err := ParseConnack(first, b, v)
		return &p, err
	case TypePublish:
		p, err := ParsePublish(first, b, v)
		return &p, err
	case TypePuback, TypePubrec, TypePubrel, TypePubcomp:
		p, err := ParseAck(first, b, v)
		return &p, err
	case TypeSubscribe:
		p, err := ParseSubscribe(first, b, v)
		return &p, err
	case TypeSuback:
		p, err := ParseSuback(first, b, v)
		return &p, err
	case TypeUnsubscribe:
		p, err := ParseUnsubscribe(first, b, v)
		return &p, err
	case TypeUnsuback:
		p, err := ParseUnsuback(first, b, v)
		return &p, err
	case TypePingreq, TypePingresp:
		t := PacketType(first >> 4)
		return &t, ParsePing(first, b, v)
	case TypeDisconnect:
		p, err := ParseDisconnect(first, b, v)
		return &p, err
	case TypeAuth:
		p, err := ParseAuth(first, b, v)
		return &p, err
	}
	return nil, errReservedType
}

// encode is the inverse of parse.
func encode(p any, v Version) []byte {
	switch p := p.(type) {
	case *Connect:
		return p.Append(nil)
	case *Auth:
		return p.Append(nil)
	case *PacketType:
		if *p == TypePingreq {
			return AppendPingreq(nil)
		}
		return AppendPingresp(nil)
	case interface {
		Append([]byte, Version) []byte
	}:
		return p.Append(nil, v)
	}
	panic(fmt.Sprintf("no encoder for %T", p))
}

// props makes a property set of which all fields set by f are marked.
func props(f func(p *Properties), ids ...PropertyID) *Properties {
	p := new(Properties)
	f(p)
	for _, id := range ids {
		p.Mark(id)
	}
	return p
}

func TestGoldenRows(t *testing.T) {
	for _, r := range goldenRows() {
		t.Run(fmt.Sprintf("%s %s", r.v, r.name), func(t *testing.T) {
			wire := octets(t, r.wire)
			h, err := ParseHeader(wire)
			if err != nil || h.Total() != len(wire) {
				t.Fatalf("the header frames the whole row: got %+v, %v for %d octets", h, err, len(wire))
			}
			got, err := parse(h.First, wire[h.Size:], r.v)
			if err != nil {
				t.Fatalf("the packet is accepted: got %v", err)
			}
			if !reflect.DeepEqual(got, r.value) {
				t.Fatalf("the packet has the row's value:\n got %+v\nwant %+v", got, r.value)
			}
			if b := encode(r.value, r.v); !bytes.Equal(b, wire) {
				t.Fatalf("the value has the row's octets:\n got % x\nwant % x", b, wire)
			}
			checkCuts(t, r, h, wire)
		})
	}
}

// checkCuts cuts the packet everywhere, once as a reader sees it and once with a remaining length that fits the cut.
func checkCuts(t *testing.T, r row, h Header, wire []byte) {
	t.Helper()
	for n := range len(wire) {
		g, err := ParseHeader(wire[:n])
		if n < h.Size && err != ErrIncomplete {
			t.Errorf("%d octets of the fixed header are incomplete: got %v", n, err)
		}
		if n >= h.Size && (err != nil || g.Total()-n != len(wire)-n) {
			t.Errorf("with %d octets the header tells how many are missing: got %+v, %v", n, g, err)
		}
	}
	valid := map[int]bool{}
	for _, n := range r.cuts {
		valid[n] = true
	}
	for n := range h.Length {
		_, err := parse(h.First, wire[h.Size:][:n:n], r.v)
		if valid[n] != (err == nil) {
			t.Errorf("a body cut to %d of %d octets is accepted: %v is wanted, got error %v", n, h.Length, valid[n], err)
		}
		if e, ok := err.(*Error); err != nil && (!ok || e.Reason < UnspecifiedError || e.Text == "") {
			t.Errorf("a body cut to %d octets is refused with a reason and a sentence: got %#v", n, err)
		}
	}
	if _, err := parse(h.First, append(bytes.Clone(wire[h.Size:]), 0), r.v); err == nil && !growable(r) {
		t.Error("an octet behind the last field is refused")
	}
}

// growable are the packets that end in a list of single octets.
func growable(r row) bool {
	switch v := r.value.(type) {
	case *Publish, *Suback:
		return true
	case *Unsuback:
		return r.v == V5
	case *Ack:
		return r.v == V5 && v.Props == nil
	case *Disconnect:
		return r.v == V5 && v.Props == nil
	case *Auth:
		return v.Props == nil
	}
	return false
}
