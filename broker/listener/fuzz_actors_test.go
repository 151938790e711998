package listener

import (
	"strings"
	"testing"
	"testing/synctest"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/broker/topic"
)

// scene is a run of FuzzClients: what its clients do, and what they may be sent.
type scene struct {
	t         *testing.T
	h         *house
	actors    []*actor
	sessions  map[string]*account // by client id
	published int
}

// account is what a session may be sent.
type account struct {
	filters []string
	pure    bool            // filters is all: no octets were sent that may be a SUBSCRIBE by chance
	octets  []byte          // that were sent
	shares  bool            // it has been in a group, which may give a message again
	seen    map[string]bool // messages delivered for the first time, by payload
}

// actor is a client, with one connection at a time.
type actor struct {
	play *scene
	own  string // client id
	*client
	id        string // of this connection
	clean     bool
	greeted   bool
	ended     bool // DISCONNECT has come
	asked     uint16
	requests  map[uint16]string   // filters by packet identifier
	open      map[uint16]mqtt.QoS // deliveries that are not acknowledged
	released  map[uint16]bool     // PUBREL has come
	maximum   int                 // of open
	packetMax int
	aliasMax  uint16
	aliases   map[uint16]string
}

func newScene(t *testing.T, h *house) *scene {
	p := &scene{t: t, h: h, sessions: map[string]*account{}}
	for _, id := range []string{"c0", "c1", "c2"} {
		p.actors = append(p.actors, &actor{play: p, own: id, requests: map[uint16]string{}})
		p.sessions[id] = &account{pure: true, seen: map[string]bool{}}
	}
	return p
}

// connect opens a connection, having lost the one before.
func (a *actor) connect(id string, how byte, clean bool) {
	a.drop()
	*a = actor{play: a.play, own: a.own, id: id, clean: clean, client: a.play.h.dial(mqtt.V31 + mqtt.Version(how%3)), requests: map[uint16]string{},
		open: map[uint16]mqtt.QoS{}, released: map[uint16]bool{}, maximum: 65535, packetMax: 1 << 20, aliases: map[uint16]string{}}
	p := mqtt.Connect{Version: a.v, ClientID: id, CleanStart: clean, KeepAlive: uint16(how / 3 % 2 * 20)}
	if how&64 != 0 {
		p.Will = &mqtt.Will{Topic: "a/b", Payload: []byte("will"), QoS: mqtt.QoS(how % 3), Retain: how&128 != 0}
	}
	if a.v == mqtt.V5 {
		p.Props = &mqtt.Properties{SessionExpiry: []uint32{0, 5, broker.Never}[how/3%3], RequestProblemInfo: how & 1}
		p.Props.Mark(mqtt.PropSessionExpiry)
		p.Props.Mark(mqtt.PropRequestProblemInfo)
		if how&8 != 0 {
			a.maximum, a.packetMax, a.aliasMax = 2, 60, 2
			p.Props.ReceiveMaximum, p.Props.MaximumPacketSize, p.Props.TopicAliasMaximum = 2, 60, 2
			p.Props.Mark(mqtt.PropReceiveMaximum)
			p.Props.Mark(mqtt.PropMaximumPacketSize)
			p.Props.Mark(mqtt.PropTopicAliasMaximum)
		}
	}
	a.client.send(p.Append(nil))
}

func (a *actor) drop() {
	if a.client == nil {
		return
	}
	a.play.look(a)
	a.nc.Close()
	synctest.Wait()
	a.client = nil
}

// send sends a packet as a whole.
func (a *actor) send(b []byte) {
	if a.client == nil {
		return
	}
	s := a.play.sessions[a.id]
	s.octets = append(s.octets, b...)
	a.client.send(b)
}

// raw sends octets that may begin a packet of any kind.
func (a *actor) raw(b []byte) {
	if a.client != nil {
		a.play.sessions[a.id].pure = false
		a.send(b)
	}
}

// answer acknowledges what is open.
func (a *actor) answer() {
	for id := range a.released {
		a.acknowledge(mqtt.TypePubcomp, id, 0)
	}
	clear(a.released)
	for id, q := range a.open {
		t := mqtt.TypePuback
		if q == mqtt.ExactlyOnce {
			t = mqtt.TypePubrec
		}
		a.acknowledge(t, id, 0)
	}
}

func (a *actor) acknowledge(t mqtt.PacketType, id uint16, how byte) {
	if a.client == nil || id == 0 {
		return
	}
	var reason mqtt.ReasonCode
	if a.v == mqtt.V5 && how&128 != 0 && (t == mqtt.TypePuback || t == mqtt.TypePubrec) {
		reason = mqtt.UnspecifiedError
	}
	if t == mqtt.TypePuback && a.open[id] == mqtt.AtLeastOnce || t == mqtt.TypePubcomp || reason.Failed() {
		delete(a.open, id)
	}
	a.send(mqtt.AppendAck(nil, t, id, reason, a.v))
}

// look takes in what has come to everyone, to who has just acted last.
func (p *scene) look(acted *actor) {
	for _, a := range p.actors {
		if a != acted {
			a.takeAll()
		}
	}
	acted.takeAll()
}

