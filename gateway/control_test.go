package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"midge/mqttsn"
	device "midge/mqttsn/client"
	"midge/transports"
)

// outpost is a slow link with devices that do what devices do: they repeat what is not answered within their T_retry, give up, and begin again.
type outpost struct {
	*slow
	devs map[string]*device.Client
	ids  []string
}

func newOutpost(t *testing.T, a Airtime) *outpost {
	return &outpost{slow: newSlow(t, a), devs: map[string]*device.Client{}}
}

// add has a device with a will connect. Its own T_retry is 10 s plus a part of its own, so that no two are in step for ever.
func (f *outpost) add(id string, retry time.Duration) *device.Client {
	c := device.New(device.Config{ClientID: id, KeepAlive: 10 * time.Minute, Retry: retry, Reconnect: 5 * time.Second,
		Will: &device.Will{Topic: "will/" + id, Message: []byte("gone"), QoS: 1}})
	f.devs[id] = c
	f.ids = append(f.ids, id)
	c.Connect(f.now)
	f.hear(id)
	return c
}

// hear gives the gateway what a device sends.
func (f *outpost) hear(id string) {
	for _, out := range f.devs[id].Output(nil) {
		f.l.Receive(f.now, &transports.Frame{Addr: transports.MakeAddr([]byte(id)), Data: out.Data})
		f.collect()
	}
	f.devs[id].Events(nil)
}

// live lets time pass until all devices are active, for d at most. It reports whether they are, and after how long.
func (f *outpost) live(d time.Duration) (time.Duration, bool) {
	began := f.now
	for end := f.now.Add(d); ; {
		for ; f.seen < len(f.left); f.seen++ {
			to := f.left[f.seen].to
			if c := f.devs[to]; c != nil {
				c.Receive(f.now, f.left[f.seen].p.Append(nil))
				f.hear(to)
			}
		}
		active := 0
		at, _ := f.l.Deadline()
		for _, id := range f.ids {
			c := f.devs[id]
			if c.State() == device.Active {
				active++
			}
			if due, ok := c.Deadline(); ok && due.Before(at) {
				at = due
			}
		}
		if active == len(f.ids) || at.After(end) {
			return f.now.Sub(began), active == len(f.ids)
		}
		if at.After(f.now) {
			f.now = at
		}
		for _, id := range f.ids {
			f.devs[id].Advance(f.now)
			f.hear(id)
		}
		f.l.Advance(f.now)
		f.collect()
	}
}

// exhaust is a link that has sent what it may send in advance.
func (f *outpost) exhaust() { f.l.air.spent = f.l.t + dutyBurst }

// TestHandshakeOnScarceAir: a link that has time for one frame in 12 s carries will handshakes to their end, though devices that are not answered for 10 s ask again. What they ask for
// is not new, as long as the answer has not left.
func TestHandshakeOnScarceAir(t *testing.T) {
	for _, row := range []struct {
		devices int
		retry   time.Duration
		most    time.Duration
	}{
		{1, 10 * time.Second, time.Minute},
		{1, 12 * time.Second, time.Minute},
		{1, 15 * time.Second, time.Minute},
		{2, 10 * time.Second, 3 * time.Minute},
		{3, 10 * time.Second, 5 * time.Minute},
		{4, 10 * time.Second, 10 * time.Minute},
		{4, 13 * time.Second, 10 * time.Minute},
	} {
		f := newOutpost(t, Airtime{Rate: 400, Overhead: 10, Duty: 0.25})
		f.exhaust()
		for i := range row.devices {
			f.add(fmt.Sprint("d", i), row.retry)
		}
		took, ok := f.live(2 * time.Hour)
		if !ok || took > row.most {
			t.Errorf("%d devices with T_retry of %v are connected within %v: %v, after %v", row.devices, row.retry, row.most, ok, took)
		}
	}
}

// newScarce is a link with time for one frame of two octets in 12.4 s, of which the first is over.
func newScarce(t *testing.T, cfg LinkConfig) *slow {
	s := newSlow(t, Airtime{})
	cfg.Airtime = Airtime{Rate: 400, Overhead: 10, Duty: 0.25}
	s.l.configure(cfg)
	s.l.air.spent = s.l.t + dutyBurst
	s.l.air.sent(s.l.t, 2)
	return s
}

// order is all that has left, with the second in which it did.
func (s *slow) order() string {
	var text []string
	for _, d := range s.left {
		text = append(text, fmt.Sprintf("%ds %s %s", d.at/time.Second, d.to, d.p))
	}
	return strings.Join(text, ", ")
}

// step is what a device says, and how long after the step before.
type step struct {
	after time.Duration
	from  string
	p     mqttsn.Packet
}

