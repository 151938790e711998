package client

import (
	"bytes"
	"testing"
	"time"

	"midge/broker/mqtt"
)

// What the comparison with mosquitto_sub cannot show: fixed times, and where Midge does better.
func TestFormat(t *testing.T) {
	now := time.Date(2026, 3, 1, 4, 5, 6, 789_000_123, time.FixedZone("CET", 3600))
	props := &mqtt.Properties{User: []mqtt.UserProperty{{Name: "b", Value: "1"}, {Name: "a", Value: `"`}}, TopicAlias: 4, SubscriptionIDs: []uint32{7, 8}}
	for _, id := range []mqtt.PropertyID{mqtt.PropUserProperty, mqtt.PropTopicAlias, mqtt.PropSubscriptionID} {
		props.Mark(id)
	}
	m := &message{topic: "a/b", payload: []byte("hello"), qos: 1, id: 300, retain: true, props: props}
	for _, r := range []struct{ format, want string }{
		{"%I %U", "2026-03-01T04:05:06+0100 1772334306.789000123"},
		{"@F @T.@N @z @Z @j @U @W @V @u @w @s", "2026-03-01 04:05:06.789000123 +0100 CET 060 09 08 09 7 0 1772334306"},
		{"@k|@l|@I|@y|@C|@e|@D|@c|@r|@R|@h|@x|@X|@P", " 4| 4|04|26|20| 1|03/01/26|Sun Mar  1 04:05:06 2026|04:05:06 AM|04:05|Mar|03/01/26|04:05:06|am"},
		{"%12x|%-12X|%4x|%3x", "  68656c6c6f|68656C6C6F  |6865|" + " 68"},
		{"%A %S %P", `4 7 b:1 a:"`},
		{"%m %q %r %l", "300 1 1 5"},
		{"%j", `{"tst":"2026-03-01T04:05:06.789000Z+0100","topic":"a/b","qos":1,"retain":1,"payloadlen":5,"mid":300,` +
			`"properties":{"subscription-identifier":7,"subscription-identifier":8,"topic-alias":4,` +
			`"user-properties":{"b":"1","a":"\""}},"payload":"hello"}`},
	} {
		items, err := parseFormat(r.format)
		if err != nil {
			t.Errorf("%q is a format: got %v", r.format, err)
			continue
		}
		var out bytes.Buffer
		if err := (printer{&options{format: items}}).print(&out, m, now); err != nil || out.String() != r.want+"\n" {
			t.Errorf("%q is printed right:\n got %q, %v\nwant %q", r.format, out.String(), err, r.want)
		}
	}
}

// Numbers keep their digits, and octets that are no text do not break the line.
func TestJSONKeepsWhatItCan(t *testing.T) {
	for _, r := range []struct{ verb, payload, want string }{
		{"%J", `{"id":12345678901234567890, "x":1.50}`, `"payload":{"id":12345678901234567890,"x":1.50}}`},
		{"%J", "", `"payload":null}`},
		{"%j", "\xff\x00", `"payload":"` + "\uFFFD" + `\u0000"}`},
		{"%J", "{", ""},
		{"%J", "1 2", ""},
	} {
		items, _ := parseFormat(r.verb)
		var out bytes.Buffer
		err := (printer{&options{format: items, noEOL: true}}).print(&out, &message{topic: "t", payload: []byte(r.payload)}, time.Unix(0, 0))
		if !bytes.HasSuffix(out.Bytes(), []byte(r.want)) || (err != nil) != (r.want == "") {
			t.Errorf("%s of %q ends in %q: got %q, %v", r.verb, r.payload, r.want, out.String(), err)
		}
	}
}

func FuzzFormat(f *testing.F) {
	for _, s := range []string{"%t %p", "%-010.3t|%x", "@Y@@\\n", "%j", "%J", "%", "%999999999999999999999p", "\\", "@"} {
		f.Add(s, []byte(`{"a":[1,"é"]}`))
	}
	f.Fuzz(func(t *testing.T, format string, payload []byte) {
		items, err := parseFormat(format)
		if err != nil {
			return
		}
		var out bytes.Buffer
		_ = (printer{&options{format: items}}).print(&out, &message{topic: "t", payload: payload}, time.Unix(0, 0))
		if limit := (len(format) + 1) * (formatWidthMax + 1000 + 8*len(payload)); out.Len() > limit {
			t.Errorf("a message of %d octets prints at most %d: got %d", len(payload), limit, out.Len())
		}
	})
}
