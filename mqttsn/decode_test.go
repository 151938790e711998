package mqttsn

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		why  string
		b    []byte
		want error
	}{
		{"no octets at all", nil, ErrIncomplete},
		{"a length of 0", []byte{0, 0x17}, ErrLength},
		{"the long form's marker alone", []byte{1}, ErrIncomplete},
		{"the long form with half a length", []byte{1, 0}, ErrIncomplete},
		{"the long form with a length below its own header", []byte{1, 0, 3, 0x17}, ErrLength},
		{"a length above the datagram", []byte{3, 0x17}, ErrLength},
		{"a length below the datagram", []byte{2, 0x17, 0}, ErrLength},
		{"a reserved type", []byte{2, 0x19}, ErrReserved},
		{"AUTH whose method ends behind it", []byte{5, 0x03, 0, 2, 'P'}, ErrTruncated},
		{"a reserved type among the publishes", []byte{2, 0x11}, ErrReserved},
		{"the highest type", []byte{2, 0xFF}, ErrReserved},
		{"an envelope", []byte{3, 0xFE, 0, 2, 0x17}, ErrLength},
		{"an envelope around nothing", []byte{3, 0xFE, 0}, ErrEncapsulated},
		{"PINGRESP with a body", []byte{3, 0x17, 0}, ErrTrailing},
		{"CONNACK with two codes", []byte{4, 0x05, 0, 0}, ErrTrailing},
		{"DISCONNECT with half a duration", []byte{3, 0x18, 0}, ErrTruncated},
		{"DISCONNECT with an octet too many", []byte{5, 0x18, 0, 1, 2}, ErrTrailing},
		{"PUBLISH with the reserved topic id type", []byte{7, 0x0C, 3, 0, 1, 0, 0}, ErrTopicIDType},
		{"SUBSCRIBE with the reserved topic id type", []byte{7, 0x12, 3, 0, 1, 0, 5}, ErrTopicIDType},
		{"UNSUBSCRIBE with the reserved topic id type", []byte{7, 0x14, 3, 0, 1, 0, 5}, ErrTopicIDType},
		{"SUBSCRIBE by predefined id with one octet of it", []byte{6, 0x12, 1, 0, 1, 0}, ErrTruncated},
		{"SUBSCRIBE by short name with three octets", []byte{8, 0x12, 2, 0, 1, 'a', 'b', 'c'}, ErrTrailing},
	} {
		if p, err := Decode(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s is refused with %q: got %v, %v", c.why, c.want, p, err)
		}
	}
}

func TestUnusedFlagsAreIgnored(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		want Packet
	}{
		{"CONNECT", []byte{7, 0x04, 0xF3, 1, 0, 60, 'a'}, Connect{ProtocolID: 1, Duration: 60, ClientID: "a"}},
		{"WILLTOPIC", []byte{4, 0x07, 0x8F, 'a'}, WillTopic{Topic: "a"}},
		{"PUBLISH", []byte{7, 0x0C, 0x0C, 0, 1, 0, 0}, Publish{TopicID: 1}},
		{"SUBSCRIBE", []byte{6, 0x12, 0x1C, 0, 1, 'a'}, Subscribe{MsgID: 1, TopicName: "a"}},
		{"SUBACK", []byte{8, 0x13, 0x9F, 0, 1, 0, 1, 0}, Suback{TopicID: 1, MsgID: 1}},
		{"UNSUBSCRIBE", []byte{6, 0x14, 0xFC, 0, 1, 'a'}, Unsubscribe{MsgID: 1, TopicName: "a"}},
	} {
		p, err := Decode(c.b)
		if err != nil || !reflect.DeepEqual(p, c.want) {
			t.Errorf("%s with unused flags set decodes as if they were not: got %#v, %v", c.name, p, err)
		}
		if got := p.Append(nil)[2] & 0xFC; got != 0 {
			t.Errorf("%s is sent with its unused flags zero: got %#02x", c.name, got)
		}
		if !StrayFlags(c.b) || StrayFlags(p.Append(nil)) {
			t.Errorf("StrayFlags tells %s with unused flags from one without", c.name)
		}
	}
}

// No message of the rows has a flag too many, and none whose first octet is no flags is taken to have one.
func TestStrayFlagsOfRows(t *testing.T) {
	for _, r := range rows {
		if b := r.bytes(t); StrayFlags(b) || StrayFlags(longForm3(b)) {
			t.Errorf("%s has no stray flags", r.text)
		}
	}
	for n, b := range [][]byte{{}, {2}, {2, 0x07}, {2, 0xFF}, {3, 0xFE, 0xFF}} {
		if StrayFlags(b) {
			t.Errorf("frame %d has no flags", n)
		}
	}
}

