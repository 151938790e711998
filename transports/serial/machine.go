package serial

import (
	"time"

	"midge/transports"
)

// A Machine is what is spoken on a line: octets and time in, frames and octets out. It has no clock, no goroutine and no I/O; a Link calls it
// under its lock. It counts what is lost in the counters that it was made with.
type Machine interface {
	// Begin is called when the line has been opened, before anything else and again after each End.
	Begin(now time.Time)
	// End is called when the line has gone. It forgets everything and returns how many frames were queued.
	End() (queued int)

	// Feed takes octets that had arrived by now and does not keep the slice. Feed(now, nil) says that nothing more had arrived by now; only
	// that is silence. Two calls with octets may be far apart and still be one flow that was read late.
	Feed(now time.Time, octets []byte)
	// Partial reports whether silence would mean something now: the link then says when it falls.
	Partial() bool
	// Next returns the next frame that has arrived. Its Data is valid until the next call of Next or Feed.
	Next() (f transports.Frame, ok bool)

	// Send takes a frame to be sent and copies what it needs. Otherwise it returns the Reason… for which the frame is dropped.
	Send(now time.Time, f *transports.Frame) (drop string)
	// Output appends what is to be written next, whole packets, to dst. message is how many octets of a frame go out with it for the first time; 0 for an
	// acknowledgement or a repetition.
	Output(now time.Time, dst []byte) (encoded []byte, message int, ok bool)
	// Deadline is when Output may have something, unless Feed or Send change that; a time that has passed means now.
	Deadline() (at time.Time, ok bool)
	// Flush makes Output give everything that is queued without waiting for answers: the link closes.
	Flush()

	// Down is "" while frames can be sent, else one sentence why not.
	Down() string
	// MTU is the longest message in octets that the machine takes now.
	MTU() int
	// FormatAddr renders an address for people.
	FormatAddr(transports.Addr) string
}

// plain is the Machine of a framing without addresses and answers.
type plain struct {
	framing  Framing
	device   string
	mtu      int
	gap      time.Duration
	counters *transports.Counters
	decoder  Decoder
	counted  Lost // of decoder, already in counters
	out      queue
}

func newPlain(s settings, c *transports.Counters) Machine {
	m := &plain{framing: s.framing, device: s.Device, mtu: s.MTU, gap: s.Gap, counters: c, out: newQueue(s.octet, s.MTU)}
	m.End()
	return m
}

func (m *plain) Begin(time.Time) {}

func (m *plain) End() (queued int) {
	m.decoder, m.counted = m.framing.NewDecoder(m.mtu, m.gap), Lost{}
	return m.out.clear()
}

func (m *plain) Feed(now time.Time, octets []byte) { m.decoder.Feed(now, octets) }

func (m *plain) Partial() bool { return m.decoder.Partial() }

func (m *plain) Next() (transports.Frame, bool) {
	if message := m.decoder.Next(); message != nil {
		return transports.Frame{Data: message}, true
	}
	m.counted.count(m.decoder.Lost(), m.counters)
	return transports.Frame{}, false
}

func (m *plain) Send(_ time.Time, f *transports.Frame) (drop string) {
	if !m.out.push(m.framing, f.Data) {
		return transports.ReasonQueueFull
	}
	return ""
}

func (m *plain) Output(_ time.Time, dst []byte) ([]byte, int, bool) { return m.out.pop(dst) }

func (m *plain) Deadline() (time.Time, bool) { return time.Time{}, len(m.out.frames) > 0 }

func (m *plain) Flush() {}

func (m *plain) Down() string { return "" }

func (m *plain) MTU() int { return m.mtu }

// FormatAddr is the device's path: there is one peer on a line.
func (m *plain) FormatAddr(transports.Addr) string { return m.device }

// count adds what now has more than before, and becomes it.
func (l *Lost) count(now Lost, c *transports.Counters) {
	c.Count(transports.ReasonCRC, now.CRC-l.CRC)
	c.Count(transports.ReasonMalformed, now.Malformed-l.Malformed)
	c.Count(transports.ReasonOversize, now.Oversize-l.Oversize)
	c.Count(transports.ReasonGarbageBytes, now.GarbageBytes-l.GarbageBytes)
	*l = now
}
