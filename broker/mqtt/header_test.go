package mqtt

import (
	"bytes"
	"testing"
)

func TestHeader(t *testing.T) {
	for _, r := range []struct {
		name   string
		length int
		wire   []byte
	}{
		{"nothing", 0, []byte{0x30, 0}},
		{"the largest of one octet", 127, []byte{0x30, 0x7F}},
		{"the smallest of two octets", 128, []byte{0x30, 0x80, 0x01}},
		{"the largest of two octets", 16383, []byte{0x30, 0xFF, 0x7F}},
		{"the smallest of three octets", 16384, []byte{0x30, 0x80, 0x80, 0x01}},
		{"the largest of three octets", 2097151, []byte{0x30, 0xFF, 0xFF, 0x7F}},
		{"the smallest of four octets", 2097152, []byte{0x30, 0x80, 0x80, 0x80, 0x01}},
		{"the largest of all", MaxRemainingLength, []byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F}},
	} {
		if b := appendHeader(nil, 0x30, r.length); !bytes.Equal(b, r.wire) {
			t.Errorf("%s is encoded in its shortest form: got % x, want % x", r.name, b, r.wire)
		}
		if n := headerSize(r.length); n != len(r.wire) {
			t.Errorf("%s has a header of %d octets: got %d", r.name, len(r.wire), n)
		}
		for n := range len(r.wire) {
			if _, err := ParseHeader(r.wire[:n]); err != ErrIncomplete {
				t.Errorf("%s cut to %d octets is incomplete: got %v", r.name, n, err)
			}
		}
		h, err := ParseHeader(append(r.wire, 0xFF))
		if want := (Header{First: 0x30, Size: len(r.wire), Length: r.length}); err != nil || h != want {
			t.Errorf("%s is decoded whatever follows it: got %+v, %v, want %+v", r.name, h, err, want)
		}
		if h.Type() != TypePublish || h.Total() != len(r.wire)+r.length {
			t.Errorf("%s tells type and total: got %v, %d", r.name, h.Type(), h.Total())
		}
	}
}

func TestHeaderRefusals(t *testing.T) {
	if _, err := ParseHeader([]byte{0x30, 0x80, 0x80, 0x80, 0x80}); err != error(ErrRemainingLength) {
		t.Errorf("a remaining length that goes on after four octets is refused: got %v", err)
	}
	for _, b := range [][]byte{{0x00}, {0x0A, 0xC0}, {0x01, 0}} {
		if e, ok := (func() error { _, err := ParseHeader(b); return err })().(*Error); !ok || e.Reason != ProtocolError {
			t.Errorf("packet type 0 is a protocol error from its first octet on: got %v for % x", e, b)
		}
	}
	if h, err := ParseHeader([]byte{0xC0, 0x80, 0x80, 0x00}); err != nil || h.Total() != 4 {
		t.Errorf("a remaining length in a longer form than needed is accepted: got %+v, %v", h, err)
	}
}

func TestConnackCodesOfVersion3(t *testing.T) {
	for code := range uint8(6) {
		r, ok := ConnackReason(code)
		if got := ConnackCode(V311, r); !ok || got != code {
			t.Errorf("return code %d becomes a reason and comes back: got %v, %d", code, r, got)
		}
	}
	if _, ok := ConnackReason(6); ok {
		t.Error("there is no return code 6")
	}
	for r, want := range map[ReasonCode]uint8{Banned: 5, QuotaExceeded: 3, BadAuthenticationMethod: 5, MalformedPacket: 3} {
		if got := ConnackCode(V31, r); got != want {
			t.Errorf("%v is return code %d in version 3: got %d", r, want, got)
		}
	}
	if got := ConnackCode(V5, Banned); got != 0x8A {
		t.Errorf("in version 5 the code is the reason itself: got %#x", got)
	}
}

func TestNames(t *testing.T) {
	for _, r := range []struct{ got, want string }{
		{V31.String(), "3.1"}, {V311.String(), "3.1.1"}, {V5.String(), "5"}, {Version(9).String(), "protocol level 9"},
		{NotAuthorized.String(), "Not authorized"}, {Success.String(), "Success"}, {ReasonCode(0xFF).String(), "reason code 0xff"},
		{TypePubrel.String(), "PUBREL"}, {PacketType(0).String(), "RESERVED"}, {PacketType(16).String(), "packet type 16"},
		{PropSessionExpiry.String(), "session-expiry-interval"}, {PropertyID(4).String(), "property 4"},
		{PropertyID(200).String(), "property 200"},
	} {
		if r.got != r.want {
			t.Errorf("the name is %q: got %q", r.want, r.got)
		}
	}
	for id := range lastProperty + 1 {
		if !id.known() {
			continue
		}
		if got, ok := PropertyByName(id.String()); !ok || got != id {
			t.Errorf("%v is found by its name: got %v, %v", id, got, ok)
		}
	}
	if _, ok := PropertyByName(""); ok {
		t.Error("no property has an empty name")
	}
}
