package broker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"midge/broker/mqtt"
	"midge/broker/topic"
)

// TestModel plays random verbs of several clients to the core and to the model and compares all that comes out.
func TestModel(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			newPair(t, 3+int(seed)%40).play(3000, func(n int) int { return r.IntN(n) })
		})
	}
}

// FuzzVerbs takes the choices of TestModel from bytes. Run it with -fuzzminimizetime=1x: maps make its coverage differ from run to run, and the
// fuzzer would spend a minute on making each input smaller.
func FuzzVerbs(f *testing.F) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 2))
		b := make([]byte, 1000)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 2_000 {
			return
		}
		p := newPair(t, 5)
		for len(choices) > 0 {
			p.step(func(n int) int {
				if len(choices) == 0 {
					return 0
				}
				c := int(choices[0]) % n
				choices = choices[1:]
				return c
			})
		}
	})
}

// pair is the core and its model side by side.
type pair struct {
	t      testing.TB
	now    time.Time
	core   *Broker
	model  *model
	holds  map[string]*Session
	pick   func(n int) int // 0 <= pick(n) < n
	log    []string
	number int // of the last message
}

func newPair(t testing.TB, queueMax int) *pair {
	l := Limits{QueueMessages: queueMax}
	return &pair{t: t, now: time.Unix(1e9, 0), core: New(l), model: newModel(queueMax), holds: make(map[string]*Session)}
}

func (p *pair) play(steps int, pick func(n int) int) {
	for range steps {
		p.step(pick)
	}
}

var (
	modelNames   = []string{"a", "b", "c", "d"}
	modelTopics  = []string{"a", "b", "a/b", "a/b/c", "$S/a", "/", "a/"}
	modelFilters = []string{"a", "b", "a/b", "#", "+", "a/#", "+/b", "a/+/c", "$S/#", "+/+", "a/#/b", "a+", "$share/g/a/#", "$share/g/b", "$share/h/$S/#", "$share/h//"}
)

// step does one verb. Most steps publish, pull and answer; a few come and go.
func (p *pair) step(pick func(n int) int) {
	p.pick = pick
	p.now = p.now.Add(1) // no two clients are due at the same time, as their order would then be nobody's promise
	id := modelNames[p.pick(len(modelNames))]
	s, c := p.holds[id], p.model.clients[id]
	if s == nil {
		if p.pick(3) == 0 {
			p.wait()
		} else {
			p.open(id)
		}
		return
	}
	switch verb := p.pick(40); {
	case verb == 0:
		p.close(id, s, c)
	case verb == 1:
		p.open(id)
	case verb == 2:
		p.setWill(s, c)
	case verb == 3:
		p.unsubscribe(s, c)
	case verb <= 6:
		p.subscribe(s, c)
	case verb == 7:
		p.rest(s, c)
	case verb <= 8:
		p.wait()
	case verb <= 18:
		p.publish(s, c)
	case verb <= 21:
		p.release(s, c)
	case verb <= 30:
		p.next(s, c)
	default:
		p.answer(s, c)
	}
	p.core.check(p.t, p.log[len(p.log)-1])
	p.compareState()
}

func (p *pair) note(format string, args ...any) { p.log = append(p.log, fmt.Sprintf(format, args...)) }

// same fails the test with the last verbs that led here.
func (p *pair) same(what string, got, want any) {
	if got != want {
		p.t.Helper()
		p.t.Fatalf("%s is as the model has it:\n got %v\nwant %v\nafter\n\t%s", what, got, want, strings.Join(p.log[max(0, len(p.log)-40):], "\n\t"))
	}
}

func (p *pair) open(id string) {
	o := Options{ClientID: id, Protocol: "model", CleanStart: p.pick(4) == 0, SessionExpiry: []uint32{0, 10, 31, Never}[p.pick(4)],
		ReceiveMaximum: []uint16{0, 1, 2, 5}[p.pick(4)], Will: p.will()}
	p.note("%s opens clean=%v expiry=%d rmax=%d will=%v", id, o.CleanStart, o.SessionExpiry, o.ReceiveMaximum, o.Will != nil)
	old := p.holds[id]
	s, present, err := p.core.Open(p.now, o)
	p.same("the error of Open", err, nil)
	p.same("session present", present, p.model.open(p.now, o))
	p.holds[id] = s
	if old != nil {
		_, err := old.Next(p.now, nil)
		p.same("the answer to a hold that was taken over", err, ErrTakenOver)
	}
}

