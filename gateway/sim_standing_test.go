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
	clear(s.waits)
	s.state, s.clean, s.falling, s.pinged, s.connected, s.asked = Active, p.CleanSession, false, false, false, false
	s.dropQoS0()
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

// asksFor takes note that the will is asked for.
func (s *shadow) asksFor(t mqttsn.Type) {
	if !s.asked && s.connected { // the handshake is taken up again
		s.former = s.standing()
	}
	s.asked, s.half = true, t == mqttsn.TypeWillMsgReq
}

// goesOn takes note that a device that was connected sends something else than the will that it is asked for: it is what it was.
func (s *shadow) goesOn() {
	if f := s.former; s.asked && f.connected {
		s.state, s.clean, s.falling, s.pinged, s.connected, s.asked = f.state, f.clean, f.falling, f.pinged, true, false
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
