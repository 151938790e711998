package xbee

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"midge/transports"
)

// How long a radio is waited for. Command mode wants silence before and after "+++" (GT, one second from the factory).
const (
	answerIn   = time.Second
	probesMost = 3
	asksMost   = 2
	guardTime  = 1100 * time.Millisecond
	commandIn  = 3 * time.Second
	againAfter = 10 * time.Second // a radio that cannot be used is asked again
	watchEvery = 5 * time.Second  // has it joined a network?
)

// phase is how far the inquiry has come.
type phase uint8

const (
	probing  phase = iota // AP is asked, in an API frame that is the same in both modes
	guarding              // no answer: silence before command mode
	entering              // "+++" was sent
	reading               // "ATAP" was sent
	leaving               // "ATCN" was sent
	resting               // the radio cannot be used
	asking                // questions, one after the other
	settled               // AI is asked now and then while there is no network
)

// questions are asked of a radio in API mode. What it does not know it refuses; MM is known to 802.15.4 firmware only.
var questions = []string{"AO", "VR", "HV", "MM", "NP", "AI"}

// inquiry finds out what is on the port and how it is set. It is a machine.
type inquiry struct {
	phase  phase
	tries  int
	next   int       // of questions
	send   bool      // something is to be written now
	due    time.Time // of the next step; zero = none
	id     byte      // Frame ID of the last question
	text   []byte    // what came in command mode
	failed string    // why the radio cannot be used

	values map[string]uint64 // by question; without those that the radio refused
}

func (m *machine) inquire(now time.Time) {
	q := &m.inquiry
	q.phase, q.tries, q.next, q.send, q.due, q.values = probing, 0, 0, true, now, map[string]uint64{}
}

// ready reports whether frames may be sent.
func (q *inquiry) ready() bool { return q.phase == settled }

// commanding reports whether the radio's octets are text, not API frames.
func (q *inquiry) commanding() bool { return q.phase >= guarding && q.phase <= leaving }

func (q *inquiry) deadline() (time.Time, bool) {
	if q.send {
		return time.Time{}, true
	}
	return q.due, !q.due.IsZero()
}

// ask does what is due and appends what is to be written for it.
func (m *machine) ask(now time.Time, dst []byte) (encoded []byte, ok bool) {
	q := &m.inquiry
	if !q.send && !q.due.IsZero() && !now.Before(q.due) {
		m.step(now)
	}
	if !q.send {
		return dst, false
	}
	q.send = false
	switch q.phase {
	case probing:
		return m.question(now, dst, "AP"), true
	case asking, settled:
		return m.question(now, dst, questions[q.next]), true
	case entering:
		return m.command(now, dst, "+++"), true
	case reading:
		return m.command(now, dst, "ATAP\r"), true
	}
	return m.command(now, dst, "ATCN\r"), true
}

func (m *machine) question(now time.Time, dst []byte, letters string) []byte {
	q := &m.inquiry
	q.id, q.due = q.id%255+1, now.Add(answerIn)
	return AppendFrame(dst, append([]byte{TypeAT, q.id}, letters...), m.parser.Escaped)
}

func (m *machine) command(now time.Time, dst []byte, text string) []byte {
	m.inquiry.text, m.inquiry.due = nil, now.Add(commandIn)
	return append(dst, text...)
}

// step goes on when a line of text has come, or nothing has in time.
func (m *machine) step(now time.Time) {
	q := &m.inquiry
	q.tries++
	switch q.phase {
	case probing:
		if q.send = q.tries < probesMost; !q.send {
			q.phase, q.due = guarding, now.Add(guardTime)
		}
	case guarding:
		q.phase, q.send = entering, true
	case entering:
		if bytes.Contains(q.text, []byte("OK")) {
			q.phase, q.send = reading, true
			return
		}
		m.fail(now, fmt.Sprintf("the XBee radio on %s does not answer at %d baud: check its speed (BD), its wiring and its power", m.cfg.Device, m.cfg.Baud))
	case reading:
		m.fail(now, fmt.Sprintf("the XBee radio on %s is in transparent mode (AP=%s), where messages have no address: set AP to 2, or 1, and write it (WR)",
			m.cfg.Device, modeIn(q.text)))
		q.phase, q.send = leaving, true
	case leaving:
		q.phase, q.due = resting, now.Add(againAfter)
	case resting:
		m.inquire(now)
	case asking:
		if q.send = q.tries < asksMost; !q.send {
			m.proceed(now)
		}
	case settled:
		q.next, q.send = len(questions)-1, true
	}
}

