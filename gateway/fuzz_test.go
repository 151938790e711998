package gateway

import (
	"context"
	"testing"
	"time"

	"midge/broker"
	"midge/mqttsn"
	"midge/transports"
)

// FuzzReceive feeds frames from a few addresses, cut out of one string of octets, with time and messages from the broker between them. Nothing
// panics, and what the machine holds stays within its bounds.
func FuzzReceive(f *testing.F) {
	for _, packets := range [][]mqttsn.Packet{
		{mqttsn.Connect{ClientID: "a", ProtocolID: 1, Duration: 1}, mqttsn.Subscribe{QoS: 2, MsgID: 1, TopicName: "#"}, mqttsn.Regack{TopicID: 1025, MsgID: 1},
			mqttsn.Pubrec{MsgID: 1}, mqttsn.Pubcomp{MsgID: 1}, mqttsn.Puback{TopicID: 1025, MsgID: 1}, mqttsn.Disconnect{HasDuration: true, Duration: 1}, mqttsn.Pingreq{ClientID: "a"}},
		{mqttsn.Connect{ClientID: "b", ProtocolID: 1, Will: true}, mqttsn.WillTopic{Topic: "w"}, mqttsn.WillMsg{Data: []byte("x")},
			mqttsn.WillTopicUpd{Empty: true}, mqttsn.WillMsgUpd{}, mqttsn.Register{MsgID: 1, TopicName: "t"}, mqttsn.Publish{QoS: 2, TopicID: 1025, MsgID: 2, Data: []byte("x")},
			mqttsn.Pubrel{MsgID: 2}, mqttsn.Unsubscribe{MsgID: 1, TopicName: "#"}, mqttsn.Disconnect{}},
		{mqttsn.SearchGw{}, mqttsn.Advertise{GwID: 1}, mqttsn.Publish{QoS: -1, TopicIDType: mqttsn.Short, TopicID: 0x6162}, mqttsn.Pingreq{}},
	} {
		seedOf := func(more byte) (seed []byte) {
			for i, p := range packets {
				b := p.Append(nil)
				seed = append(append(seed, byte(i%4)|more, byte(len(b))), b...)
			}
			return seed
		}
		for _, mode := range []byte{0, modeAuth, modeStrict | modeNever, modeProbe | modeSameIdentity | modeAllow, modeOperator} {
			f.Add(append([]byte{mode}, seedOf(0)...))
		}
		f.Add(append([]byte{modeOperator}, seedOf(16)...))
		f.Add(append([]byte{modeOperator}, seedOf(16|32|64)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg := Config{GatewayID: 1, QoSMinusOne: true, InlineTopics: true, Limits: Limits{TopicIDs: 3, Known: 4}, Predefined: []Predefined{{Client: "*", ID: 1, Topic: "p"}}}
		if len(data) == 0 {
			return
		}
		mode := data[0]
		if mode&modeOperator != 0 {
			cfg.StateTopic = func(id string) string { return "t/" + id }
		}
		r := newRig(t, cfg, fuzzedLink(mode))
		r.l.identify, r.l.host = identity, host
		data = data[1:]
		s, _, _ := r.b.Open(r.now, broker.Options{ClientID: "publisher"})
		for len(data) >= 2 {
			control, n := data[0], min(int(data[1]), len(data)-2)
			frame := data[2 : 2+n]
			data = data[2+n:]
			r.now = r.now.Add(time.Duration(control>>3) * time.Second)
			r.l.Advance(r.now)
			r.b.Expire(r.now)
			r.l.Receive(r.now, &transports.Frame{Addr: transports.MakeAddr([]byte{control & 3}), Data: frame, Broadcast: control&4 != 0})
			for _, c := range r.l.takeChecks() {
				r.l.judged(c.of, Verdict{OK: control&16 == 0, Later: control&32 != 0, Username: c.login.Username})
			}
			if mode&modeOperator != 0 && control&16 != 0 {
				operate(r, control)
			}
			if control&8 != 0 {
				s.Publish(r.now, []broker.Inbound{{Message: &broker.Message{Topic: "t", QoS: 1, Payload: frame}}})
			}
			r.l.Pull(r.now)
			checkInvariants(t, r)
		}
	})
}

// What the first octet of an input switches on.
const (
	modeAuth = 1 << iota
	modeStrict
	modeProbe
	modeNever
	modeSameIdentity
	modeAllow
	modeEmptyID
	modeOperator // clients are kicked and subscribed, their states are published, some are not served
)

func fuzzedLink(mode byte) LinkConfig {
	lc := LinkConfig{Clients: 5, RetryCount: 1, MTU: 40, Strict: mode&modeStrict != 0, Probe: mode&modeProbe != 0, EmptyClientID: mode&modeEmptyID != 0}
	if mode&modeAuth != 0 {
		lc.Auth = func(context.Context, Login) Verdict { return Verdict{} }
	}
	if mode&modeNever != 0 {
		lc.Rebind = RebindNever
	} else if mode&modeSameIdentity != 0 {
		lc.Rebind = RebindSameIdentity
	}
	if mode&modeAllow != 0 {
		lc.AllowClients, lc.AllowAddresses = []string{"a*", "lan*"}, []string{"\x01", "\x02/*"}
	}
	if mode&modeOperator != 0 {
		lc.RegisterAfterSleep, lc.MountPoint = true, "m/%c/"
		lc.DenyClients, lc.DenyAddresses, lc.ClientAddresses = []string{"ab*"}, []string{"\x03/?"}, []ClientAddress{{"b", "\x02"}, {"*c", "\x01"}}
	}
	return lc
}

// operate does what an operator may do at any moment.
func operate(r *rig, control byte) {
	id := string([]byte{'a' + control&1})
	switch control >> 6 {
	case 0:
		r.g.subscribeFor(r.now, id, "#", 2)
	case 1:
		r.g.kick(r.now, id, control&32 != 0)
	}
	r.g.Details([]string{"*"})
}

// checkInvariants holds the machine's figures against what is really there.
func checkInvariants(t *testing.T, r *rig) {
	live, prompts := 0, 0
	for id, c := range r.g.sp.clients {
		if c.connected() {
			live++
		}
		if c.prompt != nil {
			prompts++
		}
		switch {
		case c.id != id:
			t.Fatalf("client %q stands under its id, not under %q", c.id, id)
		case c.x != nil && !c.connected():
			t.Fatal("an exchange needs a session")
		case (c.gone == nil) != (c.connected() || c.prompt != nil):
			t.Fatalf("a client is among the gone exactly when it has no session and no handshake; it is %s", c.shown())
		case c.place < 0 && r.l.next(c) != never:
			t.Fatalf("a client that waits for something has a deadline; it is %s", c.shown())
		case c.place >= 0 && c.due > r.l.next(c):
			t.Fatal("a deadline is never late")
		case !c.displaced && r.l.peers[c.peer] != c:
			t.Fatal("a client is found at its address")
		case c.state == Awake && !c.pinged, c.state == Asleep && c.pinged:
			t.Fatal("a client is awake exactly while its PINGREQ waits for PINGRESP")
		case !c.connected() && (c.promised != 0 || c.turn != nil):
			t.Fatal("who has no session is owed nothing")
		case c.connected() && !c.displaced && (c.promised != 0 || c.turn != nil):
			t.Fatal("without a store nobody waits for an answer")
		case c.listens() && c.x != nil && c.x.held:
			t.Fatal("without a store no exchange is held")
		case len(c.topics.entries) > r.g.sp.cfg.Limits.TopicIDs:
			t.Fatal("the topic table keeps its bound")
		}
	}
	if live != r.l.live || prompts != r.l.prompts || live+prompts > 5 {
		t.Fatalf("counts hold: %d live, counted %d; %d handshakes, counted %d", live, r.l.live, prompts, r.l.prompts)
	}
	if r.l.checking != 0 || len(r.l.logins) > len(r.l.awaited) {
		t.Fatalf("a login is being checked or has its time: %d checks, %d logins, %d in time", r.l.checking, len(r.l.logins), len(r.l.awaited))
	}
	if len(r.l.peers) > len(r.g.sp.clients) {
		t.Fatal("an address belongs to a client")
	}
	for _, f := range r.l.frames() {
		if _, err := mqttsn.Decode(f.Data); err != nil {
			if _, _, err := mqttsn.ParseEncapsulated(f.Data); err != nil {
				t.Fatalf("what goes out is well-formed: % x: %v", f.Data, err)
			}
		}
		if len(f.Data) > 40 {
			t.Fatalf("what goes out fits the link: %d octets", len(f.Data))
		}
	}
}