func (p *pair) close(id string, s *Session, c *modelClient) {
	lost := p.pick(2) == 0
	p.note("%s closes lost=%v", id, lost)
	p.same("the error of Close", s.Close(p.now, Closing{Lost: lost}), nil)
	p.model.leave(p.now, c, lost, false)
	delete(p.holds, id)
}

// wait lets time pass, with an Expire at each millisecond at which something is due.
func (p *pair) wait() {
	d := time.Duration(1+p.pick(5)) * time.Second / 2
	p.note("%v pass", d)
	for end := p.now.Add(d); p.now.Before(end); {
		p.now = p.now.Add(time.Millisecond)
		if p.due() {
			p.core.Expire(p.now)
			p.model.expire(p.now)
		}
	}
}

func (p *pair) due() bool {
	for _, c := range p.model.clients {
		if at := c.due(); !at.IsZero() && !p.now.Before(at) {
			return true
		}
	}
	return false
}

func (p *pair) message() *Message {
	p.number++
	m := &Message{Topic: modelTopics[p.pick(len(modelTopics))], QoS: mqtt.QoS(p.pick(3)), Retain: p.pick(6) == 0}
	if p.pick(8) > 0 {
		m.Payload = fmt.Append(nil, p.number)
	}
	if p.pick(8) == 0 {
		m.Expires = p.now.Add(time.Duration(1+p.pick(8)) * time.Second)
	}
	return m
}

func (p *pair) will() *Will {
	if p.pick(3) > 0 {
		return nil
	}
	m := p.message()
	m.Expires = time.Time{}
	return &Will{Message: m, Delay: time.Duration(p.pick(4)) * 7 * time.Second, Expiry: time.Duration(p.pick(3)) * 5 * time.Second}
}

func (p *pair) setWill(s *Session, c *modelClient) {
	c.will = p.will()
	p.note("%s sets its will to %v", c.id, c.will != nil)
	p.same("the error of SetWill", s.SetWill(c.will), nil)
}

func (p *pair) publish(s *Session, c *modelClient) {
	batch := make([]Inbound, 1+p.pick(4))
	for i := range batch {
		m := p.message()
		batch[i] = Inbound{Message: m}
		if m.QoS > 0 {
			batch[i].ID = uint16(1 + p.pick(5))
		}
		p.note("%s publishes %s qos=%d retain=%v id=%d %q", c.id, m.Topic, m.QoS, m.Retain, batch[i].ID, m.Payload)
	}
	busy, err := s.Publish(p.now, batch)
	p.same("the error of Publish", err, nil)
	p.same("whether a short queue is busy", busy != nil, false)
	for _, in := range batch {
		p.model.publish(p.now, c, in)
	}
}

func (p *pair) release(s *Session, c *modelClient) {
	id := uint16(1 + p.pick(5))
	p.note("%s releases %d", c.id, id)
	p.same("the error of Release", s.Release(id), nil)
	c.release(id)
}

// subscribe takes the order of the retained messages over from the core, as it is nobody's promise.
func (p *pair) subscribe(s *Session, c *modelClient) {
	sub := Subscription{Filter: modelFilters[p.pick(len(modelFilters))], QoS: mqtt.QoS(p.pick(3)), NoLocal: p.pick(4) == 0, RetainAsPublished: p.pick(3) == 0,
		RetainHandling: uint8(p.pick(3)), ID: uint32(p.pick(5))}
	p.note("%s subscribes %+v", c.id, sub)
	from := len(c.queue)
	reasons, err := s.Subscribe(p.now, []Subscription{sub})
	p.same("the error of Subscribe", err, nil)
	p.same("the reason for "+sub.Filter, reasons[0], p.model.subscribe(p.now, c, sub))
	p.same("the number of queued messages", s.st.queue.len(), len(c.queue))
	if topic.IsShared(sub.Filter) {
		return
	}
	var order []string
	for i := from; i < s.st.queue.len(); i++ {
		order = append(order, s.st.queue.at(i).msg.Topic)
	}
	slices.SortFunc(c.queue[from:], func(a, b modelCopy) int {
		return slices.Index(order, a.Message.Topic) - slices.Index(order, b.Message.Topic)
	})
}

