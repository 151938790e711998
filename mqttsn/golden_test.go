package mqttsn

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// A row is one message: its octets (spaces part the fields, // ends in a comment), its text, its value, and
// the shortest size in octets that its type can have.
type row struct {
	octets string
	text   string
	value  Packet
	least  int
}

func (r row) bytes(t testing.TB) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(r.octets) {
		code, _, _ := strings.Cut(line, "//")
		digits.WriteString(strings.Join(strings.Fields(code), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("row %q is hexadecimal: %v", r.text, err)
	}
	return b
}

var rows = []row{
	{`05 00 // Length, MsgType
	  07    // GwId
	  0384  // Duration`, `ADVERTISE gwid=7 duration=900`, Advertise{GwID: 7, Duration: 900}, 5},
	{`03 01 02 // radius`, `SEARCHGW radius=2`, SearchGw{Radius: 2}, 3},
	{`03 02 07`, `GWINFO gwid=7`, GwInfo{GwID: 7}, 3},
	{`07 02 07 c0a80001 // GwAdd`, `GWINFO gwid=7 addr=c0a80001`, GwInfo{GwID: 7, GwAdd: []byte{192, 168, 0, 1}}, 3},
	{`0c 04
	  00           // flags
	  01           // ProtocolId
	  003c         // Duration
	  76616c766537 // ClientId`, `CONNECT id=valve7 clean=false duration=60`,
		Connect{ProtocolID: 1, Duration: 60, ClientID: "valve7"}, 6},
	{`0a 04 0c 01 ffff 61 62 0a 63 // will, clean; a line feed in the id`, `CONNECT id="ab\nc" clean=true will duration=65535`,
		Connect{Will: true, CleanSession: true, ProtocolID: 1, Duration: 65535, ClientID: "ab\nc"}, 6},
	{`06 04 04 02 0000`, `CONNECT id="" clean=true duration=0 protocol=2`, Connect{CleanSession: true, ProtocolID: 2}, 6},
	{`0d 03 00 05 504c41494e 00 75 00 70 // SASL PLAIN, as bisquitt has it`, `AUTH reason=0 method=PLAIN 4 bytes`,
		Auth{Method: "PLAIN", Data: []byte("\x00u\x00p")}, 4},
	{`04 03 19 00`, `AUTH reason=25 method="" 0 bytes`, Auth{Reason: 0x19}, 4},
	{`03 05 00`, `CONNACK accepted`, Connack{Accepted}, 3},
	{`03 05 01`, `CONNACK congestion`, Connack{Congestion}, 3},
	{`02 06`, `WILLTOPICREQ`, WillTopicReq{}, 2},
	{`06 07 30 612f62 // QoS 1, retain`, `WILLTOPIC qos=1 retain name=a/b`, WillTopic{QoS: 1, Retain: true, Topic: "a/b"}, 2},
	{`02 07`, `WILLTOPIC empty`, WillTopic{Empty: true}, 2},
	{`03 07 00 // flags and no name`, `WILLTOPIC qos=0 name=""`, WillTopic{}, 2},
	{`02 08`, `WILLMSGREQ`, WillMsgReq{}, 2},
	{`05 09 627965`, `WILLMSG 3 bytes`, WillMsg{Data: []byte("bye")}, 2},
	{`09 0a 0000 0001 612f62`, `REGISTER topic=0x0000 msgid=1 name=a/b`, Register{MsgID: 1, TopicName: "a/b"}, 6},
	{`08 0a 0401 ffff c3b6 // UTF-8`, `REGISTER topic=0x0401 msgid=65535 name="ö"`,
		Register{TopicID: 0x0401, MsgID: 65535, TopicName: "ö"}, 6},
	{`07 0b 0401 0001 00`, `REGACK topic=0x0401 msgid=1 accepted`, Regack{TopicID: 0x0401, MsgID: 1}, 7},
	{`0a 0c
	  20     // QoS 1
	  0012   // TopicId
	  0007   // MsgId
	  61 62 63`, `PUBLISH qos=1 topic=0x0012(normal) msgid=7 3 bytes`,
		Publish{QoS: AtLeastOnce, TopicID: 0x12, MsgID: 7, Data: []byte("abc")}, 7},
	{`07 0c d1 0005 ffff // DUP, QoS 2, retain, predefined`, `PUBLISH dup qos=2 retain topic=0x0005(predefined) msgid=65535 0 bytes`,
		Publish{Dup: true, QoS: ExactlyOnce, Retain: true, TopicIDType: Predefined, TopicID: 5, MsgID: 65535}, 7},
	{`09 0c 62 6162 0009 6f6e // QoS -1, short, a MsgId that should be 0`, `PUBLISH qos=-1 topic=ab(short) msgid=9 2 bytes`,
		Publish{QoS: QoSMinusOne, TopicIDType: Short, TopicID: 0x6162, MsgID: 9, Data: []byte("on")}, 7},
	{`07 0c 02 0a41 0000 // short name with a line feed`, `PUBLISH qos=0 topic="\nA"(short) msgid=0 0 bytes`,
		Publish{TopicIDType: Short, TopicID: 0x0a41}, 7},
	{`07 0d 0012 0007 02`, `PUBACK topic=0x0012 msgid=7 invalid-topic-id`, Puback{TopicID: 0x12, MsgID: 7, Code: InvalidTopicID}, 7},
	{`07 0d 0012 0007 80 // as EMQX sends it`, `PUBACK topic=0x0012 msgid=7 code(0x80)`, Puback{TopicID: 0x12, MsgID: 7, Code: 0x80}, 7},
	{`04 0e 0007`, `PUBCOMP msgid=7`, Pubcomp{7}, 4},
	{`04 0f 0007`, `PUBREC msgid=7`, Pubrec{7}, 4},
	{`04 10 0007`, `PUBREL msgid=7`, Pubrel{7}, 4},
	{`08 12 20 0003 612f23 // QoS 1, a filter`, `SUBSCRIBE qos=1 msgid=3 name=a/#`, Subscribe{QoS: 1, MsgID: 3, TopicName: "a/#"}, 5},
	{`07 12 c1 0003 0005 // DUP, QoS 2, predefined`, `SUBSCRIBE dup qos=2 msgid=3 topic=0x0005(predefined)`,
		Subscribe{Dup: true, QoS: 2, TopicIDType: Predefined, MsgID: 3, TopicID: 5}, 5},
	{`07 12 00 0003 3132 // type 0 and two octets: the name "12", never the id 0x3132`, `SUBSCRIBE qos=0 msgid=3 name=12`,
		Subscribe{MsgID: 3, TopicName: "12"}, 5},
	{`07 12 02 0003 3132`, `SUBSCRIBE qos=0 msgid=3 topic=12(short)`, Subscribe{TopicIDType: Short, MsgID: 3, TopicID: 0x3132}, 5},
	{`08 13 40 0401 0003 00`, `SUBACK qos=2 topic=0x0401 msgid=3 accepted`, Suback{QoS: 2, TopicID: 0x0401, MsgID: 3}, 8},
	{`08 13 00 0000 0003 03`, `SUBACK qos=0 topic=0x0000 msgid=3 not-supported`, Suback{MsgID: 3, Code: NotSupported}, 8},
	{`08 14 00 0004 612f62`, `UNSUBSCRIBE msgid=4 name=a/b`, Unsubscribe{MsgID: 4, TopicName: "a/b"}, 5},
	{`07 14 01 0004 0005`, `UNSUBSCRIBE msgid=4 topic=0x0005(predefined)`, Unsubscribe{TopicIDType: Predefined, MsgID: 4, TopicID: 5}, 5},
	{`04 15 0004`, `UNSUBACK msgid=4`, Unsuback{4}, 4},
	{`02 16`, `PINGREQ`, Pingreq{}, 2},
	{`08 16 76616c766537`, `PINGREQ id=valve7`, Pingreq{ClientID: "valve7"}, 2},
	{`02 17`, `PINGRESP`, Pingresp{}, 2},
	{`02 18`, `DISCONNECT`, Disconnect{}, 2},
	{`04 18 012c`, `DISCONNECT duration=300`, Disconnect{HasDuration: true, Duration: 300}, 2},
	{`04 18 0000 // present and zero`, `DISCONNECT duration=0`, Disconnect{HasDuration: true}, 2},
	{`06 1a 40 612f62`, `WILLTOPICUPD qos=2 name=a/b`, WillTopicUpd{QoS: 2, Topic: "a/b"}, 2},
	{`02 1a`, `WILLTOPICUPD empty`, WillTopicUpd{Empty: true}, 2},
	{`03 1b 00`, `WILLTOPICRESP accepted`, WillTopicResp{Accepted}, 3},
	{`05 1c 627965`, `WILLMSGUPD 3 bytes`, WillMsgUpd{Data: []byte("bye")}, 2},
	{`03 1d 03`, `WILLMSGRESP not-supported`, WillMsgResp{NotSupported}, 3},
}

func TestRows(t *testing.T) {
	for _, r := range rows {
		t.Run(r.text, func(t *testing.T) {
			b := r.bytes(t)
			p, err := Decode(b)
			if err != nil {
				t.Fatalf("a well-formed message decodes: %v", err)
			}
			if !reflect.DeepEqual(p, r.value) {
				t.Errorf("the octets mean %#v, decoded as %#v", r.value, p)
			}
			if got := p.String(); got != r.text {
				t.Errorf("the text is %q, got %q", r.text, got)
			}
			if got := r.value.Append(nil); !bytes.Equal(got, b) {
				t.Errorf("the value encodes to % x, got % x", b, got)
			}
			if got := r.value.Append([]byte{0xAA, 0xBB}); !bytes.Equal(got, append([]byte{0xAA, 0xBB}, b...)) {
				t.Errorf("Append keeps what the slice held: got % x", got)
			}
			if back, err := ParseText(Text(p)); err != nil || !reflect.DeepEqual(back, p) {
				t.Errorf("the trace text %q reads back as the same packet: got %#v, %v", Text(p), back, err)
			}
			if typ, err := PeekType(b); err != nil || typ != p.Type() {
				t.Errorf("PeekType sees %s: got %s, %v", p.Type(), typ, err)
			}
		})
	}
}

// The three-octet length may tell a size below 256 as well (§5.2.1).
func TestRowsInLongForm(t *testing.T) {
	for _, r := range rows {
		p, err := Decode(longForm3(r.bytes(t)))
		if err != nil || !reflect.DeepEqual(p, r.value) {
			t.Errorf("%s decodes with a three-octet length too: got %#v, %v", r.text, p, err)
		}
	}
}

// longForm3 is the same message with a three-octet length.
func longForm3(b []byte) []byte {
	n := len(b) + 2
	return append([]byte{1, byte(n >> 8), byte(n)}, b[1:]...)
}

func TestEveryTruncationFails(t *testing.T) {
	for _, r := range rows {
		short := r.bytes(t)
		for _, b := range [][]byte{short, longForm3(short)} {
			for n := range b {
				if p, err := Decode(b[:n]); err == nil {
					t.Errorf("%s cut to %d of %d octets is refused, decoded as %v", r.text, n, len(b), p)
				}
			}
		}
		// The cut message with a length that fits it must fail too while fixed fields are missing.
		for n := 2; n < r.least; n++ {
			b := append([]byte{byte(n)}, short[1:n]...)
			if p, err := Decode(b); err == nil {
				t.Errorf("%s of %d octets lacks fixed fields and is refused, decoded as %v", r.text, n, p)
			}
		}
		if b := append(bytes.Clone(short), 0); !reflect.DeepEqual(mustFail(t, r.text+" with an octet behind it", b), ErrLength) {
			t.Errorf("%s with an octet behind it fails by its length", r.text)
		}
	}
}

func mustFail(t *testing.T, what string, b []byte) error {
	t.Helper()
	p, err := Decode(b)
	if err == nil {
		t.Fatalf("%s is refused, decoded as %v", what, p)
	}
	return err
}

// Every type that the text knows has at least one row.
func TestRowsCoverEveryType(t *testing.T) {
	seen := map[Type]bool{}
	for _, r := range rows {
		seen[r.value.Type()] = true
	}
	for typ, name := range typeNames {
		if name != "" && !seen[Type(typ)] {
			t.Errorf("%s has a golden row", name)
		}
	}
}
