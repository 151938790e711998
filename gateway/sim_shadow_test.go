package gateway

import (
	"fmt"
	"time"

	"midge/broker"
	"midge/mqttsn"
)

// shadow is what the gateway must believe of a device, by the frames that it has been given and those that it has sent, and what it owes the device by what its
// broker has routed. It knows nothing of the gateway's insides.
type shadow struct {
	d *dev

	state     State // Active, Asleep, Awake or Disconnected
	clean     bool  // of the last CONNECT
	connected bool  // CONNACK was sent
	asked     bool  // it is being asked for its will
	half      bool  // it has given the topic
	former    standing
	aside     time.Time // since when its will handshake is set aside, zero = it is not
	due       bool      // CONNACK is: CONNECT was heard, or the will that it asked for
	lapsed    lapse

	wantsClean bool // by the last CONNECT, which clean has to follow yet if it asks for the will

	waits     map[mqttsn.Type]time.Time // the answers that are due, since when
	falling   bool                      // DISCONNECT with a duration was heard and is not confirmed
	pinged    bool                      // PINGREQ was heard and PINGRESP not sent
	doubt     bool                      // the process has ended since: what was acknowledged lately may come again
	lastHeard time.Time
	where     // as far as the gateway knows
	moved     moved

	asks      map[uint16]string // SUBSCRIBE heard, by MsgID
	published map[uint16]string // the last payload of each MsgID, if somebody reads it
	filters   map[string]uint8  // subscriptions that were confirmed, and at which QoS
	copies    []copied          // messages for it, in the order in which they were routed
	at        map[string]int    // their places, by payload
	base      int               // copies that were forgotten before the first
	mark      int               // those before it were routed before PINGREQ

	open     int // the place of the message that is being sent to it at QoS 1 or 2, -1 = none
	openID   uint16
	strange  bool // what is open was not routed since it subscribed: it is retained, or deletes that
	before   int  // the one that was when the process ended: PUBREL may follow without another PUBLISH
	beforeID uint16
	register bool      // a REGISTER is not answered
	clear    time.Time // since when PINGRESP is due

	diedConnected bool
	diedAt        time.Time
	diedWills     int
}

func newShadow(d *dev) shadow {
	return shadow{d: d, state: Disconnected, open: -1, before: -1, asks: map[uint16]string{}, published: map[uint16]string{}, filters: map[string]uint8{}, at: map[string]int{}, waits: map[mqttsn.Type]time.Time{}}
}

// copied is a message for the device.
type copied struct {
	payload string
	qos     uint8
	safe    bool // its publisher has an acknowledgement
	done    bool
}

// pingPatience is how long a PINGRESP may wait for commits.
const pingPatience = 10 * time.Second

// heard is a frame of the device that the gateway is about to handle.
func (s *shadow) heard(at *place, from peer, raw []byte) {
	s.d.record('>', raw)
	t, err := mqttsn.PeekType(raw)
	if err != nil || !s.says(at, from, t, raw) {
		return
	}
	s.overdue()
	switch t {
	case mqttsn.TypeConnect, mqttsn.TypeWillTopic, mqttsn.TypeWillMsg:
	default:
		s.goesOn()
	}
	if t == mqttsn.TypePublish {
		p, err := mqttsn.DecodePublish(raw)
		if err != nil {
			return
		}
		s.asksBy(p)
		if p.QoS > mqttsn.AtMostOnce && len(s.d.readers) > 0 {
			s.published[p.MsgID] = string(p.Data)
		}
		return
	}
	p, err := mqttsn.Decode(raw)
	if err != nil {
		return
	}
	s.asksBy(p)
	switch p := p.(type) {
	case mqttsn.Connect:
		s.connects(p)
	case mqttsn.Subscribe:
		s.asks[p.MsgID] = p.TopicName
		s.d.asksForSetting(p.TopicName)
	case mqttsn.Disconnect:
		if s.asked && p.HasDuration && p.Duration > 0 {
			break // nobody goes to sleep in the middle of a first CONNECT, see link.disconnect
		}
		s.pinged = false
		if p.HasDuration && p.Duration > 0 {
			s.state, s.falling = Asleep, true
			break
		}
		s.state, s.connected = Disconnected, false
	case mqttsn.Pingreq:
		if s.state == Asleep {
			s.state, s.falling = Awake, false
			// It has not waited for DISCONNECT, and awake it would take that for a dismissal (§6.14: the confirmation brings it to sleep, from which PINGREQ wakes it). If the two
			// came in the wrong order, it asks again.
			delete(s.waits, mqttsn.TypeDisconnect)
		}
		if s.state == Awake && !s.pinged {
			s.pinged, s.mark = true, s.base+len(s.copies)
			s.clear = time.Time{}
		}
	case mqttsn.Puback:
		s.strange = s.strange && p.MsgID != s.openID
		if p.Code == mqttsn.Accepted && s.open >= 0 && p.MsgID == s.openID {
			s.finish(1)
		}
	case mqttsn.Pubcomp:
		s.strange = s.strange && p.MsgID != s.openID
		if c := s.copy(s.before); c != nil && p.MsgID == s.beforeID {
			c.done, s.before = true, -1
		}
		if s.open >= 0 && p.MsgID == s.openID {
			s.finish(2)
		}
	case mqttsn.Regack:
		s.register = false
	case mqttsn.WillTopic:
		if p.Empty {
			s.through()
		}
	case mqttsn.WillMsg:
		if s.half {
			s.through()
		}
	}
}