func TestPlain(t *testing.T) {
	if user, password, ok := PlainAuth("u", "p w").Plain(); user != "u" || string(password) != "p w" || !ok {
		t.Errorf("a user and a password go through PLAIN: got %q, %q, %t", user, password, ok)
	}
	for why, p := range map[string]Auth{
		"another method":     {Method: "SCRAM-SHA-256", Data: []byte("\x00u\x00p")},
		"no separators":      {Method: MethodPlain, Data: []byte("up")},
		"one separator":      {Method: MethodPlain, Data: []byte("u\x00p")},
		"three separators":   {Method: MethodPlain, Data: []byte("\x00u\x00p\x00")},
		"an empty user name": {Method: MethodPlain, Data: []byte("\x00\x00p")},
		"nothing whatsoever": {},
	} {
		if _, _, ok := p.Plain(); ok {
			t.Errorf("%s is not PLAIN", why)
		}
	}
	if s := PlainAuth("u", "secret").String(); strings.Contains(s, "secret") {
		t.Errorf("the text for logs does not show the password: %q", s)
	}
	if got := (Auth{Method: strings.Repeat("m", 256)}).Append(nil); got != nil {
		t.Errorf("a method that does not fit is not sent cut short: got %d octets", len(got))
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct{ data, total, header int }{
		{248, 255, 2}, {249, 258, 4}, {MaxSize - 9, MaxSize, 4},
	} {
		p := Publish{QoS: AtLeastOnce, TopicID: 1, MsgID: 1, Data: bytes.Repeat([]byte{0x7E}, c.data)}
		b := p.Append(nil)
		total, header, err := Length(b)
		if len(b) != c.total || total != c.total || header != c.header || err != nil || p.Size() != c.total {
			t.Errorf("%d octets of data make a message of %d with a header of %d: got %d, Length says %d, %d, %v, Size says %d",
				c.data, c.total, c.header, len(b), total, header, err, p.Size())
		}
		if back, err := DecodePublish(b); err != nil || !reflect.DeepEqual(back, p) {
			t.Errorf("a PUBLISH of %d octets survives the way: %v", c.total, err)
		}
	}
	before := []byte{1, 2, 3}
	long := strings.Repeat("x", MaxSize)
	for _, p := range []Packet{Publish{Data: []byte(long)}, Register{TopicName: long}, Subscribe{TopicName: long}, Unsubscribe{TopicName: long},
		Connect{ClientID: long}, Pingreq{ClientID: long}, WillTopic{Topic: long}, WillMsg{Data: []byte(long)}, GwInfo{GwAdd: []byte(long)}} {
		if got := p.Append(before); !bytes.Equal(got, before) {
			t.Errorf("%s beyond MaxSize is not appended, not even in part: got %d octets", p.Type(), len(got))
		}
	}
}

func TestLengthOfStreams(t *testing.T) {
	if total, header, err := Length([]byte{7, 0x0C}); total != 7 || header != 2 || err != nil {
		t.Errorf("Length needs only the front of the message: got %d, %d, %v", total, header, err)
	}
	if total, header, err := Length([]byte{1, 0xFF, 0xFF}); total != 65535 || header != 4 || err != nil {
		t.Errorf("Length reads the three-octet form before the type is there: got %d, %d, %v", total, header, err)
	}
}

func TestAliasing(t *testing.T) {
	b := Publish{Data: []byte("abc")}.Append(nil)
	p, _ := DecodePublish(b)
	b[7] = 'X'
	if string(p.Data) != "Xbc" {
		t.Errorf("Data aliases the input: got %q", p.Data)
	}
	b = append(b, 'd')
	_ = append(p.Data, 'e')
	if b[10] != 'd' {
		t.Error("appending to Data never writes behind the input")
	}
	c := Connect{ClientID: "abc"}.Append(nil)
	q, _ := Decode(c)
	c[6] = 'X'
	if q.(Connect).ClientID != "abc" {
		t.Error("strings are copies of the input")
	}
}

func TestDecodeAllocatesNoMoreThanTheInput(t *testing.T) {
	long := strings.Repeat("x", 60000)
	for _, p := range []Packet{Publish{Data: []byte(long)}, Subscribe{TopicName: long}, Register{TopicName: long}, Connect{ClientID: long}, WillTopic{Topic: long}} {
		b := p.Append(nil)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 10 {
			if _, err := Decode(b); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		if per := (after.TotalAlloc - before.TotalAlloc) / 10; per > uint64(len(b))+8192 {
			t.Errorf("decoding %s of %d octets allocates at most about one copy: got %d", p.Type(), len(b), per)
		}
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	b := Publish{QoS: 1, TopicID: 1, MsgID: 1, Data: make([]byte, 64)}.Append(nil)
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		p, _ := DecodePublish(b)
		buf = p.Append(buf[:0])
		buf = Puback{TopicID: p.TopicID, MsgID: p.MsgID}.Append(buf[:0])
	}); n != 0 {
		t.Errorf("reading PUBLISH, and writing it and its PUBACK, allocates nothing: got %v allocations", n)
	}
}

func TestForwarder(t *testing.T) {
	inner := Publish{QoS: 1, TopicID: 1, MsgID: 1, Data: []byte("x")}.Append(nil)
	b := Encapsulated{Radius: 2, NodeID: []byte{0xDE, 0xAD}}.Append(nil, inner)
	if want := append([]byte{5, 0xFE, 2, 0xDE, 0xAD}, inner...); !bytes.Equal(b, want) {
		t.Errorf("the outer length leaves the message out: want % x, got % x", want, b)
	}
	if typ, err := PeekType(b); typ != TypeEncapsulated || err != nil {
		t.Errorf("PeekType knows an envelope: got %s, %v", typ, err)
	}
	e, got, err := ParseEncapsulated(b)
	if err != nil || e.Radius != 2 || !bytes.Equal(e.NodeID, []byte{0xDE, 0xAD}) || !bytes.Equal(got, inner) {
		t.Errorf("the envelope comes off: got %v, % x, %v", e, got, err)
	}
	for n := range b {
		if _, _, err := ParseEncapsulated(b[:n]); err == nil {
			t.Errorf("an envelope cut to %d of %d octets is refused", n, len(b))
		}
	}
	if e, _, err := ParseEncapsulated([]byte{3, 0xFE, 0xFD, 2, 0x16}); err != nil || e.Radius != 1 || len(e.NodeID) != 0 {
		t.Errorf("the node id may be empty and reserved bits of Ctrl are ignored: got %v, %v", e, err)
	}
	for why, b := range map[string][]byte{
		"an outer length below 3":           {2, 0xFE, 0, 2, 0x16},
		"an outer length of 0":              {0, 0xFE, 0, 2, 0x16},
		"an outer length in the long form":  {1, 0xFE, 0, 2, 0x16},
		"an outer length beyond the frame":  {9, 0xFE, 0, 2, 0x16},
		"another type":                      {3, 0x16, 0, 2, 0x16},
		"an inner message with a bad size":  {3, 0xFE, 0, 3, 0x16},
		"octets behind the inner message":   {3, 0xFE, 0, 2, 0x16, 0},
		"an inner message of half a header": {3, 0xFE, 0, 2},
	} {
		if _, _, err := ParseEncapsulated(b); err == nil {
			t.Errorf("%s is refused", why)
		}
	}
	if _, _, err := ParseEncapsulated(Encapsulated{}.Append(nil, b)); !errors.Is(err, ErrEncapsulated) {
		t.Errorf("an envelope in an envelope is refused as such: got %v", err)
	}
	if got := (Encapsulated{NodeID: make([]byte, NodeIDMax)}).Append(nil, inner); got[0] != 255 {
		t.Errorf("the longest node id fills the length octet: got %d", got[0])
	}
	if got := (Encapsulated{NodeID: make([]byte, NodeIDMax+1)}).Append(nil, inner); got != nil {
		t.Errorf("a node id that does not fit is not sent cut short: got % x", got)
	}
}

func TestTopics(t *testing.T) {
	if id, ok := ShortTopic("ab"); id != 0x6162 || !ok || ShortName(id) != "ab" {
		t.Errorf("two octets make a short topic: got %#x, %t", id, ok)
	}
	for _, s := range []string{"", "a", "abc", "öö"} {
		if _, ok := ShortTopic(s); ok {
			t.Errorf("%q is not two octets long and has no short form", s)
		}
	}
	p := Publish{QoS: QoSMinusOne, TopicID: 3, Data: []byte("a/bon")}
	if name, data, ok := InlineTopic(p); name != "a/b" || string(data) != "on" || !ok {
		t.Errorf("the name stands before the data: got %q, %q, %t", name, data, ok)
	}
	for why, p := range map[string]Publish{
		"QoS 0":                  {TopicID: 3, Data: []byte("a/bon")},
		"a predefined id":        {QoS: QoSMinusOne, TopicIDType: Predefined, TopicID: 3, Data: []byte("a/bon")},
		"no name":                {QoS: QoSMinusOne, Data: []byte("on")},
		"a name beyond the data": {QoS: QoSMinusOne, TopicID: 6, Data: []byte("a/bon")},
	} {
		if _, _, ok := InlineTopic(p); ok {
			t.Errorf("%s is not the inline form", why)
		}
	}
}

func TestParseTextRefuses(t *testing.T) {
	for _, s := range []string{"", "PUBLSH qos=0", "CONNACK", "CONNACK maybe", "PUBLISH qos=3", "PUBLISH topic=0x12(odd)", "PUBLISH topic=abc(short)",
		"REGISTER topic=0x10000", `PINGREQ id="a`, "PINGRESP now", "PUBACK topic=1 msgid=1 accepted qos=1", "GWINFO gwid=1 addr=xyz"} {
		if p, err := ParseText(s); err == nil {
			t.Errorf("%q is no packet, read as %v", s, p)
		}
	}
}
