package gateway

import (
	"time"

	"midge/mqttsn"
)

// standing is what a device was before a CONNECT with a will, and is again if that turns out to be a late copy: see link.setAside.
type standing struct {
	state                  State
	clean, falling, pinged bool
	connected              bool // false: nothing
}

// connects is CONNECT: of one with a will nothing is sure before the will has come.
func (s *shadow) connects(p mqttsn.Connect) {
	switch {
	case !p.Will || !s.connected && !s.asked:
		s.former = standing{}
	case s.connected:
		s.former = s.standing()
	}
	s.wantsClean = p.CleanSession
	s.begins()
}

// begins is a session that CONNACK will confirm, if the will is not asked for first.
func (s *shadow) begins() {
	clear(s.waits)
	s.state, s.clean, s.falling, s.pinged, s.connected, s.asked = Active, s.wantsClean, false, false, false, false
	s.half, s.due, s.aside, s.lapsed = false, true, time.Time{}, lapse{}
	s.dropQoS0()
}

// through is the end of the will handshake, though the device does not know yet. Having been set aside makes no difference: what it was before is over now.
func (s *shadow) through() {
	if s.asked || !s.aside.IsZero() && s.d.w.now.Sub(s.aside) < s.d.w.retry() {
		s.former = standing{}
		s.begins()
	}
}

// confirmed is the first word of the gateway that the session has begun.
func (s *shadow) confirmed() {
	s.connected, s.asked, s.due, s.former = true, false, false, standing{}
	s.dropQoS0()
	if s.clean {
		s.forget()
	}
}

// dropQoS0 is for a session that may have been lost until now: then it has dropped what is not kept.
func (s *shadow) dropQoS0() {
	for i := range s.copies {
		if s.copies[i].qos == 0 {
			s.copies[i].done = true
		}
	}
}

func (s *shadow) standing() standing {
	return standing{s.state, s.clean, s.falling, s.pinged, s.connected}
}

// resume makes the device what it was.
func (s *shadow) resume(f standing) {
	s.state, s.clean, s.falling, s.pinged, s.connected, s.asked = f.state, f.clean, f.falling, f.pinged, f.connected, false
}

// asksFor takes note that the will is asked for.
func (s *shadow) asksFor(t mqttsn.Type) {
	if !s.asked && s.connected { // the handshake is taken up again
		s.former = s.standing()
	}
	s.asked, s.due, s.half, s.aside = true, false, t == mqttsn.TypeWillMsgReq, time.Time{}
}

// goesOn takes note that a device that was connected sends something else than the will that it is asked for: it is what it was. For T_retry the will may still come.
func (s *shadow) goesOn() {
	if s.asked && s.former.connected {
		s.resume(s.former)
		s.aside = s.d.w.now
	}
}

// lapse is a session that has ended by the device's silence.
type lapse struct {
	standing
	commits int // the disk's by then
}

// lapses is the end of the session.
func (s *shadow) lapses() {
	s.lapsed = lapse{s.standing(), s.d.w.count.commits}
	s.connected, s.state, s.former = false, Disconnected, standing{}
}

// revives undoes the end of a session that was not on the disk when the power went: the next process finds the device as it was, and gives it its full time to be heard.
func (s *shadow) revives() {
	if l := s.lapsed; l.connected && l.commits == s.d.w.count.commits {
		s.resume(l.standing)
	}
	s.lapsed = lapse{}
}

// where is an address.
type where struct {
	place *place
	from  peer
}

// moved is where a device was before it has moved.
type moved struct {
	where
	commits int // the disk's by then
}

// moves takes note of another address.
func (s *shadow) moves(to where) {
	if n := s.d.w.count.commits; s.moved.place == nil || s.moved.commits != n {
		s.moved = moved{s.where, n}
	}
	s.where = to
}

// movesBack is for a power cut: an address that was not on the disk is forgotten, and nobody knows who speaks from there before PINGREQ with the client id, or CONNECT.
func (s *shadow) movesBack() {
	if m := s.moved; m.place != nil && m.commits == s.d.w.count.commits {
		s.where = m.where
	}
}

// answerPatience is how long an answer may take: the commits of what it promises.
const answerPatience = 5 * time.Second

// asksBy takes note of a request of a device that is connected: it is answered, whatever else goes on.
func (s *shadow) asksBy(p mqttsn.Packet) {
	if !s.connected || s.state == Disconnected {
		return
	}
	var answer mqttsn.Type
	switch p := p.(type) {
	case mqttsn.Publish:
		if p.QoS < mqttsn.AtLeastOnce {
			return
		}
		answer = mqttsn.TypePuback
		if p.QoS == mqttsn.ExactlyOnce {
			answer = mqttsn.TypePubrec
		}
	case mqttsn.Pubrel:
		answer = mqttsn.TypePubcomp
	case mqttsn.Register:
		answer = mqttsn.TypeRegack
	case mqttsn.Subscribe:
		answer = mqttsn.TypeSuback
	case mqttsn.Disconnect:
		answer = mqttsn.TypeDisconnect
	case mqttsn.Pingreq:
		if s.state != Active {
			return // that is look's
		}
		answer = mqttsn.TypePingresp
	default:
		return
	}
	if _, before := s.waits[answer]; !before {
		s.waits[answer] = s.d.w.now
	}
	s.answerDue()
}

// answers takes note of what the device is sent.
func (s *shadow) answers(t mqttsn.Type) {
	switch t {
	case mqttsn.TypePuback:
		delete(s.waits, mqttsn.TypePubrec) // a refusal
	case mqttsn.TypeDisconnect:
		clear(s.waits)
	}
	delete(s.waits, t)
}

// answerDue checks that no answer is overdue.
func (s *shadow) answerDue() {
	if !s.connected || s.place.scarce() {
		clear(s.waits)
		return
	}
	for answer := mqttsn.Type(0); answer < mqttsn.NumTypes && len(s.waits) > 0; answer++ {
		if since, waits := s.waits[answer]; waits && s.d.w.now.Sub(since) > answerPatience {
			s.d.w.fault(s.d, "it is owed %v since %v", answer, since.Sub(s.d.w.start).Round(time.Millisecond))
			delete(s.waits, answer)
		}
	}
}
