package serial

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"midge/transports"
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

// framings are those that carry messages and nothing else, in the order in which people are told of them.
var framings = []struct {
	name    string
	framing Framing
}{
	{"raw", raw{}},
	{"hdlc", hdlc{}},
}

// protocols are those that know nodes and answers, after them.
var protocols = []addressed{
	{"slip", newSlip, newSlipBridge, slipReasons, slipMTU, slipMTUMost, nil},
	{"radiohead", newRadioHead, newRadioHead, rhReasons, rhMTU, rhMTU, nil},
	{"loralink", newLoRaLink, newLoRaModem, loraReasons, loraMTU, loraMTUMost, loraCut},
}

// addressed is a framing with its own Machine at each end.
type addressed struct {
	name         string
	near, far    func(settings, *transports.Counters) Machine
	reasons      []string
	mtu, mtuMost int // octets: unless configured, and at most
	// cut keeps packets whole on a line of two ports, as a twin's does; nil = a line has one.
	cut func([]byte) int
}

// Framings are the names of the known framings.
func Framings() (names []string) {
	for _, f := range framings {
		names = append(names, f.name)
	}
	for _, p := range protocols {
		names = append(names, p.name)
	}
	return names
}

func addressedByName(name string) *addressed {
	for i := range protocols {
		if protocols[i].name == name {
			return &protocols[i]
		}
	}
	return nil
}

// CheckFraming returns an error for a name that is none of Framings; "" is raw.
func CheckFraming(name string) error {
	if name == "" || slices.Contains(Framings(), name) {
		return nil
	}
	return fmt.Errorf("unknown serial framing %q; known are %s", name, strings.Join(Framings(), ", "))
}

// FramingByName finds a framing without addresses; "" is raw. The error names those that there are.
func FramingByName(name string) (Framing, error) {
	if name == "" {
		name = "raw"
	}
	for _, f := range framings {
		if f.name == name {
			return f.framing, nil
		}
	}
	if err := CheckFraming(name); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("serial framing %s is more than a way to delimit messages", name)
}
