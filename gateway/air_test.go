package gateway

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/mqttsn"
	"midge/transports"
)

// departure is a frame that has left a slow link.
type departure struct {
	at     time.Duration // since the beginning
	to     string
	octets int
	p      mqttsn.Packet
}

// slow is a rig whose time goes on from deadline to deadline.
type slow struct {
	*rig
	began time.Time
	left  []departure
	seen  int // of left, that pass has shown
	pub   *broker.Session
}

func newSlow(t testing.TB, a Airtime) *slow {
	r := newRig(t, Config{}, LinkConfig{Airtime: a})
	s := &slow{rig: r, began: r.now}
	s.pub, _, _ = r.b.Open(r.now, broker.Options{ClientID: "publisher"})
	return s
}

func (s *slow) say(addr string, p mqttsn.Packet) {
	s.l.Receive(s.now, &transports.Frame{Addr: transports.MakeAddr([]byte(addr)), Data: p.Append(nil)})
	s.collect()
}

func (s *slow) collect() {
	s.l.Pull(s.now)
	for _, f := range s.l.frames() {
		p, err := mqttsn.Decode(f.Data)
		if err != nil {
			s.t.Fatalf("what leaves is a message: %v", err)
		}
		s.left = append(s.left, departure{s.now.Sub(s.began), string(f.Addr.Bytes()), len(f.Data), p})
	}
}

func (s *slow) publish(topic string, qos mqtt.QoS, octets int) {
	s.pub.Publish(s.now, []broker.Inbound{{Message: &broker.Message{Topic: topic, QoS: qos, Payload: make([]byte, octets)}}})
	s.pub.Next(s.now, make([]broker.Outbound, 8))
	s.collect()
}

// join connects a device and subscribes it, in the time that this takes.
func (s *slow) join(id, topic string) {
	s.say(id, mqttsn.Connect{ClientID: id, ProtocolID: 1})
	s.pass(10*time.Second, nil)
	s.say(id, mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicName: topic})
	s.pass(10*time.Second, nil)
	s.left, s.seen = nil, 0
}

// pass lets time pass from deadline to deadline. heard is told of each frame that has left.
func (s *slow) pass(d time.Duration, heard func(departure)) {
	for end := s.now.Add(d); ; {
		for ; s.seen < len(s.left); s.seen++ {
			if heard != nil {
				heard(s.left[s.seen])
			}
		}
		at, ok := s.l.Deadline()
		if !ok || at.After(end) {
			s.now = end
			return
		}
		if at.After(s.now) {
			s.now = at
		}
		s.l.Advance(s.now)
		s.collect()
	}
}

// acknowledge answers a PUBLISH at QoS 1.
func (s *slow) acknowledge(d departure) {
	if p, ok := d.p.(mqttsn.Publish); ok && p.QoS == 1 {
		s.say(d.to, mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID})
	}
}

// line is 9600 baud.
var line = Airtime{Rate: 960}

// TestAirtimeIsKept: what leaves never is more than the line carries, and the line does not idle.
func TestAirtimeIsKept(t *testing.T) {
	s := newSlow(t, line)
	s.join("a", "t")
	for range 500 {
		s.publish("t", 0, 53) // 60 octets on the air: 62.5 ms
	}
	began := s.now.Sub(s.began)
	s.pass(10*time.Second, nil)
	octets := 0
	for _, d := range s.left {
		octets += d.octets
		if most := int((d.at-began+time.Duration(airSlack))*960/time.Second) + 60; octets > most {
			t.Fatalf("after %v no more than %d octets have left, not %d", d.at-began, most, octets)
		}
	}
	if octets < 9500 {
		t.Errorf("10 s of 9600 baud carry 9,600 octets, and were used for %d", octets)
	}
	if got := s.g.Devices()[0].Queued; got != 500-len(s.left) {
		t.Errorf("what has not left waits in the session: %d of %d", got, 500-len(s.left))
	}
	s.pass(time.Minute, nil)
	if len(s.left) != 500 {
		t.Errorf("and leaves in its time: %d", len(s.left))
	}
}

