package fleet

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"midge/mqttsn"
	"midge/transports"
	"midge/transports/faults"
)

// DevicesMax bounds a fleet. It is what node ids of two octets tell apart, and some 600 MB of sockets and buffers.
const DevicesMax = 60_000

// Mixed as Config.QoS draws 0, 1 or 2 anew for each message, and begins with one message at QoS −1.
const Mixed mqttsn.QoS = 3

// Config says what a fleet is and does. The zero value of a field means its default.
type Config struct {
	// Where the gateway is: one of the three. Link is a URL, see ParseLink. Open gives each device, numbered from 0, a link of its
	// own; Shared gives one line for all of them.
	Link   string
	Open   func(device int) (transports.Link, error)
	Shared func() (transports.Link, error)
	Nodes  func(device int) transports.Addr // Shared: the line has addresses, and this is a device's; nil = it has none, so envelopes tell devices apart

	Devices      int    // default 1
	ClientPrefix string // client ids are PREFIX-01, PREFIX-02, …; default "sim"
	Seed         uint64 // decides what the devices do; each seed is another fleet

	Interval time.Duration // between two readings of a device that does not sleep; default 1 s
	QoS      mqttsn.QoS    // −1 to 2, or Mixed
	Payload  int           // octets of a message; shorter than its text means the text alone
	BootID   uint16        // predefined topic id of messages at QoS −1; default 1

	Sleep         float64       // share of the devices that sleep, 0 to 1
	SleepDuration time.Duration // of one sleep, whole seconds; default 10 s

	Loss, Dup, Corrupt float64       // probability for each frame, both ways
	Delay              time.Duration // of each frame, both ways

	Duration time.Duration // of publishing; 0 = until the context ends
	Drain    time.Duration // how long after Duration nothing need be answered before open messages are given up; default what a reconnect takes

	Retry     time.Duration // T_retry; default 10 s (§7.2)
	Retries   int           // N_retry; default 4
	KeepAlive time.Duration // default 60 s
}

// The lengths that Config is held to.
const (
	prefixMax     = 16     // octets, so that a client id stays within the 23 that §5.3.1 allows
	payloadMax    = 60_000 // octets; a UDP datagram holds little more
	intervalLeast = time.Millisecond
	sleepMost     = 0xFFFF * time.Second // 16 bits in DISCONNECT
)

func (c Config) withDefaults() Config {
	c.Devices = cmp.Or(c.Devices, 1)
	c.ClientPrefix = cmp.Or(c.ClientPrefix, "sim")
	c.Interval = cmp.Or(c.Interval, time.Second)
	c.BootID = cmp.Or(c.BootID, 1)
	c.SleepDuration = cmp.Or(c.SleepDuration, 10*time.Second)
	c.Retry = cmp.Or(c.Retry, 10*time.Second)
	c.Retries = cmp.Or(c.Retries, 4)
	c.KeepAlive = cmp.Or(c.KeepAlive, time.Minute)
	c.Drain = cmp.Or(c.Drain, c.Retry*time.Duration(c.Retries+2)+reconnectLeast+reconnectSpan)
	return c
}

// check returns one sentence about the first thing that is wrong.
func (c Config) check() error {
	ways := 0
	for _, given := range []bool{c.Link != "", c.Open != nil, c.Shared != nil} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return fmt.Errorf("a fleet needs exactly one way to the gateway, such as the link udp://127.0.0.1:1883")
	case c.Devices < 1 || c.Devices > DevicesMax:
		return fmt.Errorf("%d devices are asked for, 1 to %d are possible", c.Devices, DevicesMax)
	case len(c.ClientPrefix) > prefixMax || !plain(c.ClientPrefix):
		return fmt.Errorf("client prefix %q must be 1 to %d letters, digits, '.', '_' or '-'", c.ClientPrefix, prefixMax)
	case c.Interval < intervalLeast:
		return fmt.Errorf("interval %v must be %v or more", c.Interval, intervalLeast)
	case c.QoS < mqttsn.QoSMinusOne || c.QoS > Mixed:
		return fmt.Errorf("QoS %d does not exist; it is -1, 0, 1, 2 or mixed", c.QoS)
	case c.Payload < 0 || c.Payload > payloadMax:
		return fmt.Errorf("payload of %d octets must be 0 to %d", c.Payload, payloadMax)
	case c.SleepDuration < time.Second || c.SleepDuration > sleepMost || c.SleepDuration%time.Second != 0:
		return fmt.Errorf("sleep duration %v must be whole seconds, 1s to %v", c.SleepDuration, sleepMost)
	case c.Delay < 0 || c.Duration < 0 || c.Drain < 0 || c.Retry < 0 || c.KeepAlive < 0 || c.Retries < 0:
		return fmt.Errorf("a time or a number of repetitions is negative")
	}
	for _, share := range []struct {
		name string
		v    float64
	}{{"loss", c.Loss}, {"duplication", c.Dup}, {"corruption", c.Corrupt}, {"share of sleepers", c.Sleep}} {
		if !(share.v >= 0 && share.v <= 1) { // NaN is none of these
			return fmt.Errorf("%s is %v, must be 0 to 1", share.name, share.v)
		}
	}
	return nil
}

// room checks that each device has an address of its own.
func (c Config) room() error {
	if c.Nodes != nil && c.Devices > 1 {
		for i := 1; i < c.Devices; i++ {
			if c.Nodes(i) == c.Nodes(0) {
				return fmt.Errorf("%d devices are more than the line has addresses for, which is %d", c.Devices, i)
			}
		}
	}
	return nil
}

func plain(s string) bool {
	other := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r))
	}
	return s != "" && !strings.ContainsFunc(s, other)
}

// ParseQoS reads "-1", "0", "1", "2" or "mixed".
func ParseQoS(s string) (mqttsn.QoS, error) {
	if s == "mixed" {
		return Mixed, nil
	}
	if n, err := strconv.Atoi(s); err == nil && n >= -1 && n <= 2 {
		return mqttsn.QoS(n), nil
	}
	return 0, fmt.Errorf("QoS %q does not exist; it is -1, 0, 1, 2 or mixed", s)
}

// clientID is the name of a device. Numbers have as many digits as the last one needs, two at least, so that they sort.
func (c Config) clientID(device int) string {
	digits := max(2, len(strconv.Itoa(c.Devices)))
	return fmt.Sprintf("%s-%0*d", c.ClientPrefix, digits, device+1)
}

// sleeper spreads the sleepers evenly over the fleet. At QoS −1 there is no connection to sleep in.
func (c Config) sleeper(device int) bool {
	if c.QoS == mqttsn.QoSMinusOne {
		return false
	}
	upTo := func(n int) float64 { return math.Floor(float64(n)*c.Sleep + 1e-9) }
	return upTo(device+1) > upTo(device)
}

// faults are those of the link with that number.
func (c Config) faults(link int) faults.Faults {
	return faults.Faults{Loss: c.Loss, Dup: c.Dup, Corrupt: c.Corrupt, Delay: c.Delay, Seed: c.Seed<<16 ^ uint64(link)}
}

// faulty reports whether links need faults at all.
func (c Config) faulty() bool { return c.Loss > 0 || c.Dup > 0 || c.Corrupt > 0 || c.Delay > 0 }
