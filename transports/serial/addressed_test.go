package serial

import (
	"bytes"
	"testing"
	"time"

	"midge/transports"
	"midge/transports/linktest"
)

// machine makes the machine of one end of a framing with addresses.
func machine(t testing.TB, c Config) (Machine, *transports.Counters) {
	s, err := c.settle()
	if err != nil {
		t.Fatal(err)
	}
	counters := transports.NewCounters(append(append([]string(nil), reasons...), s.protocol.Reasons...)...)
	return s.protocol.New(counters), counters
}

func TestAddressedTraces(t *testing.T) {
	for name, c := range map[string]Config{
		"slip":         {Framing: "slip"},
		"slip-far":     {Framing: "slip", Far: true},
		"radiohead":    {Framing: "radiohead", Baud: 9600},
		"radiohead-no": {Framing: "radiohead", NoAcks: true},
		"loralink":     {Framing: "loralink"},
		"loralink-far": {Framing: "loralink", Far: true},
	} {
		t.Run(name, func(t *testing.T) {
			linktest.PlayFile(t, "testdata/"+name+".trace", *update, func() (linktest.Machine, *transports.Counters) { return machine(t, c) })
		})
	}
}

func TestXmodem(t *testing.T) {
	if got := xmodem([]byte("123456789")); got != 0x31C3 {
		t.Errorf("the CRC-16/XMODEM of \"123456789\" is 0x31C3, not 0x%04X", got)
	}
}

// converse lets two ends talk until neither has anything more to write, a minute at most, losing each packet for which lost says so.
func converse(now time.Time, a, b Machine, lost func() bool) (atA, atB [][]byte) {
	until := now.Add(time.Minute)
	for now.Before(until) {
		moved := false
		for _, way := range []struct {
			from, to Machine
			got      *[][]byte
		}{{a, b, &atB}, {b, a, &atA}} {
			for octets, _, ok := way.from.Output(now, nil); ok; octets, _, ok = way.from.Output(now, nil) {
				moved = true
				if lost() {
					continue
				}
				way.to.Feed(now, octets)
				for f, ok := way.to.Next(); ok; f, ok = way.to.Next() {
					*way.got = append(*way.got, bytes.Clone(f.Data))
				}
			}
		}
		if !moved {
			now = now.Add(10 * time.Millisecond)
		}
	}
	return atA, atB
}

// TestRadioHeadSurvivesLoss: three packets of ten are lost, acknowledgements too, and every message arrives once.
func TestRadioHeadSurvivesLoss(t *testing.T) {
	near, _ := machine(t, Config{Framing: "radiohead"})
	far, _ := machine(t, Config{Framing: "radiohead", Far: true})
	now := time.Unix(0, 0)
	const messages = 20
	for i := range messages {
		near.Send(now, &transports.Frame{Addr: transports.MakeAddr([]byte{byte(2 + i%3)}), Data: linktest.Message(9, byte(i))})
		far.Send(now, &transports.Frame{Addr: transports.MakeAddr([]byte{byte(2 + i%3)}), Data: linktest.Message(10, byte(i))})
	}
	n := 0
	atNear, atFar := converse(now, near, far, func() bool { n++; return n%10 == 3 || n%10 == 6 || n%10 == 7 })
	for way, got := range map[string][][]byte{"to the gateway": atNear, "to the nodes": atFar} {
		if len(got) != messages {
			t.Errorf("every message arrives once, %s: %d of %d", way, len(got), messages)
		}
	}
}

// FuzzAddressed: no octets make a machine fail, what it delivers has a length that a message can have, and how they are cut into reads does not matter.
func FuzzAddressed(f *testing.F) {
	configs := []Config{{Framing: "slip"}, {Framing: "slip", Far: true}, {Framing: "radiohead"}, {Framing: "radiohead", Far: true},
		{Framing: "loralink"}, {Framing: "loralink", Far: true}}
	for _, c := range configs {
		far := c
		far.Far = !c.Far
		m, _ := machine(f, far)
		m.Send(time.Unix(0, 0), &transports.Frame{Addr: transports.MakeAddr([]byte{7, 0}[:1+len(c.Framing)%3%2]), Data: linktest.Message(20, 0xC0)})
		m.Send(time.Unix(0, 0), &transports.Frame{Data: linktest.Message(40, 0x10)})
		octets, _, _ := m.Output(time.Unix(0, 0), nil)
		octets, _, _ = m.Output(time.Unix(0, 0), octets)
		f.Add(octets, []byte{1, 0, 4})
	}
	f.Add(appendSlip(nil, []byte{0, 0, 2, slipAck}), []byte{0})
	f.Add(appendRadioHead(nil, []byte{1, 9, 3, rhFlagAck, rhAck}), []byte{0})
	f.Add(appendLoRaLink(nil, []byte{loraModemAddr, 0, 0, 0, 0, loraNoChannel}, nil), []byte{0})
	f.Fuzz(func(t *testing.T, octets, cuts []byte) {
		for _, c := range configs {
			whole, pieces := arrivals(t, c, octets, nil), arrivals(t, c, octets, cuts)
			if len(whole) != len(pieces) {
				t.Fatalf("%+v: pieces change nothing: %d messages, whole %d", c, len(pieces), len(whole))
			}
			for i, m := range whole {
				if !bytes.Equal(m, pieces[i]) || len(m) < messageLeast || len(m) > slipMostBody {
					t.Fatalf("%+v: message %d is the same in pieces and could be one: %x, whole %x", c, i, pieces[i], m)
				}
			}
		}
	})
}

func arrivals(t *testing.T, c Config, octets, cuts []byte) (messages [][]byte) {
	m, _ := machine(t, c)
	now := time.Unix(0, 0)
	m.Send(now, &transports.Frame{Addr: transports.MakeAddr([]byte{9}), Data: linktest.Message(9, 1)})
	for i := 0; len(octets) > 0; i++ {
		n := len(octets)
		if len(cuts) > 0 {
			n = min(n, 1+int(cuts[i%len(cuts)]))
		}
		m.Feed(now, octets[:n])
		octets = octets[n:]
		for f, ok := m.Next(); ok; f, ok = m.Next() {
			messages = append(messages, bytes.Clone(f.Data))
		}
		for out, _, ok := m.Output(now, nil); ok; out, _, ok = m.Output(now, nil) {
			if len(out) == 0 {
				t.Fatal("what is to be written is not empty")
			}
		}
	}
	return messages
}
