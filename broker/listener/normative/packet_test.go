package normative

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"midge/broker/mqtt"
)

// Packets are written as their name and words. A word is a flag (clean, retain, dup, present), key=value, or stands for itself by its place:
//
//	CONNECT clean id=a keep-alive=10 user=u password=p will=TOPIC will-payload='x' will-qos=1 will-retain will.will-delay-interval=5
//	CONNACK present reason=85
//	PUBLISH TOPIC 'payload' q1 id=7 retain dup
//	PUBACK id=7 reason=10                       PUBREC, PUBREL and PUBCOMP likewise
//	SUBSCRIBE id=1 FILTER FILTER@1 FILTER@2,nl,rap,rh=1
//	SUBACK id=1 00,01,80
//	UNSUBSCRIBE id=1 FILTER FILTER
//	UNSUBACK id=1 5:00,11
//	DISCONNECT reason=04
//	AUTH reason=18
//	PINGREQ
//	RAW 30 {0001 't' 5:00 3*'x'}                octets in hexadecimal; {…} is preceded by its length as a Variable Byte Integer
//
// Reason codes are hexadecimal. A property has its name in the specification, in lower case with hyphens; user properties and subscription identifiers are
// joined by commas. A value of 'x'*5 is five times x.
type packetText struct {
	name  string
	words []string
}

// splitWords splits at spaces that are not within quotes and leaves out what belongs to another version.
func splitWords(text string, v mqtt.Version) (words []string) {
	for _, w := range strings.Fields(hideSpaces(text)) {
		inner := strings.TrimLeft(w, "{")
		open := w[:len(w)-len(inner)]
		if only, rest, guarded := strings.Cut(inner, ":"); guarded && isGuard(only) {
			if w = open + rest; !guards(only, v) {
				w = open + rest[len(strings.TrimRight(rest, "}")):]
			}
		}
		if w == "" {
			continue
		}
		words = append(words, strings.ReplaceAll(w, hidden, " "))
	}
	return words
}

// isGuard reports whether a word in front of a colon stands for versions; guards, whether for v.
func isGuard(word string) bool { return word == "3" || versionNames[word] != 0 }

func guards(word string, v mqtt.Version) bool {
	return versionNames[word] == v || word == "3" && v != mqtt.V5
}

const hidden = "\x01" // stands for a space within quotes

func hideSpaces(text string) string {
	parts := strings.Split(text, "'")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = strings.ReplaceAll(parts[i], " ", hidden)
	}
	return strings.Join(parts, "'")
}

// value resolves 'x', 'x'*5 and x.
func value(s string) string {
	quoted, count, repeated := strings.Cut(s, "'*")
	if repeated {
		n, err := strconv.Atoi(count)
		if err != nil {
			panic("repeat count of " + s)
		}
		return strings.Repeat(quoted[1:], n)
	}
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	return s
}

// fields are the words of a packet by key. What has no key is in bare, in order.
type fields struct {
	bare []string
	keys map[string]string
	used map[string]bool
}

func parseFields(words []string) *fields {
	f := &fields{keys: map[string]string{}, used: map[string]bool{}}
	for _, w := range words {
		if key, val, ok := strings.Cut(w, "="); ok && key != "" && !strings.ContainsAny(key, "'/@,") {
			f.keys[key] = value(val)
			continue
		}
		f.bare = append(f.bare, w)
	}
	return f
}

func (f *fields) flag(name string) bool {
	i := slices.Index(f.bare, name)
	if i < 0 {
		return false
	}
	f.bare = slices.Delete(f.bare, i, i+1)
	return true
}

func (f *fields) text(key, otherwise string) string {
	f.used[key] = true
	if s, ok := f.keys[key]; ok {
		return s
	}
	return otherwise
}

func (f *fields) number(key string, base int) uint64 {
	s := f.text(key, "0")
	n, err := strconv.ParseUint(s, base, 64)
	if err != nil {
		panic(fmt.Sprintf("%s=%s is no number", key, s))
	}
	return n
}

// properties takes the words that are properties, each behind prefix.
func (f *fields) properties(prefix string) *mqtt.Properties {
	p := &mqtt.Properties{}
	for key, val := range f.keys {
		name, ok := strings.CutPrefix(key, prefix)
		id, known := mqtt.PropertyByName(name)
		if !ok || !known {
			continue
		}
		f.used[key] = true
		setProperty(p, id, val)
	}
	if p.Present == 0 {
		return nil
	}
	return p
}

// left panics when there are words that nobody has asked for.
func (f *fields) left() {
	for key := range f.keys {
		if !f.used[key] {
			panic("unknown word " + key)
		}
	}
	if len(f.bare) > 0 {
		panic(fmt.Sprintf("words too many: %q", f.bare))
	}
}

