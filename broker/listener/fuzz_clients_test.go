package listener

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// FuzzClients plays sequences of legal and illegal packets of three clients that come, go, lose their connections and take over each other's sessions.
// Whatever they do: what the server sends is well-formed and keeps to what the client allows; nobody is sent a message that his session has not subscribed to,
// that he may not read or that nobody may write, or the same message twice; and the server goes on serving.
func FuzzClients(f *testing.F) {
	for _, program := range programs() {
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 300 {
			return
		}
		in(t, Policy{MaximumPacketSize: 2048, ReceiveMaximum: 5, Auth: fences{}, PayloadFormatCheck: true}, broker.Limits{Subscriptions: 10, QueueMessages: 50}, func(h *house) {
			p := newScene(t, h)
			p.run(program)
			for _, a := range p.actors {
				a.drop()
			}
			synctest.Wait()
			last := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "last", CleanStart: true})
			last.subscribe("other", 0)
			serves(t, last)
			last.nc.Close()
		})
	})
}

// fences let everyone in. Below fenced/ID only ID may read, below closed nobody may write, and no/# may not be subscribed to.
type fences struct{}

func (fences) Login(time.Time, Login) (Verdict, func(context.Context) Verdict) {
	return Verdict{}, nil
}
func (fences) Enhanced(string, Login) Exchange         { return nil }
func (fences) Access(_, clientID string) broker.Access { return fence(clientID) }
func (fences) Stays(*Verdict) bool                     { return true }

type fence string

func (id fence) MayRead(topic string) bool {
	rest, fenced := strings.CutPrefix(topic, "fenced/")
	return !fenced || rest == string(id)
}
func (fence) MayWrite(topic string) bool      { return !strings.HasPrefix(topic, "closed") }
func (fence) MaySubscribe(filter string) bool { return filter != "no/#" }

var (
	fuzzTopics  = []string{"a", "a/b", "a/b/c", "other", "fenced/c0", "fenced/c1", "closed/x", "$x/a", "no/x", "busy/and/rather/long"}
	fuzzFilters = []string{"#", "a/#", "+/b", "a", "fenced/#", "fenced/+", "closed/#", "no/#", "$share/g/a/#", "$share/g/#", "$share/h/+", "busy/#", "$x/#", "a/b/c"}
	illegal     = [][]byte{{0x00, 0}, {0x20, 0}, {0xD0, 0}, {0x36, 5, 0, 1, 'a', 0, 1}, {0x30, 0}, {0x30, 3, 0, 1, '#'}, {0x60, 2, 0, 1}, {0x82, 2, 0, 1}, {0xC1, 0},
		{0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1}, {0x30, 0xFF, 0x7F}, {0xF0, 2, 0x18, 0}, {0xE0, 7, 0, 5, 0x11, 0, 0, 0, 9}, {0x32, 5, 0, 1, 'a', 0, 0}}
)

// The steps of a program: each is two octets, the first of which says who does what, the second how.
const (
	doConnect byte = iota
	doConnectClean
	doConnectAs // another's client id
	doDrop
	doDisconnect
	doSubscribe
	doUnsubscribe
	doPublish
	doPublishRetained
	doAnswer // everything that is open, as it should be
	doAcknowledge
	doPing
	doIllegal
	doRaw
	doWait
	doPublishAlias
	steps
)

// programs are the seeds: every step behind what makes sense of it, in every version, and sixty at random that mostly publish and answer.
func programs() (all [][]byte) {
	step := func(who int, what byte, how byte) []byte { return []byte{byte(who)<<4 | what, how} }
	for how := range byte(3) { // the version
		base := join(step(0, doConnect, how), step(1, doConnect, how+3), step(2, doConnectClean, how), step(0, doSubscribe, 0), step(1, doSubscribe, 16+1), step(2, doSubscribe, 32+8))
		for what := range steps {
			p := base
			for i := range byte(4) {
				p = join(p, step(0, what, i*7), step(1, doPublish, 64+i), step(1, what, i*40), step(2, doPublishAlias, i))
			}
			all = append(all, join(p, step(0, doAnswer, 0), step(1, doDrop, 0), step(0, doPublish, 129), step(1, doConnect, how), step(1, doAnswer, 0)))
		}
		all = append(all, join(base, step(0, doDrop, 0), step(1, doPublish, 64), step(1, doPublish, 130), step(0, doConnect, how), step(2, doConnectAs, 0), step(0, doConnectAs, 1), step(0, doWait, 200)))
	}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := join(step(0, doConnect, byte(r.Uint32())), step(1, doConnect, byte(r.Uint32())|8), step(2, doConnectClean, byte(r.Uint32())))
		for range 100 {
			what := []byte{doSubscribe, doPublish, doPublish, doPublish, doPublishRetained, doAnswer, doPublishAlias, byte(r.IntN(int(steps)))}[r.IntN(8)]
			if what == doIllegal || what == doRaw {
				what = doPing
			}
			p = join(p, step(r.IntN(3), what, byte(r.Uint32())))
		}
		all = append(all, p)
	}
	return all
}

