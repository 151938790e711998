package client

import (
	"testing"
	"time"

	"midge/mqttsn"
)

func TestMsgIDs(t *testing.T) {
	c := New(Config{})
	now := time.Unix(0, 0)
	_ = c.Connect(now)
	c.Receive(now, mqttsn.Connack{}.Append(nil))
	_, _ = c.Publish(now, Predefined(5), 1, false, nil)
	seen := map[uint16]bool{}
	for range 0xFFFE {
		seen[c.nextMsgID()] = true
	}
	if len(seen) != 0xFFFE || seen[0] || seen[1] {
		t.Errorf("all 65,534 ids but 0 and the one on the air come by before one repeats: got %d, 0: %t, on the air: %t", len(seen), seen[0], seen[1])
	}
}

func TestMalformedFramesAreCounted(t *testing.T) {
	c := New(Config{})
	c.Receive(time.Unix(0, 0), []byte{9, 9})
	c.Receive(time.Unix(0, 0), nil)
	if n := c.Counters().Malformed; n != 2 {
		t.Errorf("two frames that are no messages are counted: got %d", n)
	}
}

func TestPayloadsAreCopied(t *testing.T) {
	c := New(Config{})
	now := time.Unix(0, 0)
	payload := []byte("on")
	_, _ = c.Publish(now, Predefined(5), 1, false, payload)
	payload[0] = 'X'
	_ = c.Connect(now)
	c.Output(nil)
	c.Receive(now, mqttsn.Connack{}.Append(nil))
	if p, _ := mqttsn.DecodePublish(c.Output(nil)[0].Data); string(p.Data) != "on" {
		t.Errorf("a payload that waits belongs to the client: got %q", p.Data)
	}
	frame := mqttsn.Publish{TopicIDType: mqttsn.Predefined, TopicID: 5, Data: []byte("off")}.Append(nil)
	c.Events(nil)
	c.Receive(now, frame)
	clear(frame)
	if m := c.Events(nil)[0].(Message); string(m.Payload) != "off" {
		t.Errorf("a payload that is reported does not alias the frame: got %q", m.Payload)
	}
}

func TestPredefinedNames(t *testing.T) {
	c := New(Config{Predefined: map[uint16]string{5: "sensors/boot"}})
	now := time.Unix(0, 0)
	_ = c.Connect(now)
	c.Receive(now, mqttsn.Connack{}.Append(nil))
	c.Events(nil)
	c.Receive(now, mqttsn.Publish{TopicIDType: mqttsn.Predefined, TopicID: 5}.Append(nil))
	if m := c.Events(nil)[0].(Message); m.Topic != "sensors/boot" {
		t.Errorf("a predefined id is reported by its name: got %q", m.Topic)
	}
}