// propertyFields are the names of the fields of mqtt.Properties.
var propertyFields = map[mqtt.PropertyID]string{
	mqtt.PropPayloadFormat: "PayloadFormat", mqtt.PropMessageExpiry: "MessageExpiry", mqtt.PropContentType: "ContentType",
	mqtt.PropResponseTopic: "ResponseTopic", mqtt.PropCorrelationData: "CorrelationData", mqtt.PropSubscriptionID: "SubscriptionIDs",
	mqtt.PropSessionExpiry: "SessionExpiry", mqtt.PropAssignedClientID: "AssignedClientID", mqtt.PropServerKeepAlive: "ServerKeepAlive",
	mqtt.PropAuthMethod: "AuthMethod", mqtt.PropAuthData: "AuthData", mqtt.PropRequestProblemInfo: "RequestProblemInfo",
	mqtt.PropWillDelay: "WillDelay", mqtt.PropRequestResponseInfo: "RequestResponseInfo", mqtt.PropResponseInfo: "ResponseInfo",
	mqtt.PropServerReference: "ServerReference", mqtt.PropReasonString: "ReasonString", mqtt.PropReceiveMaximum: "ReceiveMaximum",
	mqtt.PropTopicAliasMaximum: "TopicAliasMaximum", mqtt.PropTopicAlias: "TopicAlias", mqtt.PropMaximumQoS: "MaximumQoS",
	mqtt.PropRetainAvailable: "RetainAvailable", mqtt.PropUserProperty: "User", mqtt.PropMaximumPacketSize: "MaximumPacketSize",
	mqtt.PropWildcardAvailable: "WildcardAvailable", mqtt.PropSubscriptionIDAvailable: "SubIDAvailable", mqtt.PropSharedAvailable: "SharedAvailable",
}

func setProperty(p *mqtt.Properties, id mqtt.PropertyID, text string) {
	p.Mark(id)
	switch id {
	case mqtt.PropUserProperty:
		for pair := range strings.SplitSeq(text, ",") {
			name, val, _ := strings.Cut(pair, ":")
			p.User = append(p.User, mqtt.UserProperty{Name: name, Value: val})
		}
		return
	case mqtt.PropSubscriptionID:
		for s := range strings.SplitSeq(text, ",") {
			n, _ := strconv.ParseUint(s, 10, 32)
			p.SubscriptionIDs = append(p.SubscriptionIDs, uint32(n))
		}
		return
	}
	switch f := reflect.ValueOf(p).Elem().FieldByName(propertyFields[id]); f.Kind() {
	case reflect.String:
		f.SetString(text)
	case reflect.Slice:
		f.SetBytes([]byte(text))
	default:
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			panic(fmt.Sprintf("%v=%s is no number", id, text))
		}
		f.SetUint(n)
	}
}

// propertyWords writes properties as words.
func propertyWords(p *mqtt.Properties) (words []string) {
	for id := mqtt.PropertyID(1); id <= mqtt.PropSharedAvailable; id++ {
		if !p.Has(id) {
			continue
		}
		var text string
		switch id {
		case mqtt.PropUserProperty:
			var pairs []string
			for _, u := range p.User {
				pairs = append(pairs, u.Name+":"+u.Value)
			}
			text = strings.Join(pairs, ",")
		case mqtt.PropSubscriptionID:
			var ids []string
			slices.Sort(p.SubscriptionIDs) // "their order is not significant" [MQTT-3.3.4-4]
			for _, n := range p.SubscriptionIDs {
				ids = append(ids, strconv.Itoa(int(n)))
			}
			text = strings.Join(ids, ",")
		case mqtt.PropCorrelationData:
			text = string(p.CorrelationData)
		case mqtt.PropAuthData:
			text = string(p.AuthData)
		default:
			text = fmt.Sprint(reflect.ValueOf(p).Elem().FieldByName(propertyFields[id]))
		}
		words = append(words, id.String()+"="+short(text))
	}
	return words
}

// short writes a text so that a line can hold it: 'x'*500.
func short(s string) string {
	if len(s) > 8 && strings.Count(s, s[:1]) == len(s) {
		return fmt.Sprintf("'%s'*%d", s[:1], len(s))
	}
	if strings.Contains(s, " ") {
		return "'" + s + "'"
	}
	return s
}

// raw builds octets.
func raw(words []string) []byte {
	var stack [][]byte
	b := []byte{}
	for _, w := range words {
		for strings.HasPrefix(w, "{") {
			stack, b, w = append(stack, b), []byte{}, w[1:]
		}
		closing := strings.TrimRight(w, "}")
		depth := len(w) - len(closing)
		b = append(b, rawWord(closing)...)
		for range depth {
			outer := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			b = append(appendVarint(outer, len(b)), b...)
		}
	}
	if len(stack) > 0 {
		panic("a { is not closed")
	}
	return b
}

