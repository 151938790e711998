package sys

import (
	"strconv"
	"time"
)

// Figures are what the tree tells, as it is at one moment. Counts without a remark are since the start.
type Figures struct {
	ClientsTotal     int    // sessions, connected or not
	ClientsConnected int    // of them
	ClientsPeak      int    // the most that were connected at a time
	ClientsExpired   uint64 // sessions that have expired

	MessagesReceived, MessagesSent uint64 // packets of any type
	BytesReceived, BytesSent       uint64 // their octets
	PublishReceived, PublishSent   uint64 // messages
	PublishDropped                 uint64 // messages lost or refused for a limit
	PayloadReceived, PayloadSent   uint64 // octets of the messages' payloads
	Sockets, Connects              uint64 // connections opened, CONNECTs received
	SocketsOpen                    int    // now

	Stored, StoredBytes   int // messages held now: waiting, in flight, retained; octets of their topics and payloads
	Retained              int // now
	Subscriptions, Shared int // now: those that are not shared, those that are
	Heap                  int // octets in use now
}

// Value is what a topic says.
type Value struct{ Topic, Text string }

// A Tree remembers what it has told. New makes one.
type Tree struct {
	version string
	start   time.Time

	at      time.Time // of the last Update
	last    Figures
	heapMax int
	loads   []load
	told    map[string]string // by topic
}

// New returns the tree of a broker that started at start. version is what $SYS/broker/version says.
func New(start time.Time, version string) *Tree {
	return &Tree{version: version, start: start, at: start, loads: newLoads(), told: make(map[string]string)}
}

const root = "$SYS/broker/"

// Update returns the values that have changed since the last call, all of them at the first. A value that stands under two names has both.
func (t *Tree) Update(now time.Time, f Figures) (changed []Value) {
	t.heapMax = max(t.heapMax, f.Heap)
	tell := func(topic, text string) {
		if old, ok := t.told[topic]; !ok || old != text {
			t.told[topic] = text
			changed = append(changed, Value{root + topic, text})
		}
	}
	tell("version", t.version)
	tell("uptime", strconv.Itoa(int(now.Sub(t.start)/time.Second))+" seconds")
	for _, n := range t.counts(&f) {
		tell(n.topic, strconv.FormatUint(n.value, 10))
	}
	elapsed := now.Sub(t.at)
	for i := range t.loads {
		l := &t.loads[i]
		l.add(l.of(&f)-l.of(&t.last), elapsed)
		for span, average := range l.averages {
			tell("load/"+l.name+"/"+spans[span].name, strconv.FormatFloat(average, 'f', 2, 64))
		}
	}
	t.at, t.last = now, f
	return changed
}

type count struct {
	topic string
	value uint64
}

// counts are the values that are plain numbers, under Mosquitto's names.
func (t *Tree) counts(f *Figures) []count {
	away := uint64(max(0, f.ClientsTotal-f.ClientsConnected))
	return []count{
		{"clients/total", uint64(f.ClientsTotal)},
		{"clients/connected", uint64(f.ClientsConnected)},
		{"clients/active", uint64(f.ClientsConnected)},
		{"clients/disconnected", away},
		{"clients/inactive", away},
		{"clients/maximum", uint64(f.ClientsPeak)},
		{"clients/expired", f.ClientsExpired},
		{"connections/socket/count", uint64(f.SocketsOpen)},
		{"messages/received", f.MessagesReceived},
		{"messages/sent", f.MessagesSent},
		{"messages/stored", uint64(f.Stored)},
		{"store/messages/count", uint64(f.Stored)},
		{"store/messages/bytes", uint64(f.StoredBytes)},
		{"publish/messages/received", f.PublishReceived},
		{"publish/messages/sent", f.PublishSent},
		{"publish/messages/dropped", f.PublishDropped},
		{"publish/bytes/received", f.PayloadReceived},
		{"publish/bytes/sent", f.PayloadSent},
		{"bytes/received", f.BytesReceived},
		{"bytes/sent", f.BytesSent},
		{"subscriptions/count", uint64(f.Subscriptions)},
		{"shared_subscriptions/count", uint64(f.Shared)},
		{"retained messages/count", uint64(f.Retained)},
		{"heap/current", uint64(f.Heap)},
		{"heap/maximum", uint64(t.heapMax)},
	}
}
