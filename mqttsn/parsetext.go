package mqttsn

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// ParseText reads one line in the form of [Text] and returns its packet. Fields may stand in any order; one that is left
// out is zero, and CONNECT's protocol is 1. It serves test traces and scripts, not the wire.
func ParseText(line string) (Packet, error) {
	f, err := scanFields(line)
	if err != nil {
		return nil, fmt.Errorf("read packet text %q: %w", line, err)
	}
	p := f.packet()
	if f.err == nil {
		f.err = f.unused()
	}
	if f.err != nil {
		return nil, fmt.Errorf("read packet text %q: %w", line, f.err)
	}
	return p, nil
}

// packet builds the packet from its fields; the first problem is left in f.err.
func (f *fields) packet() Packet {
	switch f.verb {
	case "ADVERTISE":
		return Advertise{GwID: uint8(f.num("gwid", 8)), Duration: f.u16("duration")}
	case "SEARCHGW":
		return SearchGw{Radius: uint8(f.num("radius", 8))}
	case "GWINFO":
		return GwInfo{GwID: uint8(f.num("gwid", 8)), GwAdd: f.hex("addr")}
	case "CONNECT":
		return f.connect()
	case "AUTH":
		return Auth{Reason: uint8(f.num("reason", 8)), Method: f.text("method"), Data: f.data()}
	case "CONNACK":
		return Connack{f.code()}
	case "WILLTOPICREQ":
		return WillTopicReq{}
	case "WILLTOPIC":
		return f.willTopic()
	case "WILLMSGREQ":
		return WillMsgReq{}
	case "WILLMSG":
		return WillMsg{f.data()}
	case "REGISTER":
		return Register{TopicID: f.u16("topic"), MsgID: f.u16("msgid"), TopicName: f.text("name")}
	case "REGACK":
		return Regack{TopicID: f.u16("topic"), MsgID: f.u16("msgid"), Code: f.code()}
	case "PUBLISH":
		return f.publish()
	case "PUBACK":
		return Puback{TopicID: f.u16("topic"), MsgID: f.u16("msgid"), Code: f.code()}
	case "PUBCOMP":
		return Pubcomp{f.u16("msgid")}
	case "PUBREC":
		return Pubrec{f.u16("msgid")}
	case "PUBREL":
		return Pubrel{f.u16("msgid")}
	case "SUBSCRIBE":
		dup, qos, u := f.has("dup"), f.qos(), f.unsubscribe()
		return Subscribe{Dup: dup, QoS: qos, TopicIDType: u.TopicIDType, MsgID: u.MsgID, TopicID: u.TopicID, TopicName: u.TopicName}
	case "SUBACK":
		return Suback{QoS: f.qos(), TopicID: f.u16("topic"), MsgID: f.u16("msgid"), Code: f.code()}
	case "UNSUBSCRIBE":
		return f.unsubscribe()
	case "UNSUBACK":
		return Unsuback{f.u16("msgid")}
	case "PINGREQ":
		return Pingreq{f.text("id")}
	case "PINGRESP":
		return Pingresp{}
	case "DISCONNECT":
		_, has := f.values["duration"]
		return Disconnect{HasDuration: has, Duration: f.u16("duration")}
	case "WILLTOPICUPD":
		return WillTopicUpd(f.willTopic())
	case "WILLTOPICRESP":
		return WillTopicResp{f.code()}
	case "WILLMSGUPD":
		return WillMsgUpd{f.data()}
	case "WILLMSGRESP":
		return WillMsgResp{f.code()}
	}
	f.fail("no message is called %q", f.verb)
	return nil
}

func (f *fields) connect() Connect {
	p := Connect{ClientID: f.text("id"), Will: f.has("will"), Duration: f.u16("duration"), ProtocolID: ProtocolID12}
	p.CleanSession = f.text("clean") == "true"
	if _, ok := f.values["protocol"]; ok {
		p.ProtocolID = uint8(f.num("protocol", 8))
	}
	return p
}

func (f *fields) publish() Publish {
	p := Publish{Dup: f.has("dup"), Retain: f.has("retain"), QoS: f.qos(), MsgID: f.u16("msgid"), Data: f.data()}
	p.TopicIDType, p.TopicID = f.topic()
	return p
}

func (f *fields) unsubscribe() Unsubscribe {
	p := Unsubscribe{MsgID: f.u16("msgid")}
	if _, ok := f.values["topic"]; !ok {
		p.TopicName = f.text("name")
	} else {
		if p.TopicIDType, p.TopicID = f.topic(); p.TopicIDType == Normal {
			f.fail("%s tells a normal topic by name=", f.verb)
		}
	}
	return p
}