func (a *actor) takeAll() {
	for a.client != nil {
		b := a.next()
		if b == nil {
			return
		}
		if !a.take(b) {
			a.play.t.Fatalf("to %s, %v as %s, came % x", a.own, a.v, a.id, b)
		}
	}
}

// take takes in one packet and reports whether it may come.
func (a *actor) take(b []byte) bool {
	t := a.play.t
	h, err := mqtt.ParseHeader(b)
	if err != nil {
		t.Errorf("the server sends packets: %v", err)
		return false
	}
	body := b[h.Size:]
	switch {
	case !a.greeted && h.Type() != mqtt.TypeConnack:
		t.Error("CONNACK comes first")
		return false
	case a.ended:
		t.Error("nothing comes after DISCONNECT")
		return false
	case len(b) > a.packetMax:
		t.Errorf("no packet is larger than the client takes: %d octets", len(b))
		return false
	}
	switch h.Type() {
	case mqtt.TypeConnack:
		return a.connack(h.First, body)
	case mqtt.TypePublish:
		return a.delivery(h.First, body)
	case mqtt.TypePuback, mqtt.TypePubrec, mqtt.TypePubrel, mqtt.TypePubcomp:
		var p mqtt.Ack
		if p, err = mqtt.ParseAck(h.First, body, a.v); p.Type == mqtt.TypePubrel {
			a.released[p.ID] = true
		}
	case mqtt.TypeSuback:
		var s mqtt.Suback
		if s, err = mqtt.ParseSuback(h.First, body, a.v); err == nil && !s.Codes[0].Failed() && a.requests[s.ID] != "" {
			session := a.play.sessions[a.id]
			filter, shared := topic.Unshared(a.requests[s.ID])
			session.filters, session.shares = append(session.filters, filter), session.shares || shared
		}
	case mqtt.TypeUnsuback:
		_, err = mqtt.ParseUnsuback(h.First, body, a.v)
	case mqtt.TypePingresp:
		err = mqtt.ParsePing(h.First, body, a.v)
	case mqtt.TypeDisconnect:
		a.ended = true
		_, err = mqtt.ParseDisconnect(h.First, body, a.v)
		if a.v != mqtt.V5 {
			t.Error("a server sends DISCONNECT in MQTT 5 only")
			return false
		}
	default:
		t.Errorf("no server sends %v", h.Type())
		return false
	}
	if err != nil {
		t.Errorf("the server sends well-formed packets: %v", err)
	}
	return err == nil
}

func (a *actor) connack(first byte, body []byte) bool {
	c, err := mqtt.ParseConnack(first, body, a.v)
	if err != nil || a.greeted {
		a.play.t.Errorf("there is one CONNACK, and it is well-formed: %v", err)
		return false
	}
	a.greeted = true
	if c.SessionPresent && a.clean {
		a.play.t.Error("after a clean start there is no session")
		return false
	}
	if !c.SessionPresent && (a.v != mqtt.V31 || a.clean) { // MQTT 3.1 does not tell
		seen := a.play.sessions[a.id].seen
		a.play.sessions[a.id] = &account{pure: true, seen: seen}
	}
	return true
}

func (a *actor) delivery(first byte, body []byte) bool {
	t := a.play.t
	p, err := mqtt.ParsePublish(first, body, a.v)
	if err != nil {
		t.Errorf("deliveries are well-formed: %v", err)
		return false
	}
	name := string(p.Topic)
	if p.Props.Has(mqtt.PropTopicAlias) {
		if name == "" {
			name = a.aliases[p.Props.TopicAlias]
		}
		a.aliases[p.Props.TopicAlias] = name
	}
	payload := string(p.Payload)
	_, to, named := strings.Cut(payload, "to:")
	session := a.play.sessions[a.id]
	switch {
	case p.Props.Has(mqtt.PropTopicAlias) && p.Props.TopicAlias > a.aliasMax:
		t.Errorf("no alias is above %d: %d", a.aliasMax, p.Props.TopicAlias)
	case named && session.pure && to != name:
		t.Errorf("a message comes under the topic that it was published to: %s and not %s", to, name)
	case name == "":
		t.Error("an alias that comes alone has come with its topic before")
	case !fence(a.id).MayRead(name):
		t.Errorf("%s is sent nothing that it may not read: %s", a.id, name)
	case strings.HasPrefix(name, "closed"):
		t.Errorf("nobody is sent what nobody may write: %s", name)
	case !session.subscribed(name):
		t.Errorf("%s is sent nothing that its session has not subscribed to: %s of %q", a.id, name, session.filters)
	}
	if named && !p.Retain && !p.Dup {
		if session.seen[payload] && session.pure && !session.shares {
			t.Errorf("%s is sent no message twice: %s", a.id, payload)
		}
		session.seen[payload] = true
	}
	if p.QoS > 0 {
		a.open[p.ID] = p.QoS
		if len(a.open) > a.maximum {
			t.Errorf("no more than %d deliveries are open: %d", a.maximum, len(a.open))
		}
	}
	return !t.Failed()
}

// subscribed reports whether the session may have asked for a topic.
func (s *account) subscribed(name string) bool {
	all := s.filters
	if !s.pure {
		for _, f := range filters(s.octets) {
			plain, _ := topic.Unshared(f)
			all = append(all, plain)
		}
	}
	for _, f := range all {
		if topic.Match(f, name) {
			return true
		}
	}
	return false
}