// TestScarceAir plays what devices say where an answer takes longer to leave than they wait for it.
func TestScarceAir(t *testing.T) {
	connect := mqttsn.Connect{ClientID: "a", ProtocolID: 1, Will: true, Duration: 600}
	other := connect
	other.Duration = 60
	for _, row := range []struct {
		why   string
		cfg   LinkConfig
		steps []step
		want  string
	}{
		{"who asks again has one answer, in the place of the first", LinkConfig{}, []step{
			{0, "a", mqttsn.Subscribe{MsgID: 1}}, // nobody knows them, and they are told so
			{0, "b", mqttsn.Subscribe{MsgID: 1}},
			{11 * time.Second, "b", mqttsn.Subscribe{MsgID: 1}},
			{0, "a", mqttsn.Subscribe{MsgID: 1}},
		}, "12s a DISCONNECT, 24s b DISCONNECT"},
		{"who does not ask again has no answer any more", LinkConfig{}, []step{
			{0, "a", mqttsn.Subscribe{MsgID: 1}},
			{0, "b", mqttsn.Subscribe{MsgID: 1}},
		}, "12s a DISCONNECT"},
		{"answers to different questions both leave", LinkConfig{}, []step{
			{0, "a", mqttsn.Connect{ClientID: "a", ProtocolID: 1}},
			{13 * time.Second, "a", mqttsn.Unsubscribe{MsgID: 1, TopicName: "x"}},
			{0, "a", mqttsn.Unsubscribe{MsgID: 2, TopicName: "x"}},
			{10 * time.Second, "a", mqttsn.Unsubscribe{MsgID: 2, TopicName: "x"}},
			{10 * time.Second, "a", mqttsn.Unsubscribe{MsgID: 2, TopicName: "x"}},
		}, "12s a CONNACK accepted, 25s a UNSUBACK msgid=1, 40s a UNSUBACK msgid=2"},
		{"of what a client is only the last is said", LinkConfig{}, []step{
			{0, "a", mqttsn.Connect{ClientID: "a", ProtocolID: 1}},
			{13 * time.Second, "a", mqttsn.Disconnect{HasDuration: true, Duration: 600}},
			{time.Second, "a", mqttsn.Connect{ClientID: "a", ProtocolID: 1}},
		}, "12s a CONNACK accepted, 25s a CONNACK accepted"},
		{"a device that is asked for its will and says nothing more is asked N_retry times again, and T_retry runs from when it was asked", LinkConfig{RetryInterval: 13 * time.Second, RetryCount: 2}, []step{
			{0, "a", connect},
		}, "12s a WILLTOPICREQ, 25s a WILLTOPICREQ, 38s a WILLTOPICREQ"},
		{"and as long as it cannot be asked, that does not count", LinkConfig{RetryInterval: 3 * time.Second, RetryCount: 1}, []step{
			{0, "a", connect},
		}, "12s a WILLTOPICREQ, 24s a WILLTOPICREQ"},
		{"CONNECT is the same while the answer has not left: what WILLTOPIC has said stands", LinkConfig{}, []step{
			{0, "a", connect},
			{12500 * time.Millisecond, "a", mqttsn.WillTopic{Topic: "will"}},
			{6 * time.Second, "a", connect},
			{3 * time.Second, "a", connect},
			{3500 * time.Millisecond, "a", mqttsn.WillMsg{}},
		}, "12s a WILLTOPICREQ, 24s a WILLMSGREQ, 37s a CONNACK accepted"},
		{"and what WILLMSG has said, until CONNACK has left", LinkConfig{}, []step{
			{0, "a", connect},
			{12500 * time.Millisecond, "a", mqttsn.WillTopic{Topic: "will"}},
			{12500 * time.Millisecond, "a", mqttsn.WillMsg{}},
			{10 * time.Second, "a", connect},
			{20 * time.Second, "a", connect},
		}, "12s a WILLTOPICREQ, 24s a WILLMSGREQ, 37s a CONNACK accepted, 55s a WILLTOPICREQ, 65s a WILLTOPICREQ, 75s a WILLTOPICREQ, 87s a WILLTOPICREQ, 100s a WILLTOPICREQ"},
		{"CONNACK that was left out is still owed", LinkConfig{}, []step{
			{0, "a", connect},
			{12500 * time.Millisecond, "a", mqttsn.WillTopic{Topic: "will"}},
			{12 * time.Second, "z", mqttsn.Subscribe{MsgID: 1}},
			{500 * time.Millisecond, "a", mqttsn.WillMsg{}},
			{16 * time.Second, "a", connect},
		}, "12s a WILLTOPICREQ, 24s a WILLMSGREQ, 37s z DISCONNECT, 49s a CONNACK accepted"},
		{"another CONNECT begins anew", LinkConfig{}, []step{
			{0, "a", connect},
			{12500 * time.Millisecond, "a", mqttsn.WillTopic{Topic: "will"}},
			{12500 * time.Millisecond, "a", mqttsn.WillMsg{}},
			{10 * time.Second, "a", other},
			{3 * time.Second, "a", mqttsn.WillTopic{Empty: true}},
		}, "12s a WILLTOPICREQ, 24s a WILLMSGREQ, 37s a WILLTOPICREQ, 49s a CONNACK accepted"},
	} {
		s := newScarce(t, row.cfg)
		for _, x := range row.steps {
			s.pass(x.after, nil)
			s.say(x.from, x.p)
		}
		s.pass(5*time.Minute, nil)
		if got := s.order(); got != row.want {
			t.Errorf("%s:\n%s\nnot\n%s", row.why, row.want, got)
		}
	}
}

