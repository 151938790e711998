package gateway

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"midge/mqttsn"
)

func TestWildcard(t *testing.T) {
	for _, row := range []struct {
		pattern, s string
		want       bool
	}{
		{"valve7", "valve7", true}, {"valve7", "valve70", false}, {"valve7", "xvalve7", false},
		{"*", "", true}, {"*", "anything", true}, {"valve-*", "valve-", true}, {"valve-*", "pump-1", false},
		{"*-end", "the-end", true}, {"*-end", "the-end-", false}, {"a*b*c", "a1b2b3c", true}, {"a*b*c", "a1c", false},
		{"?", "x", true}, {"?", "", false}, {"v?lve", "valve", true}, {"v?lve", "vlve", false}, {"**a", "ba", true},
		{"", "", true}, {"", "x", false},
	} {
		if got := wildcard(row.pattern, row.s); got != row.want {
			t.Errorf("pattern %q and %q: %t is right, got %t", row.pattern, row.s, row.want, got)
		}
	}
}

func TestAllowedAddresses(t *testing.T) {
	a := newAllowed(&LinkConfig{AllowAddresses: []string{"192.0.2.0/24", "2001:db8::1", "198.51.100.9", "0013a2*", "fw/0a*"}})
	for _, row := range []struct {
		text, node string
		wrapped    bool
		want       bool
	}{
		{"192.0.2.77:1883", "", false, true},
		{"192.0.3.77:1883", "", false, false},
		{"192.0.2.77:1883 (sensor-7)", "", false, true}, // as DTLS names its peers
		{"192.0.3.77:1883 (192.0.2.7:1)", "", false, false},
		{"[::ffff:192.0.2.7]:1883", "", false, true},
		{"[2001:db8::1]:99", "", false, true},
		{"[2001:db8::2]:99", "", false, false},
		{"198.51.100.9:1", "", false, true},
		{"0013a20040000001", "", false, true},
		{"0014a20040000001", "", false, false},
		{"fw", "\x0a\x01", true, true},
		{"fw", "\x0b\x01", true, false},
		{"192.0.2.77:1883", "\x0b", true, true}, // the forwarder is allowed, and so is all behind it
	} {
		if got := a.address(row.text, &peer{node: row.node, wrapped: row.wrapped}); got != row.want {
			t.Errorf("%s node %x: %t is right, got %t", row.text, row.node, row.want, got)
		}
	}
	if none := newAllowed(&LinkConfig{}); !none.client("x") || !none.address("y", &peer{}) {
		t.Error("an empty list allows everyone")
	}
}

// TestLoginDoesNotBlock: while one device's password is checked the link serves the others.
func TestLoginDoesNotBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, l Login) Verdict {
			select {
			case <-time.After(5 * time.Second):
			case <-ctx.Done():
			}
			return Verdict{OK: string(l.Password) == "right", Username: l.Username}
		}
		s := serveWith(t, Config{}, LinkConfig{Auth: slow})
		one, two := s.station(), s.station()
		one.say(mqttsn.Connect{ClientID: "one", ProtocolID: 1, Duration: 60})
		one.say(mqttsn.PlainAuth("alice", "right"))
		two.say(mqttsn.SearchGw{})
		one.want("nobody is let in before the password was checked")
		two.want("the link serves others meanwhile", "GWINFO gwid=0")
		time.Sleep(5 * time.Second)
		one.want("then the device is", "CONNACK accepted")
		if d := s.g.Devices(); len(d) != 1 || d[0].User != "alice" {
			t.Errorf("the device shows its user: %+v", d)
		}
		two.say(mqttsn.Connect{ClientID: "two", ProtocolID: 1, Duration: 60})
		two.say(mqttsn.PlainAuth("alice", "wrong"))
		time.Sleep(5 * time.Second)
		two.want("a wrong password is refused", "CONNACK not-supported")
		two.say(mqttsn.Connect{ClientID: "two", ProtocolID: 1, Duration: 60})
		two.say(mqttsn.PlainAuth("alice", "right"))
		s.stop() // while it is being checked
		one.want("the end of the link is told to nobody")
		two.want("the end of the link is told to nobody")
		one.end.Close()
		two.end.Close()
	})
}