// modeIn is what the radio said its AP is.
func modeIn(text []byte) string {
	mode := strings.TrimSpace(string(text))
	if len(mode) == 1 {
		return mode
	}
	return "0"
}

// fail is a radio that cannot be used. It is asked again later; someone may have set it meanwhile.
func (m *machine) fail(now time.Time, why string) {
	m.inquiry.failed, m.inquiry.phase, m.inquiry.due = why, resting, now.Add(againAfter)
	m.counters.Count(transports.ReasonDown, uint64(m.box.Clear()))
}

// heard takes the radio's text in command mode. What it passes on from nodes meanwhile breaks the silence.
func (q *inquiry) heard(now time.Time, octets []byte) {
	if len(octets) == 0 {
		return
	}
	if q.phase == guarding {
		q.due = now.Add(guardTime)
		return
	}
	q.text = append(q.text, octets...)
	if len(q.text) > frameMost {
		q.text = q.text[len(q.text)-frameMost:]
	}
	if bytes.HasSuffix(q.text, []byte("\r")) {
		q.due = now
	}
}

// answer takes the radio's answer to a question.
func (m *machine) answer(letters string, id, status byte, value []byte) {
	q := &m.inquiry
	n := uint64(0)
	for _, c := range value {
		n = n<<8 | uint64(c)
	}
	switch {
	case id != q.id: // to one that was given up
	case q.phase == probing && letters == "AP":
		m.apIs(n)
	case q.phase == asking && letters == questions[q.next]:
		if status == 0 && len(value) > 0 {
			q.values[letters] = n
		}
		m.proceed(m.now)
	case q.phase == settled && letters == "AI" && status == 0:
		m.joined = n == 0
		q.due = time.Time{}
		if !m.joined {
			q.values["AI"], q.due = n, m.now.Add(watchEvery)
		}
	}
}

// apIs begins the questions in the mode that the radio is in.
func (m *machine) apIs(ap uint64) {
	q := &m.inquiry
	switch {
	case ap != 1 && ap != 2:
		m.fail(m.now, fmt.Sprintf("the XBee radio on %s is in mode AP=%d: set AP to 2, or 1, and write it (WR)", m.cfg.Device, ap))
		return
	case m.cfg.AP != 0 && ap != uint64(m.cfg.AP):
		m.fail(m.now, fmt.Sprintf("the XBee radio on %s is in API mode %d, not %d as configured: leave that out, or set AP and write it (WR)", m.cfg.Device, ap, m.cfg.AP))
		return
	}
	m.parser.Escaped, m.parser.Either = ap == 2, false
	q.phase, q.tries, q.next, q.send = asking, 0, 0, true
}

// proceed goes to the next question, or settles.
func (m *machine) proceed(now time.Time) {
	q := &m.inquiry
	q.tries = 0
	if q.next++; q.next < len(questions) {
		q.send = true
		return
	}
	q.phase, q.failed, q.due = settled, "", time.Time{}
	_, mm := q.values["MM"]
	m.fifteen = m.cfg.Network == Networks[1] || m.cfg.Network == "" && mm
	m.mtu = m.certainMTU()
	if ai := q.values["AI"]; ai != 0 && !m.fifteen {
		m.joined = false
		q.due = now.Add(watchEvery)
	}
}

// certainMTU is the longest message that one packet of this radio certainly carries. A ZigBee radio that can split messages up says 255, which only
// helps where all nodes can put them together again.
func (m *machine) certainMTU() int {
	np, known := m.inquiry.values["NP"]
	most, usual := uint64(mtuMost), m.cautiousMTU()
	if m.fifteen {
		most = mtu15Most
	}
	switch {
	case !known || np < mtuLeast || np > most:
		return usual
	case m.cfg.MTU > 0:
		return min(usual, int(np))
	case np > mtu15Most:
		return usual
	}
	return int(np)
}

// Down says what is wrong with the radio.
func (m *machine) Down() string {
	switch q := &m.inquiry; {
	case q.failed != "":
		return q.failed
	case q.phase != settled:
		return fmt.Sprintf("the XBee radio on %s is being asked how it is set", m.cfg.Device)
	case !m.joined:
		return fmt.Sprintf("the XBee radio on %s has not joined a network (AI is 0x%02X)", m.cfg.Device, q.values["AI"])
	}
	return ""
}