// says reports whether the gateway can know that it is this device: by its client id, or by the address where it was heard with it.
func (s *shadow) says(at *place, from peer, t mqttsn.Type, raw []byte) bool {
	if s.place == at && s.from == from {
		return true
	}
	if t != mqttsn.TypeConnect && (t != mqttsn.TypePingreq || len(raw) == 2 || s.state != Asleep && s.state != Awake) {
		return false
	}
	s.moves(where{at, from})
	return true
}

// overdue takes note that the device was heard, and that it was lost before if that took too long.
func (s *shadow) overdue() {
	now := s.d.w.now
	if now.Sub(s.since()) >= s.patience() {
		s.connected, s.former = false, standing{}
	}
	s.lastHeard = now
}

// since is when the gateway has heard the device last, or could first hear it.
func (s *shadow) since() time.Time {
	if began := s.d.w.box.since; s.lastHeard.Before(began) {
		return began
	}
	return s.lastHeard
}

// patience is the silence after which the gateway may take the device for lost.
func (s *shadow) patience() time.Duration {
	h := &s.d.habits
	awake, asleep := tolerance(uint16(h.keepAlive/time.Second)), tolerance(uint16(h.sleep/time.Second))
	switch {
	case h.sleep == 0:
		return awake
	case s.state == Asleep && !s.falling:
		return asleep
	}
	return min(awake, asleep)
}

// finish is the device's last word on the message that is open, if that has this QoS.
func (s *shadow) finish(qos uint8) {
	c := s.copy(s.open)
	if c == nil {
		s.open = -1
		return
	}
	if c.qos == qos {
		c.done, s.open = true, -1
		s.trim()
	}
}

func (s *shadow) copy(place int) *copied {
	if i := place - s.base; i >= 0 && i < len(s.copies) {
		return &s.copies[i]
	}
	return nil
}

// trim forgets the copies in front that are done, if there are many.
func (s *shadow) trim() {
	if len(s.copies) < 64 || !s.copies[0].done {
		return
	}
	n := 0
	for n < len(s.copies)-32 && s.copies[n].done {
		delete(s.at, s.copies[n].payload)
		n++
	}
	s.copies = append(s.copies[:0], s.copies[n:]...)
	s.base += n
}

// matched is a message that the broker has now, which matches a filter.
func (s *shadow) matched(m *broker.Message, filter string) {
	if granted, ok := s.filters[filter]; ok {
		s.routed(string(m.Payload), min(uint8(m.QoS), granted))
	}
}

// routed is a message that matches a subscription of the device, now that the broker has it.
func (s *shadow) routed(payload string, qos uint8) {
	if i, again := s.at[payload]; again {
		if c := s.copy(i); c != nil && !c.done {
			return
		}
	}
	s.at[payload] = s.base + len(s.copies)
	s.copies = append(s.copies, copied{payload: payload, qos: qos})
}

// isSafe is the acknowledgement that the publisher of a message has.
func (s *shadow) isSafe(payload string) {
	if i, ok := s.at[payload]; ok {
		if c := s.copy(i); c != nil {
			c.safe = true
		}
	}
}

