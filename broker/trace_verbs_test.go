package broker

import (
	"fmt"
	"strings"

	"midge/broker/mqtt"
)

// verb runs one verb of a trace and writes what came out.
func (p *player) verb(h *hold, text string) {
	word, rest, _ := strings.Cut(text, " ")
	a := p.args(rest)
	if h.s == nil && word != "open" {
		p.t.Fatalf("line %d: %s has not been opened", p.line, h.name)
	}
	var err error
	switch word {
	case "open":
		err = h.open(a)
	case "publish":
		err = h.publish(Inbound{ID: uint16(a.number("id")), Message: a.message()})
	case "burst":
		err = h.burst(a)
	case "drain":
		err = h.drain(a)
	case "release":
		err = h.s.Release(a.ids()...)
	case "subscribe":
		err = h.subscribe(a)
	case "unsubscribe":
		err = h.unsubscribe(a)
	case "next":
		err = h.next(a)
	case "acks":
		err = h.acks()
	case "acked":
		err = h.s.Acked(a.ids()...)
	case "received":
		err = h.s.Received(a.ids()...)
	case "completed":
		err = h.s.Completed(a.ids()...)
	case "refused":
		err = h.s.Refused(a.ids()[0])
	case "discard":
		err = h.s.Discard(a.ids()[0])
	case "rest":
		err = h.s.Rest(h.p.now)
	case "setwill":
		err = h.s.SetWill(a.will())
	case "mark":
		h.mark, err = h.s.Mark()
	case "pending":
		err = h.pending()
	case "close":
		err = h.close(a)
	default:
		p.t.Fatalf("line %d: %q is no verb of a session", p.line, word)
	}
	if err != nil {
		p.say(h.name, "error: %v", err)
	}
}

func (h *hold) open(a args) error {
	o := Options{ClientID: h.name, Protocol: "trace", CleanStart: a.keys["clean"] == "true", SessionExpiry: a.expiry(),
		ReceiveMaximum: uint16(a.number("rmax")), Will: a.will(), Waker: h}
	if id, ok := a.keys["client"]; ok {
		o.ClientID = id
	}
	s, present, err := h.p.b.Open(h.p.now, o)
	if err != nil {
		return err
	}
	h.s = s
	h.p.say(h.name, "opened present=%v", present)
	return nil
}

// will is «will TOPIC PAYLOAD …» or the same without the first word; none without words.
func (a args) will() *Will {
	if len(a.words) > 0 && a.words[0] == "will" {
		a.words = a.words[1:]
	}
	if len(a.words) == 0 {
		return nil
	}
	return &Will{Message: a.message(), Delay: a.duration("delay"), Expiry: a.duration("lifetime")}
}

func (h *hold) publish(in ...Inbound) error {
	busy, err := h.s.Publish(h.p.now, in)
	if busy != nil {
		h.p.say(h.name, "busy")
		h.busy = append(h.busy, busy)
	}
	return err
}

// burst is «burst N TOPIC»: N messages in one Publish, numbered in their payload.
func (h *hold) burst(a args) error {
	in := make([]Inbound, a.count())
	a.words = append(a.words[1:], "") // a message has a payload
	for i := range in {
		h.p.payNum++
		in[i].Message = a.message()
		if a.number("size") == 0 {
			in[i].Message.Payload = fmt.Appendf(nil, "#%d", h.p.payNum)
		}
		if in[i].Message.QoS > 0 {
			in[i].ID = uint16(i%65535 + 1)
		}
	}
	return h.publish(in...)
}

// drain is «drain N»: up to N deliveries are pulled, answered if they are at QoS 1 (unless «open» is said), and summed up in one line.
func (h *hold) drain(a args) error {
	var first, last Outbound
	for n, all := 0, a.count(); ; {
		dst := make([]Outbound, all-n)
		k, err := h.s.Next(h.p.now, dst)
		if err != nil {
			return err
		}
		for _, o := range dst[:k] {
			if o.Kind != Publish {
				continue
			}
			if n++; n == 1 {
				first = o
			}
			last = o
			if o.QoS == mqtt.AtLeastOnce && !a.has("open") {
				h.s.Acked(o.ID)
			}
		}
		if k == 0 || n == all {
			h.p.say(h.name, "%d deliveries, from %s id=%d to %s id=%d", n, body(first.Message), first.ID, body(last.Message), last.ID)
			return nil
		}
	}
}

// count is the first word, a number.
func (a args) count() int { return int(args{p: a.p, words: a.words[:1]}.ids()[0]) }

func (h *hold) subscribe(a args) error {
	reasons, err := h.s.Subscribe(h.p.now, []Subscription{{Filter: a.words[0], QoS: mqtt.QoS(a.number("qos")), NoLocal: a.has("nl"), RetainAsPublished: a.has("rap"),
		RetainHandling: uint8(a.number("rh")), ID: uint32(a.number("id"))}})
	for _, r := range reasons {
		h.p.say(h.name, "SUBACK 0x%02x", uint8(r))
	}
	return err
}

func (h *hold) unsubscribe(a args) error {
	reasons, err := h.s.Unsubscribe(h.p.now, a.words)
	for _, r := range reasons {
		h.p.say(h.name, "UNSUBACK 0x%02x", uint8(r))
	}
	return err
}

// next is «next» or «next N».
func (h *hold) next(a args) error {
	size := 100
	if len(a.words) > 0 {
		size = int(a.ids()[0])
	}
	dst := make([]Outbound, size)
	n, err := h.s.Next(h.p.now, dst)
	h.show(dst[:n], err)
	return err
}

func (h *hold) acks() error {
	dst := make([]Outbound, 100)
	n, err := h.s.Acks(dst)
	h.show(dst[:n], err)
	return err
}

func (h *hold) show(out []Outbound, err error) {
	for _, o := range out {
		h.p.say(h.name, "%s", o.text())
	}
	if len(out) == 0 && err == nil {
		h.p.say(h.name, "nothing")
	}
}

func body(m *Message) string {
	switch {
	case m == nil:
		return "nothing"
	case len(m.Payload) > 60:
		return fmt.Sprintf("%dB", len(m.Payload))
	}
	return fmt.Sprintf("%q", m.Payload)
}

func (o *Outbound) text() string {
	if o.Kind != Publish {
		s := fmt.Sprintf("%s id=%d", []string{"", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP"}[o.Kind], o.ID)
		if o.Reason != mqtt.Success {
			s += fmt.Sprintf(" reason=0x%02x", uint8(o.Reason))
		}
		return s
	}
	s := fmt.Sprintf("PUBLISH %s %s qos=%d", o.Message.Topic, body(o.Message), o.QoS)
	if o.ID != 0 {
		s += fmt.Sprintf(" id=%d", o.ID)
	}
	if o.Dup {
		s += " dup"
	}
	if o.Retain {
		s += " retain"
	}
	if len(o.SubscriptionIDs) > 0 {
		s += " subscriptions=" + strings.Trim(strings.ReplaceAll(fmt.Sprint(o.SubscriptionIDs), " ", ","), "[]")
	}
	return s
}

func (h *hold) pending() error {
	pending, err := h.s.Pending(h.mark)
	if err == nil {
		h.p.say(h.name, "pending=%v", pending)
	}
	return err
}

func (h *hold) close(a args) error {
	c := Closing{Lost: a.has("lost")}
	if _, ok := a.keys["expiry"]; ok {
		e := a.expiry()
		c.SessionExpiry = &e
	}
	return h.s.Close(h.p.now, c)
}
