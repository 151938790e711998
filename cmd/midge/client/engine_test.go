package client

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"midge/broker/mqtt"
)

var update = flag.Bool("update", false, "rewrite the golden traces in testdata")

// A trace is an engine with a transcript of all that goes in and comes out.
type trace struct {
	strings.Builder
	t *testing.T
	e *engine
}

func newTrace(t *testing.T, v mqtt.Version) *trace {
	x := &trace{t: t}
	x.e = newEngine(&options{version: v, id: "dev", inflight: 2}, func(format string, args ...any) {
		fmt.Fprintf(x, format+"\n", args...)
	})
	x.connect()
	return x
}

func (x *trace) connect() {
	fmt.Fprintln(x, "-- connect")
	x.e.connect(&mqtt.Connect{Version: x.e.version, ClientID: "dev"})
	x.e.out = x.e.out[:0]
}

// server hands a packet to the engine and notes the event and what the engine sends.
func (x *trace) server(b []byte) {
	h, err := mqtt.ParseHeader(b)
	if err != nil {
		x.t.Fatal(err)
	}
	fmt.Fprintf(x, "server> %v\n", h.Type())
	ev, err := x.e.handle(h.First, b[h.Size:])
	switch {
	case err != nil:
		fmt.Fprintf(x, "        error: %v\n", err)
	case ev.kind == arrived:
		fmt.Fprintf(x, "        message %q on %q\n", ev.message.payload, ev.message.topic)
	case ev.kind == published:
		fmt.Fprintf(x, "        published %d: %v\n", ev.id, ev.reason)
	case ev.kind != nothing:
		fmt.Fprintf(x, "        event %d %v\n", ev.kind, ev.reason)
	}
	if len(x.e.out) > 0 {
		fmt.Fprintf(x, "client> % x\n", x.e.out)
	}
	x.e.out = x.e.out[:0]
}

func (x *trace) publish(q mqtt.QoS, payload string) {
	_, err := x.e.publish(&flight{topic: "t", payload: []byte(payload), qos: q, retain: q == 2})
	fmt.Fprintf(x, "client> % x error %v full %v\n", x.e.out, err, x.e.full())
	x.e.out = x.e.out[:0]
}

func connack(v mqtt.Version, c mqtt.Connack) []byte { return c.Append(nil, v) }

func ack(t mqtt.PacketType, id uint16, r mqtt.ReasonCode, v mqtt.Version) []byte {
	return mqtt.AppendAck(nil, t, id, r, v)
}

// golden compares the transcript with testdata.
func (x *trace) golden(name string) {
	x.t.Helper()
	file := "testdata/" + name + ".txt"
	if *update {
		if err := os.WriteFile(file, []byte(x.String()), 0o644); err != nil {
			x.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != x.String() {
		x.t.Errorf("the transcript is that of %s (%v), or -update rewrites it:\n%s", file, err, x.String())
	}
}

func TestTracePublishing(t *testing.T) {
	const v = mqtt.V311
	x := newTrace(t, v)
	x.server(connack(v, mqtt.Connack{}))
	x.publish(0, "zero")
	x.publish(1, "one")
	x.publish(2, "two")
	x.server(ack(mqtt.TypePubrec, 2, 0, v))
	x.connect() // both are unfinished: the one is sent again, of the other PUBREL
	x.server(connack(v, mqtt.Connack{SessionPresent: true}))
	x.server(ack(mqtt.TypePubcomp, 2, 0, v))
	x.server(ack(mqtt.TypePuback, 1, 0, v))
	x.server(ack(mqtt.TypePuback, 1, 0, v)) // late, of an earlier connection
	x.publish(1, "again")
	x.server(ack(mqtt.TypePubrec, 3, 0, v)) // wrong for QoS 1
	x.golden("publishing")
}

func TestTraceLimitsOfTheServer(t *testing.T) {
	const v = mqtt.V5
	x := newTrace(t, v)
	p := &mqtt.Properties{MaximumQoS: 1, MaximumPacketSize: 12, ReceiveMaximum: 1, AssignedClientID: "auto-1"}
	for _, id := range []mqtt.PropertyID{mqtt.PropMaximumQoS, mqtt.PropRetainAvailable, mqtt.PropMaximumPacketSize,
		mqtt.PropReceiveMaximum, mqtt.PropAssignedClientID} {
		p.Mark(id)
	}
	x.server(connack(v, mqtt.Connack{Props: p}))
	x.publish(2, "QoS is too high")
	x.publish(1, "message is too long")
	x.publish(1, "fits")
	x.server(ack(mqtt.TypePuback, 1, mqtt.QuotaExceeded, v))
	x.server((&mqtt.Disconnect{Reason: mqtt.ServerShuttingDown}).Append(nil, v))
	x.golden("limits")
}

func TestTraceReceiving(t *testing.T) {
	const v = mqtt.V5
	x := newTrace(t, v)
	x.server(connack(v, mqtt.Connack{}))
	alias := &mqtt.Properties{TopicAlias: 3}
	alias.Mark(mqtt.PropTopicAlias)
	message := func(topic string, q mqtt.QoS, id uint16, dup bool, p *mqtt.Properties) []byte {
		return (&mqtt.Publish{Topic: []byte(topic), QoS: q, ID: id, Dup: dup, Payload: []byte("x"), Props: p}).Append(nil, v)
	}
	x.server(message("a/b", 0, 0, false, alias))
	x.server(message("", 1, 7, false, alias))
	x.server(message("two", 2, 8, false, nil))
	x.server(message("two", 2, 8, true, nil)) // not told twice
	x.connect()
	x.server(connack(v, mqtt.Connack{SessionPresent: true}))
	x.server(ack(mqtt.TypePubrel, 8, 0, v))
	x.server(ack(mqtt.TypePubrel, 8, 0, v)) // answered, not told again
	x.server(message("three", 2, 9, false, nil))
	x.connect()
	x.server(connack(v, mqtt.Connack{})) // the session is gone, and with it the message
	x.server(ack(mqtt.TypePubrel, 9, 0, v))
	x.server(message("", 0, 0, false, alias)) // aliases end with the connection
	x.server([]byte{0xC0, 0})
	x.golden("receiving")
}
