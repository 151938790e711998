package serial

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"midge/transports/linktest"
)

var update = flag.Bool("update", false, "rewrite the traces in testdata")

// TestTraces plays testdata/*.trace: a line is a time and the octets that had arrived by then, «-» for silence; the lines that begin with
// a bar are what the decoder made of it.
func TestTraces(t *testing.T) {
	for _, f := range framings {
		name := f.name
		t.Run(name, func(t *testing.T) {
			linktest.Golden(t, "testdata/"+name+".trace", *update, func(text string) string { return play(t, name, text) })
		})
	}
}

const traceMTU, traceGap = 300, 50 * time.Millisecond

func play(t *testing.T, framing, text string) string {
	f, err := FramingByName(framing)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var d Decoder
	before := Lost{}
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "|"):
			continue
		case line == "" || strings.HasPrefix(line, "#"):
			d, before = f.NewDecoder(traceMTU, traceGap), Lost{}
			fmt.Fprintln(&out, line)
			continue
		}
		fmt.Fprintln(&out, line)
		at, octets, _ := strings.Cut(line, " ")
		ms, err := time.ParseDuration(at)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		d.Feed(time.Unix(0, 0).Add(ms), traceOctets(t, octets))
		for m := d.Next(); m != nil; m = d.Next() {
			fmt.Fprintf(&out, "|  message %s\n", abridged(m))
		}
		if l := d.Lost(); l != before {
			fmt.Fprintf(&out, "|  lost%s\n", difference(l, before))
			before = l
		}
		if d.Partial() {
			fmt.Fprintln(&out, "|  partial")
		}
	}
	return out.String()
}

// traceOctets reads hexadecimal octets; AA*n is n times AA.
func traceOctets(t *testing.T, s string) (b []byte) {
	if s = strings.TrimSpace(s); s == "-" {
		return nil
	}
	for word := range strings.FieldsSeq(s) {
		digits, times, _ := strings.Cut(word, "*")
		n := 1
		if times != "" {
			fmt.Sscan(times, &n)
		}
		x, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		b = append(b, bytes.Repeat(x, n)...)
	}
	return b
}

func abridged(m []byte) string {
	if len(m) > 16 {
		return fmt.Sprintf("% x … (%d octets)", m[:16], len(m))
	}
	return fmt.Sprintf("% x", m)
}

func difference(now, before Lost) (s string) {
	for _, c := range []struct {
		name string
		n    uint64
	}{{"crc", now.CRC - before.CRC}, {"malformed", now.Malformed - before.Malformed}, {"oversize", now.Oversize - before.Oversize}, {"garbage_bytes", now.GarbageBytes - before.GarbageBytes}} {
		if c.n > 0 {
			s += fmt.Sprintf(" %s=%d", c.name, c.n)
		}
	}
	return s
}

func TestCRC(t *testing.T) {
	if got := ^crc16(crcInit, []byte("123456789")); got != 0x906E {
		t.Errorf("the CRC-16/X-25 of \"123456789\" is 0x906E, not 0x%04X", got)
	}
}

func TestUnknownFraming(t *testing.T) {
	_, err := FramingByName("cobs")
	if want := `unknown serial framing "cobs"; known are raw, hdlc, slip, radiohead, loralink`; err == nil || err.Error() != want {
		t.Errorf("an unknown framing is one sentence that names the known ones: got %v, want %q", err, want)
	}
	if _, err := FramingByName(""); err != nil {
		t.Errorf("no framing is raw: %v", err)
	}
}

// decodeAll feeds octets in chunks, cut where cuts says, and returns the messages and what was lost.
func decodeAll(f Framing, octets []byte, cuts []byte) (messages [][]byte, lost Lost) {
	d := f.NewDecoder(traceMTU, traceGap)
	now := time.Unix(0, 0)
	for i := 0; len(octets) > 0; i++ {
		n := len(octets)
		if len(cuts) > 0 {
			n = min(n, 1+int(cuts[i%len(cuts)]))
		}
		now = now.Add(time.Hour) // late, but without silence
		d.Feed(now, octets[:n])
		octets = octets[n:]
		for m := d.Next(); m != nil; m = d.Next() {
			messages = append(messages, bytes.Clone(m))
		}
	}
	return messages, d.Lost()
}