func (f *fields) willTopic() WillTopic {
	if f.has("empty") {
		return WillTopic{Empty: true}
	}
	return WillTopic{QoS: f.qos(), Retain: f.has("retain"), Topic: f.text("name")}
}

// fields is one line taken apart: the verb, key=value pairs and bare words, each struck off as it is read.
type fields struct {
	verb   string
	values map[string]string
	kinds  map[string]string // what stood in parentheses behind a value
	words  []string
	err    error
}

func scanFields(line string) (*fields, error) {
	verb, s, _ := strings.Cut(strings.TrimSpace(line), " ")
	f := &fields{verb: verb, values: map[string]string{}, kinds: map[string]string{}}
	for s = strings.TrimLeft(s, " "); s != ""; s = strings.TrimLeft(s, " ") {
		end := strings.IndexAny(s, "= ")
		if end < 0 || s[end] == ' ' {
			word, tail, _ := strings.Cut(s, " ")
			f.words, s = append(f.words, word), tail
			continue
		}
		key := s[:end]
		value, kind, tail, err := scanValue(s[end+1:])
		if err != nil {
			return nil, fmt.Errorf("value of %s: %w", key, err)
		}
		f.values[key], f.kinds[key], s = value, kind, tail
	}
	return f, nil
}

// scanValue reads a bare or quoted value and the word in parentheses that may follow it.
func scanValue(s string) (value, kind, tail string, err error) {
	if strings.HasPrefix(s, `"`) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", "", "", err
		}
		value, _ = strconv.Unquote(quoted)
		s = s[len(quoted):]
	} else {
		end := strings.IndexAny(s+" ", " (")
		value, s = s[:end], s[end:]
	}
	if strings.HasPrefix(s, "(") {
		kind, s, _ = strings.Cut(s[1:], ")")
	}
	return value, kind, s, nil
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

func (f *fields) text(key string) string {
	v := f.values[key]
	delete(f.values, key)
	return v
}

func (f *fields) data() []byte { return rest([]byte(f.text("data"))) }

func (f *fields) hex(key string) []byte {
	b, err := hex.DecodeString(f.text(key))
	if err != nil {
		f.fail("%s: %w", key, err)
	}
	return rest(b)
}

func (f *fields) num(key string, bits int) uint64 {
	s := f.text(key)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 0, bits)
	if err != nil {
		f.fail("%s: %w", key, err)
	}
	return n
}

func (f *fields) u16(key string) uint16 { return uint16(f.num(key, 16)) }

func (f *fields) qos() QoS {
	switch s := f.text("qos"); s {
	case "", "0":
		return AtMostOnce
	case "1", "2", "-1":
		n, _ := strconv.Atoi(s)
		return QoS(n)
	default:
		f.fail("qos is -1, 0, 1 or 2, not %q", s)
		return 0
	}
}

// topic reads a topic reference with its kind; without kind it is a normal id.
func (f *fields) topic() (TopicIDType, uint16) {
	switch kind := f.kinds["topic"]; kind {
	case "", "normal":
		return Normal, f.u16("topic")
	case "predefined":
		return Predefined, f.u16("topic")
	case "short":
		id, ok := ShortTopic(f.text("topic"))
		if !ok {
			f.fail("a short topic has two octets")
		}
		return Short, id
	default:
		f.fail("no topic id type is called %q", kind)
		return 0, 0
	}
}

// has strikes off a bare word.
func (f *fields) has(word string) bool {
	for i, w := range f.words {
		if w == word {
			f.words = append(f.words[:i:i], f.words[i+1:]...)
			return true
		}
	}
	return false
}

func (f *fields) code() ReturnCode {
	for i, s := range codeNames {
		if f.has(s) {
			return ReturnCode(i)
		}
	}
	for _, w := range f.words {
		var n uint8
		if _, err := fmt.Sscanf(w, "code(0x%02x)", &n); err == nil && f.has(w) {
			return ReturnCode(n)
		}
	}
	f.fail("a return code is missing, for example accepted")
	return 0
}

// unused is an error that names what no one read.
func (f *fields) unused() error {
	for key := range f.values {
		return fmt.Errorf("%s has no field %q", f.verb, key)
	}
	if len(f.words) > 0 {
		return fmt.Errorf("%s has no word %q", f.verb, f.words[0])
	}
	return nil
}
