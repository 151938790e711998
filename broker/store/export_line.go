package store

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"midge/broker/mqtt"
)

// A line is one object of an export. Its kind says which fields count:
//
//	store         format, now: the first line; now is the store's clock in nanoseconds
//	body          number, message: a message that several queues share
//	session       client, username, expiry (seconds), connectionless, connected, given, next, will_in, expire_in, will
//	subscription  client, filter, qos, no_local, retain_as_published, retain_handling, id
//	note          client, name, value
//	inbound       client, id: a QoS 2 packet identifier taken from the client
//	received      client, seq: its subscriber has this message of QoS 2
//	message       client, seq, qos, retain, ids, and number of a body or a message
//	retained      message
//
// Lines of a session follow it. A time is how long it is from now, as in "1h30m" or "-20s"; none means never. A field that is 0, false or empty may be left out.
type line struct {
	Kind   string `json:"kind"`
	Format uint64 `json:"format,omitempty"`
	Now    int64  `json:"now,omitempty"`
	Client string `json:"client,omitempty"`

	Username       string    `json:"username,omitempty"`
	Expiry         uint32    `json:"expiry,omitempty"`
	Connectionless bool      `json:"connectionless,omitempty"`
	Connected      bool      `json:"connected,omitempty"`
	Given          uint64    `json:"given,omitempty"`
	Next           uint64    `json:"next,omitempty"`
	WillIn         string    `json:"will_in,omitempty"`
	ExpireIn       string    `json:"expire_in,omitempty"`
	Will           *willLine `json:"will,omitempty"`

	Filter            string `json:"filter,omitempty"`
	QoS               uint8  `json:"qos,omitempty"`
	NoLocal           bool   `json:"no_local,omitempty"`
	RetainAsPublished bool   `json:"retain_as_published,omitempty"`
	RetainHandling    uint8  `json:"retain_handling,omitempty"`
	ID                uint32 `json:"id,omitempty"`

	Name  string `json:"name,omitempty"`
	Value *blob  `json:"value,omitempty"`

	Seq     uint64       `json:"seq,omitempty"`
	Retain  bool         `json:"retain,omitempty"`
	IDs     []uint32     `json:"ids,omitempty"`
	Body    uint64       `json:"number,omitempty"`
	Message *messageLine `json:"message,omitempty"`
}

type willLine struct {
	Delay   string       `json:"delay,omitempty"`
	Expiry  string       `json:"expiry,omitempty"`
	Message *messageLine `json:"message"`
}

type messageLine struct {
	Topic      string          `json:"topic"`
	QoS        uint8           `json:"qos,omitempty"`
	Retain     bool            `json:"retain,omitempty"`
	Publisher  string          `json:"publisher,omitempty"`
	ExpiresIn  string          `json:"expires_in,omitempty"`
	Properties *propertiesLine `json:"properties,omitempty"`
	Payload    *blob           `json:"payload,omitempty"`
}

