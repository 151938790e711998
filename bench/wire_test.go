package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestPackets(t *testing.T) {
	payload := string([]byte{0, 0, 0, 3, 0, 0, 1, 2}) + strings.Repeat("\x00", payloadSize-8)
	rows := []struct {
		want  string
		bytes []byte
		text  string
	}{
		{"CONNECT has protocol level 4, a clean session and no keep-alive", appendConnect(nil, "ab", cleanSession),
			"\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x02ab"},
		{"SUBSCRIBE has identifier, filter and QoS", appendSubscribe(nil, 7, "a/+", 2), "\x82\x08\x00\x07\x00\x03a/+\x02"},
		{"PUBLISH at QoS 0 has no identifier", appendPublish(nil, "a", 0, 9, 3, 258), "\x30\x43\x00\x01a" + payload},
		{"PUBLISH at QoS 1 has one", appendPublish(nil, "a", 1, 9, 3, 258), "\x32\x45\x00\x01a\x00\x09" + payload},
		{"PUBREL carries the reserved flag", appendAck(nil, headPubrel, 0x1234), "\x62\x02\x12\x34"},
		{"a remaining length above 127 takes two octets", appendLength(nil, 321), "\xc1\x02"},
	}
	for _, r := range rows {
		if string(r.bytes) != r.text {
			t.Errorf("%s: got % x, want % x", r.want, r.bytes, r.text)
		}
	}
}

func TestCut(t *testing.T) {
	one := appendPublish(nil, strings.Repeat("t", 100), 1, 5, 1, 2)
	for n := range one {
		if _, _, got, err := cut(one[:n]); got != 0 || err != nil {
			t.Errorf("%d of %d octets are no whole packet: got n %d, error %v", n, len(one), got, err)
		}
	}
	head, body, n, err := cut(append(bytes.Clone(one), one...))
	if err != nil || n != len(one) || head != headPublish|1<<1 {
		t.Fatalf("the first of two packets is taken whole: got head %#x, n %d of %d, error %v", head, n, len(one), err)
	}
	id, payload, err := splitPublish(body, 1)
	publisher, seq, ok := getPayload(payload)
	if err != nil || id != 5 || publisher != 1 || seq != 2 || !ok {
		t.Errorf("PUBLISH gives back what went in: got id %d, publisher %d, seq %d, %v, error %v", id, publisher, seq, ok, err)
	}
	if _, _, _, err := cut([]byte{0x30, 0x80, 0x80, 0x80, 0x80, 0x01}); err == nil {
		t.Error("a remaining length of five octets is an error")
	}
}

func TestSplitPublishRefuses(t *testing.T) {
	for _, body := range [][]byte{nil, {0}, {0, 2, 'a'}, {0, 1, 'a', 0}} {
		if _, _, err := splitPublish(body, 1); err == nil {
			t.Errorf("PUBLISH body % x at QoS 1 is cut off and must be an error", body)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add(appendConnect(nil, "c", 0))
	f.Add(appendPublish(nil, "t", 2, 1, 1, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		head, body, n, err := cut(b)
		if n < 0 || n > len(b) || len(body) > n {
			t.Fatalf("cut stays within its input: n %d, body %d of %d", n, len(body), len(b))
		}
		if err == nil && n > 0 {
			splitPublish(body, head>>1&3)
			ackID(body)
		}
	})
}

func TestSNMessages(t *testing.T) {
	rows := []struct {
		want  string
		bytes []byte
		text  string
	}{
		{"CONNECT is clean, protocol 1, an hour", appendSNConnect(nil, snClean, "sn-1"), "\x0a\x04\x04\x01\x0e\x10sn-1"},
		{"REGISTER has topic id 0 from a client", appendSNRegister(nil, 2, "sn/1"), "\x0a\x0a\x00\x00\x00\x02sn/1"},
		{"PUBLISH begins with 7 octets of header", appendSNPublish(nil, false, 5, 6, 0, 0)[:7], "\x47\x0c\x20\x00\x05\x00\x06"},
		{"a repeated PUBLISH has DUP", appendSNPublish(nil, true, 5, 6, 0, 0)[:3], "\x47\x0c\xa0"},
	}
	for _, r := range rows {
		if string(r.bytes) != r.text {
			t.Errorf("%s: got % x, want % x", r.want, r.bytes, r.text)
		}
	}
	if n := len(appendSNPublish(nil, false, 1, 1, 0, 0)); n != snPublishSize {
		t.Errorf("PUBLISH is as long as its length octet says: got %d, want %d", n, snPublishSize)
	}
}

func TestParseSNReply(t *testing.T) {
	rows := []struct {
		in   string
		want snReply
		ok   bool
	}{
		{"\x03\x05\x01", snReply{kind: snConnack, code: 1}, true},
		{"\x07\x0b\x00\x05\x00\x02\x00", snReply{kind: snRegack, topicID: 5, msgID: 2}, true},
		{"\x07\x0d\x00\x05\x00\x02\x03", snReply{kind: snPuback, topicID: 5, msgID: 2, code: 3}, true},
		{"\x02\x17", snReply{kind: 0x17}, true},
		{"\x06\x0d\x00\x05\x00\x02", snReply{kind: snPuback}, false},
		{"\x04\x05\x00", snReply{}, false},
		{"", snReply{}, false},
	}
	for _, r := range rows {
		got, err := parseSNReply([]byte(r.in))
		if got != r.want || (err == nil) != r.ok {
			t.Errorf("datagram % x: got %+v, error %v; want %+v, well-formed %v", r.in, got, err, r.want, r.ok)
		}
	}
}