// TestRepeatedPublish: what is repeated because PUBACK has not left is one message; what is repeated afterwards may be another.
func TestRepeatedPublish(t *testing.T) {
	s := newScarce(t, LinkConfig{})
	s.say("a", mqttsn.Connect{ClientID: "a", ProtocolID: 1})
	s.pass(13*time.Second, nil)
	p := mqttsn.Publish{QoS: 1, MsgID: 7, TopicIDType: mqttsn.Short, TopicID: 0x6162}
	s.say("a", p)
	p.Dup = true
	s.pass(10*time.Second, nil)
	s.say("a", p)
	if got := s.g.Devices()[0].In; got != 1 {
		t.Errorf("what is repeated before it is answered is one message, not %d", got)
	}
	s.pass(7*time.Second, nil)
	s.say("a", p)
	if got := s.g.Devices()[0].In; got != 2 {
		t.Errorf("what is repeated after the answer has left is taken, as PUBACK may be lost: %d messages, not 2", got)
	}
	s.pass(time.Minute, nil)
	if got, want := s.order(), "12s a CONNACK accepted, 25s a PUBACK topic=0x6162 msgid=7 accepted, 43s a PUBACK topic=0x6162 msgid=7 accepted"; got != want {
		t.Errorf("each is answered once: %s, not %s", want, got)
	}
}

// TestStaleAnswersMakeRoom: what nobody waits for any more does not keep from the queue what somebody does.
func TestStaleAnswersMakeRoom(t *testing.T) {
	s := newScarce(t, LinkConfig{})
	s.pass(13*time.Second, nil)
	s.say("a", mqttsn.Connect{ClientID: "a", ProtocolID: 1})
	for i := range 200 {
		s.say("a", mqttsn.Unsubscribe{MsgID: uint16(1 + i), TopicName: "x"})
	}
	s.pass(16*time.Second, nil)
	for _, id := range []string{"b", "c", "d", "e"} {
		s.say(id, mqttsn.Connect{ClientID: id, ProtocolID: 1})
	}
	if got := s.g.Counters().Links["lan"].Out["CONNACK"]; got != 5 {
		t.Errorf("each CONNECT has its answer: %d of 5", got)
	}
	s.pass(time.Minute, nil)
	if got, want := s.order(), "13s a CONNACK accepted, 25s a UNSUBACK msgid=1, 40s b CONNACK accepted"; got != want {
		t.Errorf("the answers that nobody has asked for again are left out: %s, not %s", want, got)
	}
}

// TestProbeWaitsForRoom: a client is asked whether it is there as often as is set, and has T_retry to answer from when it is. Its keep-alive is over after 90 s.
func TestProbeWaitsForRoom(t *testing.T) {
	for _, row := range []struct {
		room time.Duration
		want string
		lost time.Duration
	}{
		{99 * time.Second, "0s a CONNACK accepted, 99s a PINGREQ, 111s a PINGREQ", 122 * time.Second},
		{104 * time.Second, "0s a CONNACK accepted, 104s a PINGREQ, 116s a PINGREQ", 127 * time.Second},
		{time.Hour, "0s a CONNACK accepted", 130 * time.Second}, // that it cannot be asked does not keep it for ever
	} {
		s := newScarce(t, LinkConfig{Probe: true, RetryCount: 2})
		s.l.air.busy, s.l.air.spent = 0, 0
		s.say("a", mqttsn.Connect{ClientID: "a", ProtocolID: 1, Duration: 60})
		s.l.air.spent = s.l.t + dutyBurst + instant(row.room)
		s.pass(row.lost-time.Second, nil)
		if got := s.g.Devices()[0].State; got != Active {
			t.Errorf("with room after %v it has T_retry for the last answer: %v", row.room, got)
		}
		s.pass(time.Second, nil)
		if got := s.g.Devices()[0].State; got != Lost {
			t.Errorf("with room after %v it is lost then: %v", row.room, got)
		}
		if got := s.order(); got != row.want {
			t.Errorf("with room after %v leaves: %s, not %s", row.room, row.want, got)
		}
	}
}
