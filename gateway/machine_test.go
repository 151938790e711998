package gateway

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"midge/broker"
	"midge/mqttsn"
	"midge/transports"
)

// rig is one link's machine on a broker of its own.
type rig struct {
	t   testing.TB
	now time.Time
	b   *broker.Broker
	g   *Gateway
	l   *link
}

func newRig(t testing.TB, cfg Config, lc LinkConfig) *rig {
	r := &rig{t: t, now: time.Unix(1_000_000_000, 0), b: broker.New(broker.Limits{})}
	r.g = newGateway(r.b, cfg, slog.New(slog.DiscardHandler), r.now)
	r.l = r.g.open("lan", lc, 1024, func(a transports.Addr) string { return string(a.Bytes()) }, r.now)
	return r
}

// from feeds one packet and returns what goes out.
func (r *rig) from(addr string, p mqttsn.Packet) []string {
	r.l.Receive(r.now, &transports.Frame{Addr: transports.MakeAddr([]byte(addr)), Data: p.Append(nil)})
	r.l.Pull(r.now)
	var texts []string
	for _, f := range r.l.frames() {
		texts = append(texts, describe("lan", f))
	}
	return texts
}

func (r *rig) want(sentence string, got []string, want ...string) {
	r.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("%s: got %q, want %q", sentence, got, want)
	}
}

// TestKeepAliveTolerance is S3ler's table of boundaries, read so that a longer keep-alive never is a shorter patience.
func TestKeepAliveTolerance(t *testing.T) {
	rows := []struct {
		keepAlive uint16
		limit     time.Duration
	}{
		{1, 1500 * time.Millisecond},
		{10, 15 * time.Second},
		{30, 45 * time.Second},
		{59, 88500 * time.Millisecond},
		{60, 90 * time.Second},
		{61, 90 * time.Second},
		{81, 90 * time.Second},
		{90, 99 * time.Second},
		{360, 396 * time.Second},
		{65535, 72088500 * time.Millisecond},
		{0, 24 * time.Hour}, // none asked for: the link's limit
	}
	for _, row := range rows {
		for _, asleep := range []bool{false, true} {
			if asleep && row.keepAlive == 0 {
				continue
			}
			t.Run(fmt.Sprintf("%ds asleep=%t", row.keepAlive, asleep), func(t *testing.T) {
				r := newRig(t, Config{}, LinkConfig{})
				r.from("dev", mqttsn.Connect{ClientID: "valve7", Duration: row.keepAlive, ProtocolID: 1, CleanSession: true})
				if asleep {
					r.from("dev", mqttsn.Connect{ClientID: "valve7", Duration: 1, ProtocolID: 1, CleanSession: true})
					r.from("dev", mqttsn.Disconnect{HasDuration: true, Duration: row.keepAlive})
				}
				r.l.Advance(r.now.Add(row.limit - time.Millisecond))
				if got := r.g.Devices()[0].State; got == Lost {
					t.Errorf("a client is not lost before its tolerance has passed")
				}
				r.l.Advance(r.now.Add(row.limit))
				if got := r.g.Devices()[0].State; got != Lost {
					t.Errorf("a client is lost when its tolerance has passed, but is %s", got)
				}
			})
		}
	}
}

// TestTopicTable checks both ways of searching and the bound.
func TestTopicTable(t *testing.T) {
	var table topicTable
	const bound = 40
	for i := range bound {
		name := fmt.Sprintf("t/%d", i)
		id, ok := table.add(name, bound)
		if again, _ := table.add(name, bound); !ok || again != id || id != uint16(firstTopicID+i) {
			t.Fatalf("name %d gets the next id and the same again; got %d, then %d", i, id, again)
		}
		for j := range i + 1 {
			if got, ok := table.find(fmt.Sprintf("t/%d", j)); !ok || table.get(got).name != fmt.Sprintf("t/%d", j) {
				t.Fatalf("with %d names name %d is found by name and by id", i+1, j)
			}
		}
	}
	if _, ok := table.add("one more", bound); ok {
		t.Error("a full table gives no id")
	}
	if _, ok := table.add("t/3", bound); !ok {
		t.Error("a full table still knows its names")
	}
	for _, id := range []uint16{0, firstTopicID - 1, firstTopicID + bound, 0xFFFF} {
		if table.get(id) != nil {
			t.Errorf("id %d was never given", id)
		}
	}
}

