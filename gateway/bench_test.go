package gateway

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/store"
	"midge/mqttsn"
	"midge/transports"
)

// BenchmarkUplinkQoS1 is one PUBLISH at QoS 1 from one of 1,000 devices through machine and core to one subscriber, and its PUBACK.
func BenchmarkUplinkQoS1(b *testing.B) {
	r := newRig(b, Config{}, LinkConfig{})
	const devices = 1000
	var frames [devices]transports.Frame
	for i := range devices {
		id := fmt.Sprint("device", i)
		r.from(id, mqttsn.Connect{ClientID: id, ProtocolID: 1, Duration: 60, CleanSession: true})
		r.from(id, mqttsn.Register{MsgID: 1, TopicName: "sensors/" + id})
		p := mqttsn.Publish{QoS: 1, TopicID: firstTopicID, MsgID: 1, Data: []byte("21.5 degrees")}
		frames[i] = transports.Frame{Addr: transports.MakeAddr([]byte(id)), Data: p.Append(nil)}
	}
	s, _, _ := r.b.Open(r.now, broker.Options{ClientID: "subscriber"})
	s.Subscribe(r.now, []broker.Subscription{{Filter: "sensors/#", QoS: 1}})
	var out [64]broker.Outbound
	var ids [64]uint16
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		r.l.Receive(r.now, &frames[i%devices])
		if i%32 == 31 {
			r.l.Pull(r.now)
			r.l.frames()
			n, _ := s.Next(r.now, out[:])
			for j := range out[:n] {
				ids[j] = out[j].ID
			}
			s.Acked(ids[:n]...)
		}
	}
}

// BenchmarkDownlinkQoS1 is one message to a device: wake-up, PUBLISH, PUBACK.
func BenchmarkDownlinkQoS1(b *testing.B) {
	r := newRig(b, Config{}, LinkConfig{})
	r.from("dev", mqttsn.Connect{ClientID: "dev", ProtocolID: 1, Duration: 60, CleanSession: true})
	r.from("dev", mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicName: "t"})
	s, _, _ := r.b.Open(r.now, broker.Options{ClientID: "publisher"})
	in := []broker.Inbound{{ID: 1, Message: &broker.Message{Topic: "t", QoS: 1, Payload: []byte("on")}}}
	var ack [1]broker.Outbound
	frame := transports.Frame{Addr: transports.MakeAddr([]byte("dev"))}
	b.ReportAllocs()
	b.ResetTimer()
	msgID := uint16(0)
	for range b.N {
		s.Publish(r.now, in)
		s.Next(r.now, ack[:])
		r.l.Pull(r.now)
		r.l.frames()
		if msgID++; msgID == 0 {
			msgID = 1
		}
		frame.Data = mqttsn.Puback{TopicID: firstTopicID, MsgID: msgID}.Append(frame.Data[:0])
		r.l.Receive(r.now, &frame)
	}
}

// BenchmarkSleepingClients reports what a device costs that has published, has one subscription and sleeps: gateway and core together.
func BenchmarkSleepingClients(b *testing.B) {
	for range b.N {
		before := heapBytes()
		core := broker.New(broker.Limits{})
		g := putToSleep(core)
		b.ReportMetric(float64(heapBytes()-before)/sleepers, "B/client")
		runtime.KeepAlive(g)
	}
}

// BenchmarkTakeUp is the start of a gateway that finds as many sleeping devices in its store, the core's own start included, and what they cost then.
func BenchmarkTakeUp(b *testing.B) {
	dir := b.TempDir()
	core, stop := durable(b, dir)
	putToSleep(core)
	stop()
	var perClient float64
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		before := heapBytes()
		b.StartTimer()
		core, stop := durable(b, dir)
		g := New(core, Config{}, slog.New(slog.DiscardHandler))
		g.open("lan", LinkConfig{}, 1024, func(transports.Addr) string { return "" }, time.Now())
		b.StopTimer()
		if got := len(g.sp.clients); got != sleepers {
			b.Fatalf("all %d devices are taken up, got %d", sleepers, got)
		}
		perClient = float64(heapBytes()-before) / sleepers
		runtime.KeepAlive(g)
		stop()
		b.StartTimer()
	}
	b.ReportMetric(perClient, "B/client")
}

const sleepers = 20_000

func putToSleep(core *broker.Broker) *Gateway {
	g := newGateway(core, Config{}, slog.New(slog.DiscardHandler), time.Unix(0, 0))
	l := g.open("lan", LinkConfig{}, 1024, func(transports.Addr) string { return "" }, time.Unix(0, 0))
	for i := range sleepers {
		sleepy(l, i)
	}
	return g
}

// durable is a broker on a store that is committed to when it stops.
func durable(b *testing.B, dir string) (core *broker.Broker, stop func()) {
	s, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	if core, err = broker.Restore(time.Now(), broker.Limits{}, s, broker.Durability{}); err != nil {
		b.Fatal(err)
	}
	return core, func() {
		if err := core.Stop(time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

func sleepy(l *link, i int) {
	now := l.sp.start
	var addr [18]byte
	binary.BigEndian.PutUint32(addr[:], uint32(i))
	f := transports.Frame{Addr: transports.MakeAddr(addr[:])}
	id := fmt.Sprintf("sensor-%06d", i)
	for _, p := range []mqttsn.Packet{
		mqttsn.Connect{ClientID: id, ProtocolID: 1, Duration: 60},
		mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicName: "sensors/" + id + "/set"},
		mqttsn.Register{MsgID: 2, TopicName: "sensors/" + id + "/state"},
		mqttsn.Publish{QoS: 1, MsgID: 3, TopicID: firstTopicID + 1, Data: []byte("21.5 degrees")},
		mqttsn.Disconnect{HasDuration: true, Duration: 3600},
	} {
		f.Data = p.Append(f.Data[:0])
		l.Receive(now, &f)
		l.Pull(now)
		l.frames()
	}
}

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