// TestFairness: a device for which a thousand messages wait does not keep others from theirs.
func TestFairness(t *testing.T) {
	for _, qos := range []mqtt.QoS{0, 1} {
		s := newSlow(t, line)
		for _, id := range []string{"a", "b", "c"} {
			s.join(id, "to/"+id)
		}
		for range 1000 {
			s.publish("to/a", qos, 40)
		}
		s.pass(time.Second, s.acknowledge)
		s.left, s.seen = nil, 0
		for range 5 {
			s.publish("to/b", qos, 40)
			s.publish("to/c", qos, 40)
		}
		s.pass(2*time.Second, s.acknowledge)
		order := ""
		for _, d := range s.left[:min(15, len(s.left))] {
			order += d.to
		}
		if strings.Count(order, "b") != 5 || strings.Count(order, "c") != 5 || strings.Count(order, "a") < 4 {
			t.Errorf("at QoS %d the three have a frame each in turn: %s", qos, order)
		}
	}
}

// TestControlGoesFirst: an answer does not wait behind deliveries.
func TestControlGoesFirst(t *testing.T) {
	s := newSlow(t, line)
	for i := range 20 {
		s.join(fmt.Sprint("d", i), "all")
	}
	for range 10 {
		s.publish("all", 0, 50)
	}
	s.pass(100*time.Millisecond, nil)
	before := len(s.left)
	s.say("d3", mqttsn.Pingreq{})
	s.say("d4", mqttsn.Publish{QoS: 1, MsgID: 9, TopicID: 1025})
	if len(s.left) != before {
		t.Fatalf("there is no room for an answer at once: %v", s.left[before:])
	}
	s.pass(time.Second, nil)
	for i, want := range []string{"PINGRESP", "PUBACK topic=0x0401 msgid=9 accepted"} {
		if got := mqttsn.Text(s.left[before+i].p); got != want {
			t.Errorf("answers leave first: %s, not %s", got, want)
		}
	}
}

// TestNobodyOvertakes: a message that comes when there is room again, but before the timer, does not let its device past what waits.
func TestNobodyOvertakes(t *testing.T) {
	for name, row := range map[string]struct {
		wait func(s *slow)
		want string
	}{
		"an answer":             {func(s *slow) { s.say("b", mqttsn.Pingreq{}) }, "b PINGRESP, a PUBLISH, "},
		"another device's turn": {func(s *slow) { s.publish("to/b", 0, 50) }, "b PUBLISH, a PUBLISH, "},
	} {
		s := newSlow(t, line)
		s.join("a", "to/a")
		s.join("b", "to/b")
		s.publish("to/a", 1, 50)
		s.publish("to/a", 1, 50)
		row.wait(s)
		if len(s.left) != 1 {
			t.Fatalf("%s: only the first message has left: %v", name, s.left)
		}
		s.now = s.now.Add(time.Second)
		s.acknowledge(s.left[0])
		s.seen = 1
		got := ""
		s.pass(time.Second, func(d departure) { got += d.to + " " + d.p.Type().String() + ", " })
		if got != row.want {
			t.Errorf("%s goes first: %s, not %s", name, row.want, got)
		}
	}
}

// TestRetryRunsFromDeparture: T_retry is the time that a device has for its answer, not for a queue of ours.
func TestRetryRunsFromDeparture(t *testing.T) {
	s := newSlow(t, Airtime{Rate: 30}) // a PUBLISH of 60 octets takes two seconds
	for i := range 20 {
		s.join(fmt.Sprint("d", i), "all")
	}
	s.publish("all", 1, 53)
	last := map[string]time.Duration{}
	s.pass(10*time.Minute, func(d departure) {
		if p, ok := d.p.(mqttsn.Publish); ok {
			if before, again := last[d.to]; again && (d.at-before < 10*time.Second || !p.Dup) {
				t.Errorf("%s is sent again after T_retry, not after %v", d.to, d.at-before)
			}
			last[d.to] = d.at
		}
	})
	if len(last) != 20 {
		t.Errorf("each device has been sent its message: %d", len(last))
	}
	if n := len(s.left); n != 20*5 {
		t.Errorf("each five times: %d", n)
	}
}

