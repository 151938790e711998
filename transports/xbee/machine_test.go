package xbee

import (
	"bytes"
	"flag"
	"testing"
	"time"

	"midge/transports"
	"midge/transports/linktest"
)

var update = flag.Bool("update", false, "rewrite the traces in testdata")

func TestMain(m *testing.M) { linktest.Main(m) }

// scripted makes a machine with all its counters.
func scripted(c Config) (*machine, *transports.Counters) {
	counters := transports.NewCounters(append([]string{transports.ReasonQueueFull, transports.ReasonDown, transports.ReasonCRC, transports.ReasonMalformed,
		transports.ReasonGarbageBytes}, reasons...)...)
	return newMachine(c, counters), counters
}

func TestTraces(t *testing.T) {
	for name, c := range map[string]Config{
		"inquiry": {Device: "/dev/ttyX", Baud: 9600},
		"refused": {Device: "/dev/ttyX", Baud: 9600, AP: 2},
		"zigbee":  {Device: "/dev/ttyX", Radius: 3},
		"ieee":    {Device: "/dev/ttyX", Network: "802.15.4"},
	} {
		t.Run(name, func(t *testing.T) {
			linktest.PlayFile(t, "testdata/"+name+".trace", *update, func() (linktest.Machine, *transports.Counters) {
				m, counters := scripted(c)
				if name == "zigbee" || name == "ieee" {
					return known{m}, counters
				}
				return m, counters
			})
		})
	}
}

// known is a machine whose radio has answered all questions before a trace begins: AP=2, NP=84.
type known struct{ *machine }

func (k known) Begin(now time.Time) {
	k.machine.Begin(now)
	answers := map[string][]byte{"AP": {2}, "AO": {0}, "VR": {0x40, 0x5F}, "HV": {0x22, 0x4D}, "NP": {0, 84}, "AI": {0}}
	for _, letters := range append([]string{"AP"}, questions...) {
		k.Output(now, nil)
		value, knows := answers[letters]
		status := byte(0)
		if !knows {
			status = 2
		}
		k.answer(letters, k.inquiry.id, status, value)
	}
	k.inquiry.id = 0
}

// TestFrameIDsWrap: 255 is followed by 1, and an ID that is in flight is not given again.
func TestFrameIDsWrap(t *testing.T) {
	m, _ := scripted(Config{Device: "/dev/ttyX"})
	known{m}.Begin(time.Unix(0, 0))
	now := time.Unix(0, 0)
	m.Send(now, &transports.Frame{Addr: LongAddr(1), Data: linktest.Message(9, 1)})
	m.Output(now, nil) // ID 1 stays in flight
	for i := range 600 {
		now = now.Add(100 * time.Millisecond)
		m.Send(now, &transports.Frame{Addr: LongAddr(2), Data: linktest.Message(9, 1)})
		encoded, _, ok := m.Output(now, nil)
		if !ok {
			t.Fatalf("frame %d goes out", i)
		}
		want := byte(2 + i%254)
		p := NewParser(true, time.Second)
		p.Feed(now, encoded)
		if b := p.Next(); b == nil || b[1] != want {
			t.Fatalf("frame %d has ID %d: % x", i, want, b)
		}
		m.Feed(now, AppendFrame(nil, []byte{TypeTxStatusLong, want, 0x12, 0x34, 0, StatusOK, 0}, true))
		m.Next()
	}
}

