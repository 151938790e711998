package client

import (
	"testing"
	"time"

	"midge/mqttsn"
)

// FuzzClient drives a client by a program: each step is an opcode with operands. Frames are random octets, or well-formed packets
// with random fields, so that every state is reached.
func FuzzClient(f *testing.F) {
	f.Add([]byte{0, 10, 5, 0, 2, 1, 4, 0, 8, 60, 10, 24, 9, 1, 60})
	f.Add([]byte{0, 11, 4, 12, 12, 4, 1, 1, 1, 3, 2, 6, 2, 10, 13})
	frame := mqttsn.Publish{QoS: 2, TopicID: 1, MsgID: 1}.Append([]byte{14})
	f.Add(append([]byte{0, 10, 5, 0}, frame...))
	f.Fuzz(func(t *testing.T, program []byte) {
		now := time.Unix(0, 0)
		var cfg Config
		if len(program) > 0 && program[0]&1 == 1 {
			cfg = Config{Will: &Will{Topic: "w"}, CleanSession: true, Reconnect: time.Second, KeepAlive: 7 * time.Second, WakeEvery: time.Second, TopicsMax: 2}
		}
		c := New(cfg)
		next := func() byte {
			if len(program) == 0 {
				return 0
			}
			b := program[0]
			program = program[1:]
			return b
		}
		for len(program) > 0 {
			drive(c, &now, next(), next)
			if at, ok := c.Deadline(); ok && at.Before(now.Add(-time.Hour)) {
				t.Fatalf("the deadline is not long past: %v behind", now.Sub(at))
			}
			for _, f := range c.Output(nil) {
				if _, err := mqttsn.Decode(f.Data); err != nil {
					t.Fatalf("the client sends well-formed messages only: %v", err)
				}
			}
			c.Events(nil)
			if c.Queued() > 16 || len(c.received) > receivedMax || len(c.ids) != len(c.names) {
				t.Fatalf("every queue keeps its bound and the two topic maps agree: %d, %d, %d, %d", c.Queued(), len(c.received), len(c.ids), len(c.names))
			}
		}
		c.Advance(now)
		if at, ok := c.Deadline(); ok && !at.After(now) {
			t.Fatal("after Advance the deadline lies ahead")
		}
	})
}

// drive does one step. Operands come from next, 0 when there are no more.
func drive(c *Client, now *time.Time, op byte, next func() byte) {
	topic := func() Topic {
		return []Topic{Named("a"), Named("b/#"), Predefined(5), Short("ab")}[next()&3]
	}
	switch op % 16 {
	case 0:
		_ = c.Connect(*now)
	case 1:
		_, _ = c.Register(*now, string([]byte{next()}))
	case 2:
		_, _ = c.Publish(*now, topic(), mqttsn.QoS(next()%4)-1, false, []byte{1})
	case 3:
		_, _ = c.Subscribe(*now, topic(), mqttsn.QoS(next()%3))
	case 4:
		_, _ = c.Unsubscribe(*now, topic())
	case 5:
		_ = c.Sleep(*now, time.Duration(next())*time.Second)
	case 6:
		_ = c.Wake(*now)
	case 7:
		_ = c.Disconnect(*now)
	case 8:
		_, _ = c.UpdateWillTopic(*now, "w", 1, false)
	case 9:
		_, _ = c.UpdateWillMessage(*now, nil)
	case 10:
		c.SearchGateway(*now, 1, time.Duration(next())*time.Second)
	case 11, 12:
		*now = now.Add(time.Duration(next()) * time.Second / 2)
		c.Advance(*now)
	case 13:
		frame := make([]byte, next()%32)
		for i := range frame {
			frame[i] = next()
		}
		c.Receive(*now, frame)
	default:
		// A small well-formed packet of any type: its body cut to what the type needs.
		body := []byte{next(), 0, next() % 4, 0, next() % 8, next() % 4, 'x'}
		typ := next() % mqttsn.NumTypes
		for n := range len(body) + 1 {
			frame := append([]byte{byte(2 + n), typ}, body[:n]...)
			if _, err := mqttsn.Decode(frame); err == nil {
				c.Receive(*now, frame)
				break
			}
		}
	}
}