// sent is a frame that the gateway sends to the device.
func (s *shadow) sent(raw []byte) {
	s.d.record('<', raw)
	t, err := mqttsn.PeekType(raw)
	if err != nil {
		s.d.w.fault(s.d, "it is sent what is no message: %x", raw)
		return
	}
	if s.state == Asleep {
		switch t {
		case mqttsn.TypePublish, mqttsn.TypeRegister, mqttsn.TypePubrel, mqttsn.TypePingreq, mqttsn.TypePingresp:
			s.d.w.fault(s.d, "it sleeps and is sent %v", t)
		}
	}
	s.answers(t)
	switch t {
	case mqttsn.TypePublish:
		s.publishes(raw)
	case mqttsn.TypeRegister:
		s.register = true
	case mqttsn.TypePingresp:
		s.flushed()
	case mqttsn.TypeWillTopicReq, mqttsn.TypeWillMsgReq:
		s.asksFor(t)
	case mqttsn.TypeConnack, mqttsn.TypeDisconnect, mqttsn.TypeSuback, mqttsn.TypePuback, mqttsn.TypePubrec:
		s.answered(raw)
	}
}

func (s *shadow) publishes(raw []byte) {
	p, err := mqttsn.DecodePublish(raw)
	if err != nil {
		s.d.w.fault(s.d, "it is sent a PUBLISH that is none: %v", err)
		return
	}
	place, known := s.at[string(p.Data)]
	c := s.copy(place)
	if p.QoS == mqttsn.AtMostOnce {
		if known && c != nil {
			c.done = true
		}
		return
	}
	if open := s.copy(s.open); open != nil && s.openID != p.MsgID && !open.done {
		s.d.w.fault(s.d, "one message at a time is sent: %q while %q is open", p.Data, open.payload)
	}
	s.register, s.open, s.openID = false, -1, p.MsgID
	s.strange = !known || c == nil
	if !s.strange {
		s.open = place
		c.done = false
	}
}

// pending is the first message that was routed before PINGREQ and is not done.
func (s *shadow) pending() *copied {
	for i := range s.copies {
		if c := &s.copies[i]; s.base+i < s.mark && !c.done {
			return c
		}
	}
	return nil
}

// flushed is PINGRESP.
func (s *shadow) flushed() {
	if s.state == Active {
		return
	}
	if !s.pinged {
		s.d.w.fault(s.d, "PINGRESP comes without PINGREQ")
	}
	if c := s.pending(); c != nil {
		s.d.w.fault(s.d, "PINGRESP comes while %q is pending", c.payload)
	}
	if c := s.copy(s.open); c != nil && !c.done {
		s.d.w.fault(s.d, "PINGRESP comes while %q is open", c.payload)
	}
	s.state, s.pinged, s.doubt = Asleep, false, false
}

// answered takes note of an answer.
func (s *shadow) answered(raw []byte) {
	p, err := mqttsn.Decode(raw)
	if err != nil {
		s.d.w.fault(s.d, "it is sent what is no message: %v", err)
		return
	}
	switch p := p.(type) {
	case mqttsn.Connack:
		if p.Code != mqttsn.Accepted || !s.due && !s.asked {
			return // said again: a copy of WILLMSG is answered so
		}
		if s.asked {
			s.state = Active
		}
		s.confirmed()
	case mqttsn.Disconnect:
		if s.falling && s.due {
			s.confirmed() // it speaks for CONNACK too
		}
		if !s.falling && s.state != Disconnected {
			s.state = Disconnected // it is not known
			s.connected, s.pinged, s.former = false, false, standing{}
		}
		s.falling = false
	case mqttsn.Suback:
		if p.Code == mqttsn.Accepted && s.asks[p.MsgID] != "" {
			s.filters[s.asks[p.MsgID]] = uint8(p.QoS)
		}
	case mqttsn.Puback:
		if p.Code == mqttsn.Accepted {
			s.reportSafe(p.MsgID)
		}
	case mqttsn.Pubrec:
		s.reportSafe(p.MsgID)
	}
}

// forget is the end of a session.
func (s *shadow) forget() {
	s.base += len(s.copies)
	s.copies, s.open, s.before, s.register = s.copies[:0], -1, -1, false
	s.strange = false
	clear(s.at)
	clear(s.filters)
}