// TestAllTopicIDs fills a client's table to the end of the id space: no id is reserved, none is given twice.
func TestAllTopicIDs(t *testing.T) {
	r := newRig(t, Config{Limits: Limits{TopicIDs: 1 << 20}}, LinkConfig{})
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, CleanSession: true})
	var last string
	for i := range lastTopicID - firstTopicID + 1 {
		last = r.from("dev", mqttsn.Register{MsgID: 1, TopicName: fmt.Sprint("t/", i)})[0]
	}
	r.want("the last id is 0xFFFE", []string{last}, "dev< REGACK topic=0xfffe msgid=1 accepted")
	r.want("beyond it there is none", r.from("dev", mqttsn.Register{MsgID: 2, TopicName: "beyond"}), "dev< REGACK topic=0x0000 msgid=2 congestion")
}

// TestMsgIDWraps sends more messages to a device than there are message ids.
func TestMsgIDWraps(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, CleanSession: true})
	r.from("dev", mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicName: "t"})
	s, _, _ := r.b.Open(r.now, broker.Options{ClientID: "publisher"})
	msgID := uint16(0)
	for i := range 66_000 {
		s.Publish(r.now, []broker.Inbound{{Message: &broker.Message{Topic: "t", QoS: 1}}})
		msgID++
		if msgID == 0 {
			msgID = 1
		}
		if i == 0 {
			s.Next(r.now, make([]broker.Outbound, 8))
		}
		got := r.from("dev", mqttsn.Puback{TopicID: 1025, MsgID: 1}) // pulls; an answer to nothing
		if i > 65_500 {
			r.want("message ids go on without 0", got, fmt.Sprintf("dev< PUBLISH qos=1 topic=0x0401(normal) msgid=%d data=\"\"", msgID))
		}
		r.from("dev", mqttsn.Puback{TopicID: 1025, MsgID: msgID})
	}
}

// TestKnownIsBounded: those who have gone are forgotten in the order in which they went.
func TestKnownIsBounded(t *testing.T) {
	r := newRig(t, Config{Limits: Limits{Known: 3}}, LinkConfig{})
	for i := range 6 {
		id := fmt.Sprint("d", i)
		r.from(id, mqttsn.Connect{ClientID: id, ProtocolID: 1})
		r.from(id, mqttsn.Register{MsgID: 1, TopicName: "t"})
		r.from(id, mqttsn.Disconnect{})
	}
	if got := len(r.g.Devices()); got != 3 {
		t.Errorf("Limits.Known clients are remembered, got %d", got)
	}
	if got := len(r.l.peers); got != 3 {
		t.Errorf("the addresses of the others are forgotten too, got %d", got)
	}
	r.from("d5", mqttsn.Connect{ClientID: "d5", ProtocolID: 1})
	r.want("a remembered client keeps its ids", r.from("d5", mqttsn.Publish{QoS: 1, TopicID: 1025, MsgID: 1}), "d5< PUBACK topic=0x0401 msgid=1 accepted")
	r.from("d0", mqttsn.Connect{ClientID: "d0", ProtocolID: 1})
	r.want("a forgotten one registers anew", r.from("d0", mqttsn.Publish{QoS: 1, TopicID: 1025, MsgID: 1}), "d0< PUBACK topic=0x0401 msgid=1 invalid-topic-id")
}

// TestCountersExist: a zero is visible before the first packet.
func TestCountersExist(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	c := r.g.Counters().Links["lan"]
	for _, key := range []string{"PUBLISH", "CONNECT", "ENCAPSULATED", "ADVERTISE"} {
		if _, ok := c.In[key]; !ok {
			t.Errorf("the count of %s exists from the start", key)
		}
	}
	if len(c.Dropped) != int(dropReasons) || len(c.Clients) != len(stateNames) {
		t.Errorf("all drop reasons and states are there from the start: %v, %v", c.Dropped, c.Clients)
	}
	for key := range c.In {
		if len(key) > 8 && key[:8] == "reserved" {
			t.Errorf("%s is listed before it was seen", key)
		}
	}
}
