package mqtt

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestDelivery(t *testing.T) {
	message := props(func(p *Properties) {
		p.MessageExpiry, p.ContentType, p.TopicAlias, p.SubscriptionIDs = 60, "c", 9, []uint32{99}
	}, PropMessageExpiry, PropContentType, PropTopicAlias, PropSubscriptionID)
	for _, r := range []struct {
		name string
		v    Version
		d    Delivery
		wire string
	}{
		{"version 3 sees no properties", V311, Delivery{Topic: "t", Payload: []byte("x"), Props: message, SubIDs: []uint32{1}, Alias: 1},
			"30 0001 't' 'x'"},
		{"QoS, RETAIN, DUP and id", V311, Delivery{Topic: "t", QoS: 2, Retain: true, Dup: true, ID: 7}, "3d 0001 't' 0007"},
		{"DUP is not sent at QoS 0", V5, Delivery{Topic: "t", Dup: true}, "30 0001 't' 00"},
		{"hop-by-hop properties of the publisher are left out", V5, Delivery{Topic: "t", Props: message},
			"30 0001 't' (props) 09 02 0000003c 03 0001 'c'"},
		{"the receiver's own expiry, identifiers and alias go in", V5,
			Delivery{Topic: "", Props: message, Expiry: 5, SubIDs: []uint32{1, 300}, Alias: 2},
			"30 0000 (props) 11 02 00000005 03 0001 'c' 0b 01 0b ac02 23 0002"},
		{"identifiers without properties", V5, Delivery{Topic: "t", QoS: 1, ID: 1, SubIDs: []uint32{1}, Payload: []byte("x")},
			"32 0001 't' 0001 (props) 02 0b 01 'x'"},
	} {
		want := octets(t, r.wire)
		if got := r.d.Append(nil, r.v); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got % x\nwant % x", r.name, got, want)
		}
		if got := r.d.Size(r.v); got != len(want) {
			t.Errorf("%s: Size tells the octets of the packet: got %d, want %d", r.name, got, len(want))
		}
	}
}

func TestDeliveryDoesNotChangeTheMessage(t *testing.T) {
	p := props(func(p *Properties) { p.MessageExpiry, p.TopicAlias = 60, 9 }, PropMessageExpiry, PropTopicAlias)
	before := *p
	(&Delivery{Topic: "t", Props: p, Expiry: 1, Alias: 1}).Append(nil, V5)
	if !reflect.DeepEqual(*p, before) {
		t.Errorf("the message is shared by all receivers: got %+v, want %+v", *p, before)
	}
}

func TestTooLongStringsAreCutNotGarbled(t *testing.T) {
	b := (&Delivery{Topic: strings.Repeat("t", 70_000), Payload: []byte("x")}).Append(nil, V311)
	h, err := ParseHeader(b)
	if err != nil || h.Total() != len(b) {
		t.Fatalf("the packet is framed: got %+v, %v for %d octets", h, err, len(b))
	}
	p, err := ParsePublish(h.First, b[h.Size:], V311)
	if err != nil || len(p.Topic) != 65_535 || string(p.Payload) != "x" {
		t.Errorf("the topic is cut at 65535 octets: got %d, payload %q, %v", len(p.Topic), p.Payload, err)
	}
}
