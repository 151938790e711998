package store

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"midge/broker/mqtt"
)

var messages = []Message{
	{},
	{Topic: "a"},
	{Topic: "sensors/boot", Payload: []byte("1"), QoS: 2, Retain: true, Publisher: "valve7", Expires: -1},
	{Topic: "t", Payload: bytes.Repeat([]byte{0}, 300), QoS: 1, Expires: 1 << 62, Properties: everyProperty()},
}

func everyProperty() *mqtt.Properties {
	p := &mqtt.Properties{PayloadFormat: 1, ContentType: "text", ResponseTopic: "r", CorrelationData: []byte{1, 2}, User: []mqtt.UserProperty{{Name: "a", Value: "b"}, {Name: "a", Value: ""}}}
	for _, id := range []mqtt.PropertyID{mqtt.PropPayloadFormat, mqtt.PropContentType, mqtt.PropResponseTopic, mqtt.PropCorrelationData, mqtt.PropUserProperty} {
		p.Mark(id)
	}
	return p
}

var sessions = []Session{
	{},
	{ClientID: "valve7", Username: "bob", Expiry: 0xFFFFFFFF, Connectionless: true, Connected: true, Given: 1 << 40, Next: 1 << 63, WillAt: -5, ExpireAt: 1 << 62},
	{ClientID: "w", Will: &Will{Message: messages[2], Delay: 1, Expiry: -1}},
}

// codecs are the values of the layout: how they are written, and read and written again.
var codecs = []struct {
	name   string
	values [][]byte
	again  func(b []byte) ([]byte, any, error)
	want   []any
}{
	{"message", encoded(messages, func(m Message) []byte { return appendMessage(nil, &m, m.Topic) }), func(b []byte) ([]byte, any, error) {
		raw, err := decodeMessage(b)
		m := raw.own(new(interner))
		return appendMessage(nil, &m, m.Topic), m, err
	}, anys(messages)},
	{"own", encoded(messages, func(m Message) []byte { return appendOwn(nil, &Entry{Total: 1 << 50, QoS: 1, Message: m}) }), func(b []byte) ([]byte, any, error) {
		e, raw, err := decodeOwn(b)
		e.Message = raw.own(new(interner))
		return appendOwn(nil, &e), e.Message, err
	}, anys(messages)},
	{"shared", encoded(entries, func(e Entry) []byte { return appendShared(nil, &e) }), func(b []byte) ([]byte, any, error) {
		e, err := decodeShared(b)
		return appendShared(nil, &e), e, err
	}, anys(entries)},
	{"session", encoded(sessions, func(s Session) []byte { return appendSession(nil, &s) }), func(b []byte) ([]byte, any, error) {
		s, err := decodeSession(b)
		return appendSession(nil, &s), s, err
	}, anys(sessions)},
	{"subscription", encoded(subscriptions, func(s Subscription) []byte { return appendSubscription(nil, &s) }), func(b []byte) ([]byte, any, error) {
		s, err := decodeSubscription(b)
		return appendSubscription(nil, &s), s, err
	}, anys(subscriptions)},
	{"clock", encoded(clocks, func(c Clock) []byte { return appendClock(nil, c) }), func(b []byte) ([]byte, any, error) {
		c, err := decodeClock(b)
		return appendClock(nil, c), c, err
	}, anys(clocks)},
}

var (
	entries       = []Entry{{Body: 1}, {Total: 1 << 63, QoS: 2, Retain: true, IDs: []uint32{1, 268435455}, Body: 1 << 40}}
	subscriptions = []Subscription{{}, {QoS: 1, ID: 1}, {QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2, ID: 268435455}}
	clocks        = []Clock{{}, {1, -2, 1 << 62}}
)

func encoded[T any](values []T, enc func(T) []byte) (out [][]byte) {
	for _, v := range values {
		out = append(out, enc(v))
	}
	return out
}

func anys[T any](values []T) (out []any) {
	for _, v := range values {
		out = append(out, v)
	}
	return out
}

func TestValuesComeBack(t *testing.T) {
	for _, c := range codecs {
		for i, b := range c.values {
			again, v, err := c.again(b)
			if err != nil || !bytes.Equal(again, b) || !reflect.DeepEqual(v, c.want[i]) {
				t.Errorf("%s: %x comes back as %x, %+v (%v), want %+v", c.name, b, again, v, err, c.want[i])
			}
			for n := range b {
				if _, _, err := c.again(b[:n:n]); err == nil {
					t.Errorf("%s: the first %d octets of %x must fail", c.name, n, b)
				}
			}
			if _, _, err := c.again(append(slices.Clone(b), 0)); err == nil {
				t.Errorf("%s: an octet behind %x must fail", c.name, b)
			}
		}
	}
}

// FuzzDecode hands any octets to every decoder. What one accepts means the same when it is written and read again.
func FuzzDecode(f *testing.F) {
	for i, c := range codecs {
		for _, b := range c.values {
			f.Add(uint8(i), b)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, b []byte) {
		c := codecs[int(i)%len(codecs)]
		again, v, err := c.again(b)
		if err != nil {
			return
		}
		// Not every encoding is the shortest, so the octets may differ; the meaning may not.
		if _, w, err := c.again(again); err != nil || !reflect.DeepEqual(v, w) {
			t.Errorf("%s: %x means %+v, and written again %+v (%v)", c.name, b, v, w, err)
		}
	})
}

// FuzzKeys hands any octets to the functions that take keys apart.
func FuzzKeys(f *testing.F) {
	f.Add(appendSeq(nil, kindOwn, 1, 2))
	f.Add(appendInbound(nil, 1, 2))
	f.Add(appendBody(nil, 1))
	f.Fuzz(func(t *testing.T, key []byte) {
		if num, seq, err := cutSeq(key); err == nil && !bytes.Equal(appendSeq(nil, key[0], num, seq), key) {
			t.Errorf("%x is no key of a place in a queue", key)
		}
		if num, id, err := cutInbound(key); err == nil && !bytes.Equal(appendInbound(nil, num, id)[1:], key[1:]) {
			t.Errorf("%x is no key of an identifier", key)
		}
		if number, err := cutBody(key); err == nil && !bytes.Equal(appendBody(nil, number)[1:], key[1:]) {
			t.Errorf("%x is no key of a body", key)
		}
	})
}

func TestEndOfARange(t *testing.T) {
	for _, r := range [][2][]byte{{{1}, {2}}, {{1, 0xFF}, {2}}, {{1, 2}, {1, 3}}, {{'q', 0xFF, 0xFF, 0xFF, 0xFF}, {'r'}}} {
		if got := after(slices.Clone(r[0])); !bytes.Equal(got, r[1]) {
			t.Errorf("the keys that begin with %x end before %x, got %x", r[0], r[1], got)
		}
	}
}