// run plays a program.
func (p *scene) run(program []byte) {
	for ; len(program) >= 2 && !p.t.Failed(); program = program[2:] {
		a, how := p.actors[int(program[0]>>4)%len(p.actors)], program[1]
		what := program[0] & 15 % steps
		if a.client == nil && what > doConnectAs && what != doWait {
			continue
		}
		switch what {
		case doConnect:
			a.connect(a.own, how, false)
		case doConnectClean:
			a.connect(a.own, how, true)
		case doConnectAs:
			a.connect(p.actors[int(how)%len(p.actors)].own, how/4, how&128 != 0)
		case doDrop:
			a.drop()
		case doDisconnect:
			d := mqtt.Disconnect{Reason: mqtt.ReasonCode(how & 4)}
			a.send(d.Append(nil, a.v))
		case doSubscribe:
			a.subscribeTo(fuzzFilters[int(how&15)%len(fuzzFilters)], how)
		case doUnsubscribe:
			u := mqtt.Unsubscribe{ID: 1, Filters: []string{fuzzFilters[int(how&15)%len(fuzzFilters)]}}
			a.send(u.Append(nil, a.v))
		case doPublish, doPublishRetained, doPublishAlias:
			a.publishTo(fuzzTopics[int(how&15)%len(fuzzTopics)], mqtt.QoS(how>>6%3), what, how)
		case doAnswer:
			a.answer()
		case doAcknowledge:
			a.acknowledge([]mqtt.PacketType{mqtt.TypePuback, mqtt.TypePubrec, mqtt.TypePubrel, mqtt.TypePubcomp}[how&3], uint16(how>>2&7), how)
		case doPing:
			a.send(mqtt.AppendPingreq(nil))
		case doIllegal:
			a.raw(illegal[int(how)%len(illegal)])
		case doRaw:
			n := min(int(how%16), len(program)-2)
			a.raw(program[2 : 2+n])
			program = program[n:]
		case doWait:
			time.Sleep(time.Duration(how) * 500 * time.Millisecond)
		}
		p.look(a)
	}
}

// publishTo publishes a text that is like no other and names its topic.
func (a *actor) publishTo(topic string, qos mqtt.QoS, kind, how byte) {
	a.play.published++
	p := mqtt.Publish{Topic: []byte(topic), Payload: fmt.Appendf(nil, "message %d to:%s", a.play.published, topic), QoS: qos, Retain: kind == doPublishRetained}
	if how&128 != 0 {
		p.Payload = append(bytes.Repeat([]byte("."), 60), p.Payload...)
	}
	if qos > 0 {
		p.ID = uint16(1 + a.play.published%1000)
	}
	if a.v == mqtt.V5 && how&16 != 0 {
		p.Props = &mqtt.Properties{MessageExpiry: 3, User: []mqtt.UserProperty{{Name: "n", Value: "v"}}}
		p.Props.Mark(mqtt.PropMessageExpiry)
		p.Props.Mark(mqtt.PropUserProperty)
	}
	if a.v == mqtt.V5 && kind == doPublishAlias {
		p.Props = &mqtt.Properties{TopicAlias: uint16(1 + how&1)}
		p.Props.Mark(mqtt.PropTopicAlias)
		if how&32 != 0 {
			p.Topic, p.Payload = nil, []byte("who knows where to")
		}
	}
	a.send(p.Append(nil, a.v))
}

func (a *actor) subscribeTo(filter string, how byte) {
	a.asked++
	s := mqtt.Subscribe{ID: a.asked, Subscriptions: []mqtt.Subscription{{Filter: filter, QoS: mqtt.QoS(how >> 4 % 3)}}}
	if a.v == mqtt.V5 {
		s.Subscriptions[0].NoLocal = how&64 != 0 && !strings.HasPrefix(filter, "$share")
		s.Subscriptions[0].RetainAsPublished = how&128 != 0
	}
	a.requests[a.asked] = filter
	a.send(s.Append(nil, a.v))
}
