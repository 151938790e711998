package serial

import (
	"fmt"
	"strings"
	"time"
)

// A Framing puts messages into a stream of octets.
type Framing interface {
	// Append appends message, framed, to dst.
	Append(dst, message []byte) []byte
	// NewDecoder makes the machine that finds messages of at most mtu octets again. gap is the silence after which
	// octets do not belong to those before.
	NewDecoder(mtu int, gap time.Duration) Decoder
}

// A Decoder finds messages in a stream. It is a machine: no clock, no goroutine, no I/O.
type Decoder interface {
	// Feed takes octets that had arrived by now and does not keep the slice. Feed(now, nil) says that nothing more had arrived by now; only
	// that is silence. Two calls with octets may be far apart and still be one flow that was read late.
	Feed(now time.Time, octets []byte)
	// Next returns the next whole message, nil when there is none. It is valid until the next call of Next or Feed.
	Next() []byte
	// Partial reports whether silence would mean something now: the caller should then say when it falls.
	Partial() bool
	// Lost is what could not be delivered since the decoder was made.
	Lost() Lost
}

// Lost counts what a decoder could not deliver.
type Lost struct {
	CRC          uint64 // frames with a wrong checksum
	Malformed    uint64 // frames too short to be a message, or aborted
	Oversize     uint64 // frames longer than the MTU
	GarbageBytes uint64 // octets that belong to no frame
}

// framings are the known ones, in the order in which people are told of them.
var framings = []struct {
	name    string
	framing Framing
}{
	{"raw", raw{}},
	{"hdlc", hdlc{}},
}

// Framings are the names of the known framings.
func Framings() []string {
	names := make([]string, len(framings))
	for i, f := range framings {
		names[i] = f.name
	}
	return names
}

// FramingByName finds a framing; "" is raw. The error names those that there are.
func FramingByName(name string) (Framing, error) {
	if name == "" {
		name = "raw"
	}
	for _, f := range framings {
		if f.name == name {
			return f.framing, nil
		}
	}
	return nil, fmt.Errorf("unknown serial framing %q; known are %s", name, strings.Join(Framings(), ", "))
}