// TestDutyCycle: in no hour more is sent than the share of it, but what comes alone goes at once.
func TestDutyCycle(t *testing.T) {
	s := newSlow(t, Airtime{Rate: 50_000.0 / 8, Overhead: 15, Duty: 1})
	s.join("a", "t")
	began := s.now.Sub(s.began)
	s.publish("t", 0, 43)
	if len(s.left) != 1 {
		t.Error("a message that comes alone goes at once")
	}
	for range 30_000 {
		s.publish("t", 0, 43) // 50 octets, 65 on the air: 10.4 ms
	}
	s.pass(3*time.Hour, nil)
	const each = 65 * 8 * time.Second / 50_000
	for i := range s.left {
		sum := time.Duration(0)
		for j := i; j < len(s.left) && s.left[j].at < s.left[i].at+time.Hour; j++ {
			sum += each
		}
		if sum > 36*time.Second {
			t.Fatalf("no more than 36 s of any hour: %v from %v on", sum, s.left[i].at-began)
		}
	}
	if least := int(3 * 34 * time.Second / each); len(s.left) < least {
		t.Errorf("most of that is used: %d messages in three hours, not %d", len(s.left), least)
	}
}

// TestTooManyAnswers: answers that wait have a bound, and what goes beyond it is counted for its device.
func TestTooManyAnswers(t *testing.T) {
	s := newSlow(t, Airtime{Rate: 30})
	s.join("a", "t")
	for i := range 200 {
		s.say("a", mqttsn.Unsubscribe{MsgID: uint16(1 + i), TopicName: "t"})
	}
	s.pass(time.Minute, nil)
	d := s.g.Devices()[0]
	lost := d.Dropped["air_full"]
	if lost == 0 || s.g.Counters().Links["lan"].Dropped["air_full"] != lost {
		t.Errorf("what finds no room is counted, for the device and for the link: %v", d.Dropped)
	}
	if c := s.g.Counters().Links["lan"]; c.Out["UNSUBACK"]+lost != 200 {
		t.Errorf("each answer was sent or dropped: %v, %v", c.Out, c.Dropped)
	}
	if len(s.left) < controlLeast {
		t.Errorf("some answers wait and leave: %d", len(s.left))
	}
}

// TestSleeperOnSlowLink: PINGRESP comes after what waited, however long its turn takes.
func TestSleeperOnSlowLink(t *testing.T) {
	s := newSlow(t, line)
	s.join("busy", "noise")
	s.join("dev", "cmd")
	s.say("dev", mqttsn.Disconnect{HasDuration: true, Duration: 600})
	s.pass(time.Second, nil)
	for range 100 {
		s.publish("noise", 0, 50)
	}
	for range 3 {
		s.publish("cmd", 1, 10)
	}
	s.pass(time.Second, s.acknowledge)
	s.left, s.seen = nil, 0
	s.say("dev", mqttsn.Pingreq{ClientID: "dev"})
	s.pass(5*time.Second, s.acknowledge)
	got := ""
	for _, d := range s.left {
		if d.to == "dev" {
			got += d.p.Type().String() + " "
		}
	}
	if want := "PUBLISH PUBLISH PUBLISH PINGRESP "; got != want {
		t.Errorf("a device that wakes is sent %s, not %s", want, got)
	}
}