func appendVarint(b []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func rawWord(w string) []byte {
	times := 1
	if count, rest, ok := strings.Cut(w, "*"); ok {
		times, _ = strconv.Atoi(count)
		w = rest
	}
	if strings.HasPrefix(w, "'") {
		return []byte(strings.Repeat(strings.Trim(w, "'"), times))
	}
	b, err := hex.DecodeString(w) // "" where there is nothing but braces
	if err != nil {
		panic(fmt.Sprintf("%q is neither hexadecimal nor quoted", w))
	}
	return slices.Repeat(b, times)
}

// encode makes octets of a packet's words. It panics when they cannot be understood.
func (p packetText) encode(v mqtt.Version, defaultID string) []byte {
	if p.name == "RAW" {
		return raw(p.words)
	}
	f := parseFields(p.words)
	defer f.left()
	id := uint16(f.number("id0", 10))
	if p.name != "CONNECT" {
		id = uint16(f.number("id", 10))
	}
	reason := mqtt.ReasonCode(f.number("reason", 16))
	switch p.name {
	case "CONNECT":
		return encodeConnect(f, v, defaultID)
	case "PUBLISH":
		m := mqtt.Publish{Dup: f.flag("dup"), Retain: f.flag("retain"), ID: id, Props: f.properties("")}
		for q := mqtt.AtLeastOnce; q <= mqtt.ExactlyOnce; q++ {
			if f.flag(fmt.Sprintf("q%d", q)) {
				m.QoS = q
			}
		}
		for len(f.bare) < 2 {
			f.bare = append(f.bare, "")
		}
		m.Topic, m.Payload = []byte(value(f.bare[0])), []byte(value(f.bare[1]))
		f.bare = f.bare[2:]
		return m.Append(nil, v)
	case "PUBACK", "PUBREC", "PUBREL", "PUBCOMP":
		types := map[string]mqtt.PacketType{"PUBACK": mqtt.TypePuback, "PUBREC": mqtt.TypePubrec, "PUBREL": mqtt.TypePubrel, "PUBCOMP": mqtt.TypePubcomp}
		a := mqtt.Ack{Type: types[p.name], ID: id, Reason: reason, Props: f.properties("")}
		return a.Append(nil, v)
	case "SUBSCRIBE":
		s := mqtt.Subscribe{ID: id, Props: f.properties("")}
		for _, w := range f.bare {
			s.Subscriptions = append(s.Subscriptions, subscription(w))
		}
		f.bare = nil
		return s.Append(nil, v)
	case "UNSUBSCRIBE":
		u := mqtt.Unsubscribe{ID: id, Props: f.properties("")}
		for _, w := range f.bare {
			u.Filters = append(u.Filters, value(w))
		}
		f.bare = nil
		return u.Append(nil, v)
	case "PINGREQ":
		return mqtt.AppendPingreq(nil)
	case "DISCONNECT":
		d := mqtt.Disconnect{Reason: reason, Props: f.properties("")}
		return d.Append(nil, v)
	case "AUTH":
		a := mqtt.Auth{Reason: reason, Props: f.properties("")}
		return a.Append(nil)
	}
	panic("no client sends " + p.name)
}

func encodeConnect(f *fields, v mqtt.Version, defaultID string) []byte {
	c := mqtt.Connect{Version: v, CleanStart: f.flag("clean"), ClientID: f.text("id", defaultID), KeepAlive: uint16(f.number("keep-alive", 10))}
	if f.flag("keep") && v == mqtt.V5 {
		f.keys["session-expiry-interval"] = "4294967295"
	}
	if topic := f.text("will", ""); topic != "" {
		c.Will = &mqtt.Will{Topic: topic, Payload: []byte(f.text("will-payload", "")), QoS: mqtt.QoS(f.number("will-qos", 10)), Retain: f.flag("will-retain"),
			Props: f.properties("will.")}
	}
	_, c.HasUsername = f.keys["user"]
	_, c.HasPassword = f.keys["password"]
	c.Username, c.Password = f.text("user", ""), []byte(f.text("password", ""))
	c.Props = f.properties("")
	return c.Append(nil)
}

func subscription(w string) mqtt.Subscription {
	filter, options, _ := strings.Cut(w, "@")
	s := mqtt.Subscription{Filter: value(filter)}
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "", "0":
		case "1", "2":
			s.QoS = mqtt.QoS(o[0] - '0')
		case "nl":
			s.NoLocal = true
		case "rap":
			s.RetainAsPublished = true
		case "rh=1", "rh=2":
			s.RetainHandling = o[3] - '0'
		default:
			panic("unknown option " + o)
		}
	}
	return s
}

