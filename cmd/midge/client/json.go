package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"midge/broker/mqtt"
)

// A jsonMember is one member of an object, in the order in which it is printed.
type jsonMember struct {
	key   string
	value any
}

// jsonObject keeps its order, which a map would not. Values are string, number (any integer or json.Number), bool, nil,
// jsonObject and []any.
type jsonObject []jsonMember

// printJSON writes %j or, with parsed, %J: the payload as the JSON value that it is.
func printJSON(w io.Writer, m *message, now time.Time, parsed, pretty bool) error {
	o := jsonObject{
		{"tst", now.Format("2006-01-02T15:04:05.000000Z-0700")},
		{"topic", m.topic}, {"qos", int(m.qos)}, {"retain", bit(m.retain)}, {"payloadlen", len(m.payload)},
	}
	if m.qos != mqtt.AtMostOnce {
		o = append(o, jsonMember{"mid", int(m.id)})
	}
	if p := jsonProperties(m.props); p != nil {
		o = append(o, jsonMember{"properties", p})
	}
	var payload any
	switch {
	case len(m.payload) == 0:
	case !parsed:
		payload = string(m.payload)
	default:
		var err error
		if payload, err = decodeJSON(m.payload); err != nil {
			return fmt.Errorf("message on topic %q is not JSON", m.topic)
		}
	}
	o = append(o, jsonMember{"payload", payload})
	var b bytes.Buffer
	j := jsonWriter{&b, pretty}
	j.value(o, 0)
	_, err := w.Write(b.Bytes())
	return err
}

// jsonProperties is nil when there are none.
func jsonProperties(p *mqtt.Properties) jsonObject {
	if p == nil {
		return nil
	}
	o := jsonObject{}
	add := func(id mqtt.PropertyID, v any) {
		if p.Has(id) {
			o = append(o, jsonMember{id.String(), v})
		}
	}
	add(mqtt.PropPayloadFormat, int(p.PayloadFormat))
	add(mqtt.PropMessageExpiry, int(p.MessageExpiry))
	add(mqtt.PropContentType, p.ContentType)
	add(mqtt.PropResponseTopic, p.ResponseTopic)
	add(mqtt.PropCorrelationData, string(p.CorrelationData))
	for _, id := range p.SubscriptionIDs {
		add(mqtt.PropSubscriptionID, int(id))
	}
	add(mqtt.PropTopicAlias, int(p.TopicAlias))
	if len(p.User) > 0 {
		user := jsonObject{}
		for _, u := range p.User {
			user = append(user, jsonMember{u.Name, u.Value})
		}
		o = append(o, jsonMember{"user-properties", user})
	}
	return o
}

// decodeJSON reads one JSON value, keeping the order of members and the text of numbers.
func decodeJSON(b []byte) (any, error) {
	if !json.Valid(b) {
		return nil, errors.New("not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return decodeValue(d)
}

func decodeValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decodeValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	case json.Delim('{'):
		o := jsonObject{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeValue(d)
			if err != nil {
				return nil, err
			}
			o = append(o, jsonMember{key.(string), v})
		}
		_, err = d.Token()
		return o, err
	}
	return t, nil
}

// A jsonWriter prints as the cJSON library does, which Mosquitto's tools use.
type jsonWriter struct {
	b      *bytes.Buffer
	pretty bool
}

func (j jsonWriter) value(v any, depth int) {
	switch v := v.(type) {
	case nil:
		j.b.WriteString("null")
	case string:
		j.string(v)
	case jsonObject:
		j.object(v, depth)
	case []any:
		j.b.WriteByte('[')
		for i, x := range v {
			if i > 0 {
				j.b.WriteString(j.choose(", ", ","))
			}
			j.value(x, depth+1)
		}
		j.b.WriteByte(']')
	default:
		fmt.Fprint(j.b, v)
	}
}

func (j jsonWriter) object(o jsonObject, depth int) {
	j.b.WriteString(j.choose("{\n", "{"))
	for i, m := range o {
		j.indent(depth + 1)
		j.string(m.key)
		j.b.WriteString(j.choose(":\t", ":"))
		j.value(m.value, depth+1)
		if i < len(o)-1 {
			j.b.WriteByte(',')
		}
		j.b.WriteString(j.choose("\n", ""))
	}
	j.indent(depth)
	j.b.WriteByte('}')
}

func (j jsonWriter) choose(pretty, compact string) string {
	if j.pretty {
		return pretty
	}
	return compact
}

func (j jsonWriter) indent(depth int) {
	if j.pretty {
		j.b.WriteString(strings.Repeat("\t", depth))
	}
}

var jsonEscapes = map[byte]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

// string writes a JSON string. Octets that are not UTF-8 become U+FFFD, for the line has to stay JSON.
func (j jsonWriter) string(s string) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	j.b.WriteByte('"')
	for i := range len(s) {
		c := s[i]
		if e, ok := jsonEscapes[c]; ok {
			j.b.WriteString(e)
		} else if c < 0x20 {
			fmt.Fprintf(j.b, `\u%04x`, c)
		} else {
			j.b.WriteByte(c)
		}
	}
	j.b.WriteByte('"')
}