// TestSlowLinkKeepsItsPromises plays seeded traffic and checks what always holds: the rate, one open delivery for each device, every message at QoS 1 in the end, nothing left over.
func TestSlowLinkKeepsItsPromises(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		s := newSlow(t, line)
		const devices = 8
		for i := range devices {
			s.join(fmt.Sprint("d", i), fmt.Sprint("to/", i))
		}
		began, sent, acked := s.now.Sub(s.began), 0, 0
		open := map[string]uint16{}
		heard := func(d departure) {
			if r, ok := d.p.(mqttsn.Register); ok {
				s.say(d.to, mqttsn.Regack{TopicID: r.TopicID, MsgID: r.MsgID})
			}
			p, ok := d.p.(mqttsn.Publish)
			if !ok || p.QoS != 1 {
				return
			}
			if was, busy := open[d.to]; busy && was != p.MsgID {
				t.Fatalf("seed %d: %s is sent a second message before it has answered the first", seed, d.to)
			}
			open[d.to] = p.MsgID
			if rnd.IntN(5) == 0 {
				return // lost
			}
			delete(open, d.to)
			acked++
			s.say(d.to, mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID})
		}
		for range 300 {
			i := rnd.IntN(devices)
			switch rnd.IntN(6) {
			case 0:
				s.say(fmt.Sprint("d", i), mqttsn.Pingreq{})
			case 1:
				s.say(fmt.Sprint("d", i), mqttsn.Connect{ClientID: fmt.Sprint("d", i), ProtocolID: 1})
			case 2:
				s.publish(fmt.Sprint("to/", i), 0, rnd.IntN(50))
			default:
				s.publish(fmt.Sprint("to/", i), 1, rnd.IntN(50))
				sent++
			}
			s.pass(time.Duration(rnd.IntN(200))*time.Millisecond, heard)
		}
		s.pass(20*time.Minute, heard)
		if acked < sent {
			t.Errorf("seed %d: every message arrives: %d of %d", seed, acked, sent)
		}
		octets := 0
		for _, d := range s.left {
			octets += d.octets
			if most := int((d.at-began+time.Duration(airSlack))*960/time.Second) + 80; octets > most {
				t.Fatalf("seed %d: after %v no more than %d octets have left, not %d", seed, d.at-began, most, octets)
			}
		}
		if len(s.l.turns) > 0 || len(s.l.control.frames) > 0 {
			t.Errorf("seed %d: in the end nothing waits: %d, %d", seed, len(s.l.turns), len(s.l.control.frames))
		}
	}
}

// TestSlowLinkServed: the shell lets go what waits when there is room, without anything else happening on the link, and other settings hold at once.
func TestSlowLinkServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveWith(t, Config{}, LinkConfig{Airtime: Airtime{Rate: 100}})
		d := s.station()
		d.say(mqttsn.Connect{ClientID: "valve7", ProtocolID: 1})
		time.Sleep(time.Second)
		d.say(mqttsn.Subscribe{MsgID: 1, TopicName: "cmd"})
		time.Sleep(time.Second)
		d.want("answers go at once", "CONNACK accepted", "SUBACK qos=0 topic=0x0401 msgid=1 accepted")
		say := func() {
			p, _, _ := s.b.Open(time.Now(), broker.Options{ClientID: "publisher"})
			for range 5 {
				p.Publish(time.Now(), []broker.Inbound{{Message: &broker.Message{Topic: "cmd", Payload: make([]byte, 93)}}})
			}
		}
		say() // each takes a second
		synctest.Wait()
		for i := range 5 {
			if got := len(d.got); got != i+1 {
				t.Errorf("after %d s %d messages have left, not %d", i, i+1, got)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		for len(d.got) > 0 {
			<-d.got
		}
		say()
		if _, err := s.g.Reconfigure("lan", LinkConfig{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := len(d.got); got != 5 {
			t.Errorf("without a limit nothing waits: %d of 5", got)
		}
		d.end.Close()
		s.stop()
	})
}

// TestOldAnswersAreLeftOut: where more is asked than there is time to answer, what leaves is what was asked within one and a half of T_retry. Without that, every answer waits until nobody waits for it.
func TestOldAnswersAreLeftOut(t *testing.T) {
	s := newSlow(t, Airtime{})
	for i := range 100 {
		s.say(fmt.Sprint("d", i), mqttsn.Connect{ClientID: fmt.Sprint("d", i), ProtocolID: 1})
	}
	s.l.configure(LinkConfig{Airtime: Airtime{Rate: 100, Duty: 1}}) // an octet a second, and sixty at first
	s.left, s.seen = nil, 0
	asked := map[string]time.Duration{}
	answers := 0
	for i := range 100 {
		id := fmt.Sprint("d", i)
		asked[id] = s.now.Sub(s.began)
		s.say(id, mqttsn.Pingreq{})
		s.pass(time.Second, func(d departure) {
			answers++
			if age := d.at - asked[d.to]; age > 15*time.Second {
				t.Errorf("%s is answered %v after it asked, when it has asked again", d.to, age)
			}
		})
	}
	if answers < 60 {
		t.Errorf("the time that there is is used: in 100 s 80 answers of two octets could leave, and %d did", answers)
	}
	if got := s.g.Counters().Links["lan"].Dropped[AirFull.String()]; got == 0 {
		t.Error("what is left out is counted")
	}
}