// TestLoginsAreBounded: who floods a link with CONNECT is told to come later, and nothing is kept for him.
func TestLoginsAreBounded(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{Auth: func(context.Context, Login) Verdict { return Verdict{OK: true} }, RetryCount: -1})
	address := func(i int) string { return string([]byte{byte(i >> 8), byte(i)}) }
	for i := range loginsMax {
		r.want("a login begins in silence", r.from(address(i), connectAs("d")))
	}
	for i := range checksMax {
		r.want("AUTH is not answered at once", r.from(address(i), mqttsn.PlainAuth("u", "p")))
	}
	if got := r.from(address(checksMax), mqttsn.PlainAuth("u", "p")); len(got) != 1 {
		t.Errorf("a check too many is refused: got %q", got)
	}
	r.from(address(checksMax), connectAs("d"))
	if got := r.from(address(loginsMax), connectAs("d")); len(got) != 1 || len(r.l.logins) != loginsMax {
		t.Errorf("a login too many is refused: got %q, %d logins", got, len(r.l.logins))
	}
	r.l.Advance(r.now.Add(10 * time.Second))
	if got := len(r.l.logins); got != checksMax {
		t.Errorf("those who have not sent AUTH are forgotten, not those that are being checked: %d remain", got)
	}
	for _, c := range r.l.takeChecks() {
		r.l.judged(c.of, Verdict{OK: true})
	}
	if len(r.l.logins) != 0 || r.l.checking != 0 || len(r.l.awaited) != 0 {
		t.Errorf("nothing is left of them: %d logins, %d checks, %d awaited", len(r.l.logins), r.l.checking, len(r.l.awaited))
	}
}

// TestLoginsThatFailLeaveNothing: who fails again and again within the time of one login does not make the link remember each attempt.
func TestLoginsThatFailLeaveNothing(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{Auth: func(context.Context, Login) Verdict { return Verdict{OK: true} }})
	for range 4 * loginsMax {
		r.want("a login begins in silence", r.from("guesser", connectAs("d")))
		r.want("AUTH by an unknown method is refused at once", r.from("guesser", mqttsn.Auth{Method: "MAGIC"}), "guesser< CONNACK not-supported")
	}
	if len(r.l.logins) != 0 || len(r.l.awaited) > 2*loginsMax {
		t.Errorf("logins that are over are forgotten: %d logins, %d of %d remembered", len(r.l.logins), len(r.l.awaited), 4*loginsMax)
	}
}

// TestReconfigure: who may stay, stays; who may not is told.
func TestReconfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Config{Predefined: []Predefined{{Client: "*", ID: 1, Topic: "old"}}})
		valve, pump := s.station(), s.station()
		valve.say(mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60})
		pump.say(mqttsn.Connect{ClientID: "pump1", ProtocolID: 1, Duration: 60})
		valve.want("both are in", "CONNACK accepted")
		pump.want("both are in", "CONNACK accepted")
		if gone, err := s.g.Reconfigure("lan", LinkConfig{AllowClients: []string{"valve*"}}); err != nil || gone != 1 {
			t.Fatalf("one client may not stay: got %d, %v", gone, err)
		}
		pump.want("a client that is not on the list any more is told", "DISCONNECT")
		valve.want("one that is on it is not")
		pump.say(mqttsn.Connect{ClientID: "pump1", ProtocolID: 1, Duration: 60})
		pump.want("and cannot come back", "CONNACK not-supported")

		valve.say(mqttsn.Publish{QoS: 1, TopicIDType: mqttsn.Predefined, TopicID: 2, MsgID: 1})
		valve.want("an id that was not agreed is not known", "PUBACK topic=0x0002 msgid=1 invalid-topic-id")
		s.g.SetPredefined([]Predefined{{Client: "*", ID: 2, Topic: "new"}})
		valve.say(mqttsn.Publish{QoS: 1, TopicIDType: mqttsn.Predefined, TopicID: 2, MsgID: 2})
		valve.say(mqttsn.Publish{QoS: 1, TopicIDType: mqttsn.Predefined, TopicID: 1, MsgID: 3})
		valve.want("the new list counts, and only it", "PUBACK topic=0x0002 msgid=2 accepted", "PUBACK topic=0x0001 msgid=3 invalid-topic-id")

		s.g.Review(func(link, id, user string) bool { return link != "lan" || id != "valve7" || user != "" })
		valve.want("a review sends away who may not stay", "DISCONNECT")
		if _, err := s.g.Reconfigure("radio", LinkConfig{}); err == nil {
			t.Error("a link that is not served cannot be given settings")
		}
		s.stop()
		if _, err := s.g.Reconfigure("lan", LinkConfig{}); err == nil {
			t.Error("nor can one that has ended")
		}
		valve.end.Close()
		pump.end.Close()
	})
}

// TestSentAwayWithWill: the will of a client that may not stay is published, and one that sleeps or has moved on is not disturbed for nothing.
func TestSentAwayWithWill(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60, Will: true})
	r.from("dev", mqttsn.WillTopic{Topic: "will"})
	r.from("dev", mqttsn.WillMsg{Data: []byte("gone")})
	r.g.runs["lan"] = true
	r.g.Review(func(string, string, string) bool { return false })
	if got := r.g.Devices()[0].State; got != Lost {
		t.Errorf("it counts as lost: got %s", got)
	}
	if got := r.l.counters.dropped[NotAllowed]; got != 1 {
		t.Errorf("it is counted: got %d", got)
	}
	frames := r.l.frames()
	if len(frames) != 1 || describe("lan", frames[0]) != "dev< DISCONNECT" {
		t.Errorf("it is told: got %d frames", len(frames))
	}
}