// decode writes a packet from the server as words, the name first.
func decode(b []byte, v mqtt.Version) (words []string, err error) {
	h, err := mqtt.ParseHeader(b)
	if err != nil {
		return nil, err
	}
	body := b[h.Size:]
	words = []string{h.Type().String()}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	reason := func(r mqtt.ReasonCode) {
		if r != 0 {
			add("reason=%02x", uint8(r))
		}
	}
	var props *mqtt.Properties
	switch h.Type() {
	case mqtt.TypeConnack:
		if len(body) < 2 {
			return words, fmt.Errorf("CONNACK of %d octets", len(b))
		}
		var p mqtt.Connack
		p, err = mqtt.ParseConnack(h.First, body, v)
		if props = p.Props; body[0] != 0 {
			add("present")
		}
		reason(mqtt.ReasonCode(body[1]))
	case mqtt.TypePublish:
		var p mqtt.Publish
		p, err = mqtt.ParsePublish(h.First, body, v)
		props = p.Props
		add("%s", short(string(p.Topic)))
		if len(p.Topic) == 0 {
			words[1] = "''"
		}
		add("'%s'", strings.Trim(short(string(p.Payload)), "'"))
		if n := len(p.Payload); n > 8 && strings.HasPrefix(short(string(p.Payload)), "'") {
			words[len(words)-1] = short(string(p.Payload))
		}
		if p.QoS > 0 {
			add("q%d", p.QoS)
			add("id=%d", p.ID)
		}
		if p.Retain {
			add("retain")
		}
		if p.Dup {
			add("dup")
		}
	case mqtt.TypePuback, mqtt.TypePubrec, mqtt.TypePubrel, mqtt.TypePubcomp:
		var p mqtt.Ack
		p, err = mqtt.ParseAck(h.First, body, v)
		props = p.Props
		add("id=%d", p.ID)
		reason(p.Reason)
	case mqtt.TypeSuback:
		var p mqtt.Suback
		p, err = mqtt.ParseSuback(h.First, body, v)
		props = p.Props
		add("id=%d", p.ID)
		add("%s", codes(p.Codes))
	case mqtt.TypeUnsuback:
		var p mqtt.Unsuback
		p, err = mqtt.ParseUnsuback(h.First, body, v)
		props = p.Props
		add("id=%d", p.ID)
		if v == mqtt.V5 {
			add("%s", codes(p.Codes))
		}
	case mqtt.TypePingresp:
		err = mqtt.ParsePing(h.First, body, v)
	case mqtt.TypeDisconnect:
		var p mqtt.Disconnect
		p, err = mqtt.ParseDisconnect(h.First, body, v)
		props = p.Props
		reason(p.Reason)
	case mqtt.TypeAuth:
		var p mqtt.Auth
		p, err = mqtt.ParseAuth(h.First, body, v)
		props = p.Props
		reason(p.Reason)
	default:
		err = fmt.Errorf("no server sends %v", h.Type())
	}
	return append(words, propertyWords(props)...), err
}

func codes(all []mqtt.ReasonCode) string {
	var hex []string
	for _, r := range all {
		hex = append(hex, fmt.Sprintf("%02x", uint8(r)))
	}
	return strings.Join(hex, ",")
}

// usual are the properties that every CONNACK of MQTT 5 has; a trace mentions them where it is about them.
var usual = []mqtt.PropertyID{mqtt.PropTopicAliasMaximum, mqtt.PropMaximumPacketSize, mqtt.PropReceiveMaximum, mqtt.PropAssignedClientID}

// same reports whether a packet is what was expected. The order of the words behind the name does not count. A reason string is compared when the
// trace expects one; that there is none, it says by «reason-string=none».
func same(want, got []string) bool {
	want, got = slices.Clone(want), slices.Clone(got)
	for i := range want {
		want[i] = strings.TrimSuffix(want[i], "=*")
	}
	got = slices.DeleteFunc(got, func(w string) bool {
		key, _, _ := strings.Cut(w, "=")
		id, known := mqtt.PropertyByName(key)
		hide := known && (want[0] == "CONNACK" && slices.Contains(usual, id) || id == mqtt.PropReasonString)
		return hide && !slices.ContainsFunc(want, func(w string) bool { return w == key || strings.HasPrefix(w, key+"=") })
	})
	for i, w := range got {
		if key, _, ok := strings.Cut(w, "="); ok && slices.Contains(want, key) {
			got[i] = key
		}
	}
	want = slices.DeleteFunc(want, func(w string) bool { return strings.HasSuffix(w, "=none") })
	slices.Sort(want)
	slices.Sort(got)
	return slices.Equal(want, got)
}