// TestParserPitfalls are the mistakes that other parsers make.
func TestParserPitfalls(t *testing.T) {
	rx := append([]byte{TypeRx, 0, 0x13, 0xA2, 0, 0x40, 1, 2, 3, 0x12, 0x34, 1}, linktest.Message(9, 0x7E)...)
	rx[16] = 0x7E
	long := append([]byte{TypeRx, 0, 0x13, 0xA2, 0, 0x40, 1, 2, 3, 0x12, 0x34, 1}, linktest.Message(255, 0)...)
	status := []byte{TypeModemStatus, ModemReset}
	sum7E := []byte{TypeModemStatus, 0xF7} // 0x8A + 0xF7 + 0x7E = 0x1FF
	length11 := make([]byte, 0x11)
	length11[0] = 0x95
	for _, c := range []struct {
		name    string
		escaped bool
		octets  []byte
		want    [][]byte
		lost    Lost
	}{
		{"length has two octets", true, AppendFrame(nil, long, true), [][]byte{long}, Lost{}},
		{"a length longer than any frame", false, append([]byte{0x7E, 0x40, 0x00}, AppendFrame(nil, status, false)...), [][]byte{status}, Lost{Malformed: 1, GarbageBytes: 3}},
		{"a length of nothing", false, append([]byte{0x7E, 0x00, 0x00, 0xFF}, AppendFrame(nil, status, false)...), [][]byte{status}, Lost{Malformed: 1, GarbageBytes: 4}},
		{"0x7E in the data means nothing with AP=1", false, AppendFrame(nil, rx, false), [][]byte{rx}, Lost{}},
		{"0x7E begins a frame with AP=2", true, append([]byte{0x7E, 0x00, 0x15, 0x90, 0x01}, AppendFrame(nil, rx, true)...), [][]byte{rx}, Lost{Malformed: 1, GarbageBytes: 5}},
		{"0x7E after an escape too", true, append([]byte{0x7E, 0x00, 0x15, 0x7D}, AppendFrame(nil, rx, true)...), [][]byte{rx}, Lost{Malformed: 1, GarbageBytes: 4}},
		{"an escaped length", true, AppendFrame(nil, length11, true), [][]byte{length11}, Lost{}},
		{"an escaped checksum", true, AppendFrame(nil, sum7E, true), [][]byte{sum7E}, Lost{}},
		{"a checksum of 0x7E with AP=1", false, AppendFrame(nil, sum7E, false), [][]byte{sum7E}, Lost{}},
		{"a stray octet after the checksum", true, append(append(AppendFrame(nil, status, true), 0x00), AppendFrame(nil, rx, true)...), [][]byte{status, rx}, Lost{GarbageBytes: 1}},
		{"garbage before the first 0x7E", true, append([]byte{0, 1, 0xFF}, AppendFrame(nil, status, true)...), [][]byte{status}, Lost{GarbageBytes: 3}},
		{"a wrong checksum", false, append([]byte{0x7E, 0x00, 0x02, 0x8A, 0x00, 0x00}, AppendFrame(nil, status, false)...), [][]byte{status}, Lost{Checksum: 1, GarbageBytes: 6}},
		{"a reset in the middle of a frame with AP=1", false, append(AppendFrame(nil, rx, false)[:9], append(AppendFrame(nil, status, false), AppendFrame(nil, rx, false)...)...),
			[][]byte{status, rx}, Lost{Checksum: 1, GarbageBytes: 9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, cut := range []int{len(c.octets), 1} {
				p := NewParser(c.escaped, time.Second)
				var got [][]byte
				for octets := c.octets; len(octets) > 0; octets = octets[min(cut, len(octets)):] {
					p.Feed(time.Unix(0, 0), octets[:min(cut, len(octets))])
					for b := p.Next(); b != nil; b = p.Next() {
						got = append(got, bytes.Clone(b))
					}
				}
				if len(got) != len(c.want) {
					t.Fatalf("in pieces of %d: %d frames are found, not %d: % x", cut, len(c.want), len(got), got)
				}
				for i := range got {
					if !bytes.Equal(got[i], c.want[i]) {
						t.Errorf("in pieces of %d: frame %d is % x, not % x", cut, i, c.want[i], got[i])
					}
				}
				if p.Lost() != c.lost {
					t.Errorf("in pieces of %d: lost are %+v, not %+v", cut, c.lost, p.Lost())
				}
			}
		})
	}
}

