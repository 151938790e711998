package mqttsn

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// The rows that wolfMQTT's own tests have for each of its decoders: a short and an indirect length, a total that is less than the fixed fields, one beyond the buffer, nothing but a
// header, another type, nothing at all.

// withLength is b, a message in the short form, with another total in its length field, in either form.
func withLength(b []byte, total int, indirect bool) []byte {
	if !indirect {
		return append([]byte{byte(total)}, b[1:]...)
	}
	return append(binary.BigEndian.AppendUint16([]byte{longForm}, uint16(total)), b[1:]...)
}

func TestWolfMQTTRows(t *testing.T) {
	for _, r := range rows {
		b := r.bytes(t)
		for _, indirect := range []bool{false, true} {
			front := 2
			if indirect {
				front = 4
			}
			size := len(b) + front - 2
			for _, row := range []struct {
				what  string
				total int
				cut   int // octets that are there
				ok    bool
			}{
				{"the right total", size, size, true},
				{"a total beyond the buffer", size + 1, size, false},
				{"the longest total", 0xFF, size, false},
				{"a total that ends before the buffer", size - 1, size, size-1 == 0xFF},
				{"a total of one", 1, size, false},
				{"a total of none", 0, size, false},
				{"nothing but the header", front, front, r.least == 2},
			} {
				if row.total == size && row.what != "the right total" {
					continue
				}
				full := withLength(b, row.total, indirect)
				_, err := Decode(full[:min(row.cut, len(full))])
				if (err == nil) != row.ok {
					t.Errorf("%s, indirect %t, %s: accepted is %t, got %v", r.text, indirect, row.what, row.ok, err)
				}
			}
			for n := front; n < r.least+front-2; n++ {
				if p, err := Decode(withLength(b, n, indirect)[:n]); err == nil {
					t.Errorf("%s, indirect %t, of %d octets lacks fixed fields, decoded as %v", r.text, indirect, n, p)
				}
			}
		}
	}
	if _, err := Decode(nil); err == nil {
		t.Error("nothing is no message")
	}
}

// TestWolfMQTTWrongType hands the decoder of one type every other type.
func TestWolfMQTTWrongType(t *testing.T) {
	for _, r := range rows {
		if _, err := DecodePublish(r.bytes(t)); (err == nil) != (r.value.Type() == TypePublish) {
			t.Errorf("the decoder of PUBLISH takes its own type and no other: %s gives %v", r.text, err)
		}
	}
}

// TestWolfMQTTAckTypes: wolfMQTT once answered PUBREL with 0x11.
func TestWolfMQTTAckTypes(t *testing.T) {
	for p, want := range map[Packet]byte{Pubcomp{1}: 0x0E, Pubrec{1}: 0x0F, Pubrel{1}: 0x10} {
		if got := p.Append(nil)[1]; got != want {
			t.Errorf("%s is type %#02x, got %#02x", p.Type(), want, got)
		}
	}
}

// TestWolfMQTTLogInjection: what a device sends as a name cannot write a second line, a colour or a tab into a log; payloads are not shown at all.
func TestWolfMQTTLogInjection(t *testing.T) {
	for _, evil := range []string{"a\r\nFAKE", "a\x1b[31m", "a\tb", "a\x00b", "a\u0085b", "a\u2028b", "\xff\xfe", "a b", `a"b`} {
		id, _ := ShortTopic(evil[:2])
		for _, p := range []Packet{Connect{ProtocolID: 1, ClientID: evil}, Pingreq{ClientID: evil}, Register{TopicName: evil}, Subscribe{TopicName: evil},
			Unsubscribe{TopicName: evil}, WillTopic{Topic: evil}, WillTopicUpd{Topic: evil}, WillMsg{Data: []byte(evil)}, WillMsgUpd{Data: []byte(evil)},
			Publish{Data: []byte(evil)}, Publish{TopicIDType: Short, TopicID: id}, Auth{Method: evil, Data: []byte(evil)}} {
			for _, s := range []string{p.String(), fmt.Sprint(p)} {
				if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) {
					t.Errorf("%s with the name %q is shown in plain letters: %q", p.Type(), evil, s)
				}
			}
		}
	}
}
