package fleet

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Reading is what a payload tells.
type Reading struct {
	Value  string // of the quantity, or of the command that is answered; no spaces
	Device string // client id
	Seq    uint64 // 1 for the first message of the device
}

// valueMax bounds the part of a command that an answer repeats, in octets.
const valueMax = 24

// append appends the reading as text, for example "21.53 sim-007 42", filled up with dots to size octets. A text that is longer
// stays whole.
func (r Reading) append(b []byte, size int) []byte {
	from := len(b)
	b = fmt.Appendf(b, "%s %s %d", r.Value, r.Device, r.Seq)
	if missing := size - (len(b) - from); missing > 0 {
		b = append(b, ' ')
		b = append(b, bytes.Repeat([]byte{'.'}, missing-1)...)
	}
	return b
}

// ParsePayload reads the payload of a message that a fleet published.
func ParsePayload(b []byte) (Reading, error) {
	fields := strings.Fields(string(b))
	if len(fields) < 3 {
		return Reading{}, fmt.Errorf("payload %.40q is not \"value device sequence\"", b)
	}
	seq, err := strconv.ParseUint(fields[2], 10, 64)
	if err != nil || seq == 0 {
		return Reading{}, fmt.Errorf("payload %.40q has no sequence number in third place", b)
	}
	return Reading{Value: fields[0], Device: fields[1], Seq: seq}, nil
}

// oneWord makes of a command's payload a value that can stand in a reading.
func oneWord(b []byte) string {
	b = b[:min(len(b), valueMax)]
	if len(b) == 0 {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, string(b))
}