// FuzzParser: how octets are cut into reads changes nothing, and what goes in comes out.
func FuzzParser(f *testing.F) {
	f.Add([]byte{TypeRx, 0, 0x13, 0xA2, 0, 0x40, 1, 2, 3, 0x12, 0x34, 1, 2, 0x17}, []byte{0x7E, 0x00, 0x7D}, []byte{1, 3})
	f.Add([]byte{TypeTxStatusLong, 1, 0x12, 0x34, 0, 0, 0}, []byte{0x11, 0x13}, []byte{0})
	f.Add([]byte{0x7E, 0x7D, 0x11, 0x13}, []byte{}, []byte{2})
	f.Fuzz(func(t *testing.T, data, garbage, cuts []byte) {
		data = data[:min(len(data), frameMost)]
		for _, escaped := range []bool{false, true} {
			octets := bytes.Clone(garbage)
			if len(data) > 0 {
				octets = AppendFrame(octets, data, escaped)
			}
			whole := parsed(escaped, octets, nil)
			pieces := parsed(escaped, octets, cuts)
			if len(whole) != len(pieces) {
				t.Fatalf("escaped=%v: pieces change nothing: %d frames, whole %d", escaped, len(pieces), len(whole))
			}
			for i := range whole {
				if !bytes.Equal(whole[i], pieces[i]) {
					t.Fatalf("escaped=%v: frame %d is the same in pieces", escaped, i)
				}
			}
			if len(data) > 0 && escaped && (len(whole) == 0 || !bytes.Equal(whole[len(whole)-1], data)) {
				t.Fatalf("a frame is found behind any garbage: % x in % x", data, octets)
			}
		}
	})
}

func parsed(escaped bool, octets, cuts []byte) (frames [][]byte) {
	p := NewParser(escaped, time.Second)
	for i := 0; len(octets) > 0; i++ {
		n := len(octets)
		if len(cuts) > 0 {
			n = min(n, 1+int(cuts[i%len(cuts)]))
		}
		p.Feed(time.Unix(0, 0), octets[:n])
		octets = octets[n:]
		for b := p.Next(); b != nil; b = p.Next() {
			frames = append(frames, bytes.Clone(b))
		}
	}
	return frames
}

// FuzzMachine: nothing that a radio writes makes the machine fail.
func FuzzMachine(f *testing.F) {
	f.Add(AppendFrame(AppendFrame(nil, []byte{TypeATResponse, 1, 'A', 'P', 0, 2}, true), []byte{TypeTxStatusLong, 1, 0, 0, 0, 0x74, 0}, true))
	f.Add(AppendFrame(nil, []byte{TypeRxExplicit, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0xE8, 0xE8, 0, 0x11, 0xC1, 5, 1, 2, 0x17}, true))
	f.Add([]byte("OK\rATAP\r0\r"))
	f.Fuzz(func(t *testing.T, octets []byte) {
		m, _ := scripted(Config{Device: "/dev/ttyX"})
		known{m}.Begin(time.Unix(0, 0))
		now := time.Unix(0, 0)
		for i := range 8 {
			m.Send(now, &transports.Frame{Addr: LongAddr(uint64(i)), Data: linktest.Message(60, byte(i))})
		}
		for len(octets) > 0 {
			n := min(len(octets), 1+int(octets[0])%16)
			now = now.Add(time.Duration(octets[0]) * 100 * time.Millisecond)
			m.Feed(now, octets[:n])
			octets = octets[n:]
			for fr, ok := m.Next(); ok; fr, ok = m.Next() {
				if len(fr.Data) < 2 || len(fr.Data) > frameMost {
					t.Fatalf("a message has a length that one can have: %d", len(fr.Data))
				}
			}
			for n := 0; ; n++ {
				if _, _, ok := m.Output(now, nil); !ok {
					break
				}
				if n > 1000 {
					t.Fatal("what is to be written comes to an end")
				}
			}
			m.Deadline()
			m.Down()
		}
	})
}