// A blob is octets: text where they are UTF-8, else base64.
type blob struct {
	Text   *string `json:"text,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
}

func toBlob(b []byte) *blob {
	if len(b) == 0 {
		return nil
	}
	if utf8.Valid(b) {
		text := string(b)
		return &blob{Text: &text}
	}
	return &blob{Base64: b}
}

func (b *blob) octets() []byte {
	switch {
	case b == nil:
		return nil
	case b.Text != nil:
		return []byte(*b.Text)
	}
	return b.Base64
}

// propertiesLine are the properties of PUBLISH (MQTT 5 §3.3.2.3).
type propertiesLine struct {
	PayloadFormat   *uint8      `json:"payload_format,omitempty"`
	MessageExpiry   *uint32     `json:"message_expiry,omitempty"`
	ContentType     *string     `json:"content_type,omitempty"`
	ResponseTopic   *string     `json:"response_topic,omitempty"`
	CorrelationData *[]byte     `json:"correlation_data,omitempty"` // base64
	SubscriptionIDs []uint32    `json:"subscription_ids,omitempty"`
	TopicAlias      *uint16     `json:"topic_alias,omitempty"`
	User            [][2]string `json:"user,omitempty"`
}

func toProperties(p *mqtt.Properties) *propertiesLine {
	if p == nil {
		return nil
	}
	l := &propertiesLine{}
	present(p, mqtt.PropPayloadFormat, &l.PayloadFormat, p.PayloadFormat)
	present(p, mqtt.PropMessageExpiry, &l.MessageExpiry, p.MessageExpiry)
	present(p, mqtt.PropContentType, &l.ContentType, p.ContentType)
	present(p, mqtt.PropResponseTopic, &l.ResponseTopic, p.ResponseTopic)
	present(p, mqtt.PropCorrelationData, &l.CorrelationData, p.CorrelationData)
	present(p, mqtt.PropTopicAlias, &l.TopicAlias, p.TopicAlias)
	if p.Has(mqtt.PropSubscriptionID) {
		l.SubscriptionIDs = p.SubscriptionIDs
	}
	for _, u := range p.User {
		l.User = append(l.User, [2]string{u.Name, u.Value})
	}
	return l
}

func present[T any](p *mqtt.Properties, id mqtt.PropertyID, to **T, value T) {
	if p.Has(id) {
		*to = &value
	}
}

func (l *propertiesLine) properties() *mqtt.Properties {
	if l == nil {
		return nil
	}
	p := &mqtt.Properties{}
	taken(p, mqtt.PropPayloadFormat, &p.PayloadFormat, l.PayloadFormat)
	taken(p, mqtt.PropMessageExpiry, &p.MessageExpiry, l.MessageExpiry)
	taken(p, mqtt.PropContentType, &p.ContentType, l.ContentType)
	taken(p, mqtt.PropResponseTopic, &p.ResponseTopic, l.ResponseTopic)
	taken(p, mqtt.PropCorrelationData, &p.CorrelationData, l.CorrelationData)
	taken(p, mqtt.PropTopicAlias, &p.TopicAlias, l.TopicAlias)
	if len(l.SubscriptionIDs) > 0 {
		p.SubscriptionIDs = l.SubscriptionIDs
		p.Mark(mqtt.PropSubscriptionID)
	}
	for _, u := range l.User {
		p.User = append(p.User, mqtt.UserProperty{Name: u[0], Value: u[1]})
		p.Mark(mqtt.PropUserProperty)
	}
	return p
}

func taken[T any](p *mqtt.Properties, id mqtt.PropertyID, to *T, value *T) {
	if value != nil {
		*to = *value
		p.Mark(id)
	}
}

// toMessage makes a line's part of a message; topic stands in for its own.
func toMessage(m *rawMessage, topic []byte, now int64) *messageLine {
	return &messageLine{
		Topic: string(topic), QoS: uint8(m.qos), Retain: m.retain, Publisher: string(m.publisher),
		ExpiresIn: relative(m.expires, now), Properties: toProperties(m.properties), Payload: toBlob(m.payload),
	}
}

func (l *messageLine) message(now int64) (Message, error) {
	if l == nil || l.Topic == "" {
		return Message{}, errors.New("it has no topic")
	}
	if l.QoS > 2 {
		return Message{}, errQoS
	}
	expires, err := absolute(l.ExpiresIn, now)
	return Message{
		Topic: l.Topic, Payload: l.Payload.octets(), QoS: mqtt.QoS(l.QoS), Retain: l.Retain, Properties: l.Properties.properties(),
		Publisher: l.Publisher, Expires: expires,
	}, err
}

// relative is a time of the store's as how long it is from now; "" for 0, which is never.
func relative(t, now int64) string {
	if t == 0 {
		return ""
	}
	return time.Duration(t - now).String()
}

// absolute undoes relative.
func absolute(text string, now int64) (int64, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no time: write it as in 1h30m", text)
	}
	if t := now + int64(d); t != 0 {
		return t, nil
	}
	return 1, nil // 0 would be never
}

// span writes a length of time; "" for 0.
func span(d int64) string { return relative(d, 0) }