func (p *pair) rest(s *Session, c *modelClient) {
	p.note("%s rests", c.id)
	p.same("the error of Rest", s.Rest(p.now), nil)
	c.resting = true
	p.model.recallAll(p.now, c)
}

func (p *pair) unsubscribe(s *Session, c *modelClient) {
	filter := modelFilters[p.pick(len(modelFilters))]
	p.note("%s unsubscribes %s", c.id, filter)
	reasons, err := s.Unsubscribe(p.now, []string{filter})
	p.same("the error of Unsubscribe", err, nil)
	p.same("the reason for "+filter, reasons[0], p.model.unsubscribe(p.now, c, filter))
}

func (p *pair) next(s *Session, c *modelClient) {
	n := p.pick(12)
	p.note("%s pulls %d", c.id, n)
	dst := make([]Outbound, n)
	k, err := s.Next(p.now, dst)
	p.same("the error of Next", err, nil)
	want := p.model.next(p.now, c, n)
	p.same("what Next gives to "+c.id, texts(dst[:k]), texts(want))
}

func texts(out []Outbound) (lines string) {
	for _, o := range out {
		o.SubscriptionIDs = slices.Sorted(slices.Values(o.SubscriptionIDs))
		lines += "\n\t" + o.text()
	}
	return lines
}

// answer acknowledges something that is in flight in one of the ways there are, at times a wrong one.
func (p *pair) answer(s *Session, c *modelClient) {
	id := uint16(p.pick(3))
	kind := p.pick(5)
	if len(c.flight) > 0 && p.pick(8) > 0 {
		f := c.flight[p.pick(len(c.flight))]
		id = f.out.ID
		if p.pick(8) > 0 {
			kind = [...]int{0, 0, 1}[f.out.QoS]
			if f.released {
				kind = 2
			}
		}
	}
	p.note("%s answers %d with %s", c.id, id, [...]string{"PUBACK", "PUBREC", "PUBCOMP", "a refusal", "nothing, too large"}[kind])
	switch kind {
	case 0:
		p.same("the error of Acked", s.Acked(id), c.acked(id))
	case 1:
		p.same("the error of Received", s.Received(id), c.got(id))
	case 2:
		p.same("the error of Completed", s.Completed(id), c.completed(id))
	case 3:
		p.same("the error of Refused", s.Refused(id), error(nil))
		c.refused(id)
	case 4:
		p.same("the error of Discard", s.Discard(id), error(nil))
		if i := c.find(id); i >= 0 {
			c.flight = slices.Delete(c.flight, i, i+1)
		}
	}
}

// compareState compares what the core holds with what the model does.
func (p *pair) compareState() {
	p.same("the number of sessions", len(p.core.sessions), len(p.model.clients))
	queued, flight := 0, 0
	for id, c := range p.model.clients {
		st := p.core.sessions[id]
		if st == nil {
			p.same("the session of "+id, "gone", "there")
		}
		p.same("the queue of "+id, queueTexts(st), modelTexts(c.queue))
		p.same("what is in flight to "+id, st.window.live, len(c.flight))
		p.same("who holds "+id, st.owner == p.holds[id], true)
		queued, flight = queued+len(c.queue), flight+len(c.flight)
	}
	p.same("the number of groups", len(p.core.groups), len(p.model.groups))
	for filter, g := range p.model.groups {
		st := p.core.groups[filter].st
		p.same("the backlog of "+filter, queueTexts(st), modelTexts(g.backlog))
		queued += len(g.backlog)
	}
	counters := p.core.Counters()
	p.same("the counted queue", counters.Queued, queued)
	p.same("the counted flight", counters.Inflight, flight)
	p.same("the number of retained messages, apart from expired ones that nobody has looked for,", p.retained(p.core), p.retained(nil))
}

// queueTexts and modelTexts name the messages that wait in a queue, in order.
func queueTexts(st *state) (text string) {
	for i := range st.queue.len() {
		text += " " + string(st.queue.at(i).msg.Payload)
	}
	return text
}

func modelTexts(queue []modelCopy) (text string) {
	for _, q := range queue {
		text += " " + string(q.Message.Payload)
	}
	return text
}

func (p *pair) retained(core *Broker) (n int) {
	for name, m := range p.model.retained {
		if core != nil {
			m, _ = core.retained.Get(name)
		}
		if m != nil && !m.expired(p.now) {
			n++
		}
	}
	return n
}