// reportSafe is an acknowledgement that the device has been sent: those who read its reports will get this one.
func (s *shadow) reportSafe(id uint16) {
	if payload := s.published[id]; payload != "" {
		for _, reader := range s.d.readers {
			reader.shadow.isSafe(payload)
		}
	}
}

// processEnds is a power cut, or the end of the process in order.
func (s *shadow) processEnds(orderly bool) {
	clear(s.waits)
	if !orderly {
		s.revives()
		s.movesBack()
	}
	s.moved = moved{}
	s.d.heeds.last = -1 // what is not acknowledged may be gone, and is published again
	s.goesOn()          // an open will handshake does not survive
	if s.falling {      // it was not confirmed, so it need not be known
		s.state, s.falling = Active, false
	}
	if s.state == Awake {
		s.state = Asleep
	}
	if s.open >= 0 {
		s.before, s.beforeID = s.open, s.openID
	}
	s.pinged, s.asked, s.doubt, s.open, s.register = false, false, true, -1, false
	s.strange, s.half, s.due, s.aside = false, false, false, time.Time{}
	for i := range s.copies {
		if c := &s.copies[i]; !c.safe || c.qos == 0 {
			c.done = true // it may be gone
		}
	}
}

// look is called now and then: a PINGRESP that is due comes.
func (s *shadow) look() {
	now := s.d.w.now
	s.answerDue()
	due := s.state == Awake && !s.place.scarce() && !s.strange && s.pinged && s.connected && s.pending() == nil && !s.register && !s.doubt
	if c := s.copy(s.open); c != nil && !c.done {
		due = false
	}
	switch {
	case !due:
		s.clear = time.Time{}
	case s.clear.IsZero():
		s.clear = now
	case now.Sub(s.clear) > pingPatience:
		s.d.w.fault(s.d, "PINGRESP does not come although nothing is pending since %v", s.clear.Sub(s.d.w.start))
		s.pinged = false
	}
}

// will is the device's will, published now.
func (s *shadow) will() {
	if silent, patience := s.d.w.now.Sub(s.since()), s.patience(); silent < patience {
		s.d.w.fault(s.d, "its will is published after %v of silence, not %v", silent, patience)
	}
	s.lapses()
}

func (s *shadow) dies() {
	s.diedConnected, s.diedAt, s.diedWills = s.connected && s.state != Disconnected, s.d.w.now, s.d.wills
}

// wasDead is called when a device that was silent for longer than its patience comes back.
func (s *shadow) wasDead() {
	if !s.d.habits.will || !s.diedConnected || s.d.w.box.since.After(s.diedAt) || !s.d.w.box.up || s.d.wills > s.diedWills {
		return
	}
	s.d.w.fault(s.d, "it was silent for %v, and its will is not published", s.d.w.now.Sub(s.lastHeard))
}

// note is a line of a device's trace.
type note struct {
	at   time.Time
	kind byte // '>' to the gateway, '<' from it, ' ' words
	data []byte
}

// notesMost is how long a trace is, notesAfter how much of it comes after the first fault.
const (
	notesMost  = 160
	notesAfter = 20
)

func (d *dev) note(format string, args ...any) {
	d.keep(note{d.w.now, ' ', fmt.Appendf(nil, format, args...)})
}

// record keeps a frame of the device's trace.
func (d *dev) record(kind byte, raw []byte) {
	if d.w.plan.traces {
		d.keep(note{d.w.now, kind, append([]byte(nil), raw...)})
	}
}

func (d *dev) keep(n note) {
	if d.notes > 0 && len(d.trace) >= d.notes {
		return
	}
	if d.notes == 0 && len(d.trace) >= 2*notesMost {
		d.trace = append(d.trace[:0], d.trace[notesMost:]...)
	}
	d.trace = append(d.trace, n)
}

func (d *dev) String() string {
	text := fmt.Sprintf("%s on %s, %+v, %+v:\n", d.id, d.place.name, d.habits, d.quality)
	for _, n := range d.trace[max(0, len(d.trace)-notesMost):] {
		what := string(n.data)
		if n.kind != ' ' {
			if p, err := mqttsn.Decode(n.data); err == nil {
				what = p.String()
			}
		}
		text += fmt.Sprintf("  %-14v %c %s\n", n.at.Sub(d.w.start).Round(time.Millisecond), n.kind, what)
	}
	return text
}
