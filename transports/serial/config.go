package serial

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"midge/transports"
)

// What a Config leaves at zero.
const (
	baudDefault = 115200
	mtuDefault  = 1024  // octets; a message of that length takes 1.1 s at 9600 baud
	mtuMax      = 65535 // the most that Length can say (§5.2.1)
	gapLeast    = 50 * time.Millisecond
	gapOctets   = 5
)

// Config says which line and how.
type Config struct {
	Device        string        // path, e.g. "/dev/ttyUSB0"; better one of /dev/serial/by-id/, or "auto:usb VID:PID SERIAL", which survive replugging; "tcp://host:port" is a serial server
	DeviceTx      string        // loralink: another path, through which frames are sent, while both are read; "" = Device does both
	Baud          int           // bits per second; 0 is 115,200, with FromStream and OnPty no pace at all
	Framing       string        // one of Framings; "" is "raw"
	MTU           int           // longest message in octets; 0 is 1,024 for raw and hdlc, 100 for slip, 60 for radiohead, 57 for loralink
	Gap           time.Duration // silence that ends a damaged raw message; 0 is 50 ms or five octets on the line, whichever is longer
	WaitForDevice bool          // Open succeeds without the device and the link waits for it

	Node   uint8 // radiohead: the gateway's own address, 1 to 254; 0 is 1
	NoAcks bool  // radiohead: nodes are RHDatagram, which acknowledges nothing
	Far    bool  // slip, radiohead, loralink: play the far end, the bridge, the nodes or the modem, instead of the gateway's

	// Protocol is spoken on the line instead of a framing, if New is not nil.
	Protocol Protocol
}

// Protocol makes the Machine of a link.
type Protocol struct {
	New     func(*transports.Counters) Machine
	Reasons []string // for which it counts beside those of every line
}

// settings are a Config made definite.
type settings struct {
	Config
	framing  Framing
	octet    time.Duration // on the line, with start and stop bit; 0 without Baud
	protocol Protocol
}

func (c Config) settle() (settings, error) {
	s := settings{Config: c, protocol: c.Protocol}
	if err := CheckFraming(c.Framing); err != nil {
		return s, err
	}
	a := addressedByName(c.Framing)
	most, usual := mtuMax, mtuDefault
	if a != nil {
		most, usual = a.mtuMost, a.mtu
	}
	s.MTU = cmp.Or(s.MTU, usual)
	s.Node = cmp.Or(s.Node, rhGateway)
	switch {
	case c.Baud != 0 && (c.Baud < 50 || c.Baud > 20_000_000):
		return s, fmt.Errorf("baud rate of serial device %s is %d, must be 50 to 20000000", c.Device, c.Baud)
	case s.MTU < 2 || s.MTU > most:
		return s, fmt.Errorf("MTU of serial device %s is %d, must be 2 to %d", c.Device, c.MTU, most)
	case c.DeviceTx != "" && (a == nil || a.cut == nil):
		return s, fmt.Errorf("serial device %s has a second one to send through, %s, which is for framing loralink only", c.Device, c.DeviceTx)
	case c.Gap < 0:
		return s, fmt.Errorf("gap of serial device %s is %v, must not be negative", c.Device, c.Gap)
	case s.Node > rhNodeMost:
		return s, fmt.Errorf("node address of serial device %s is %d, must be 1 to %d", c.Device, c.Node, rhNodeMost)
	}
	if c.Baud > 0 {
		s.octet = 10 * time.Second / time.Duration(c.Baud)
	}
	if s.Gap == 0 {
		s.Gap = max(gapLeast, gapOctets*s.octet)
	}
	if s.protocol.New == nil {
		s.protocol = s.machine(a)
	}
	return s, nil
}

// machine is the protocol of the framing; a is nil for one without addresses.
func (s settings) machine(a *addressed) Protocol {
	if a == nil {
		s.framing, _ = FramingByName(s.Framing)
		return Protocol{New: func(c *transports.Counters) Machine { return newPlain(s, c) }}
	}
	end := a.near
	if s.Far {
		end = a.far
	}
	return Protocol{New: func(c *transports.Counters) Machine { return end(s, c) }, Reasons: a.reasons}
}

// Open opens a serial device. The error is one sentence that names it.
func Open(c Config) (*Link, error) {
	if c.Device == "" {
		return nil, fmt.Errorf("serial link without a device, e.g. \"/dev/ttyUSB0\"")
	}
	if c.Baud == 0 {
		c.Baud = baudDefault
	}
	s, err := c.settle()
	if err != nil {
		return nil, err
	}
	for _, device := range []string{c.Device, c.DeviceTx} {
		if strings.HasPrefix(device, autoPrefix) {
			if _, err := parseAuto(device); err != nil {
				return nil, err
			}
		}
	}
	open := func() (*line, error) { return openPorts(c) }
	if c.WaitForDevice && (strings.HasPrefix(c.Device, tcpPrefix) || strings.HasPrefix(c.DeviceTx, tcpPrefix)) { // who waits for devices does not wait for the network here
		return newLink(s, open, nil, fmt.Errorf("serial device %s has not been reached yet", c.Device)), nil
	}
	ln, err := open()
	if err != nil && !c.WaitForDevice {
		return nil, err
	}
	return newLink(s, open, ln, err), nil
}

// FromStream makes a link of a stream of octets, e.g. the end of a Pty. The link owns it from now on. Closing the stream must end a
// Read and a Write that wait. It is not reopened: its error ends the link.
func FromStream(rwc io.ReadWriteCloser, c Config) (*Link, error) {
	if c.Device == "" {
		c.Device = "stream"
	}
	s, err := c.settle()
	if err != nil {
		return nil, err
	}
	return newLink(s, nil, lineOf(rwc), nil), nil
}

// OnPty makes a pseudo-terminal and a link on its near end, the device's; path is the far end, which a gateway opens as a serial port. Only Linux has it.
func OnPty(c Config) (l *Link, path string, err error) {
	pty, err := OpenPty()
	if err != nil {
		return nil, "", err
	}
	if c.Device == "" {
		c.Device = "pseudo-terminal of " + pty.Path()
	}
	if l, err = FromStream(pty, c); err != nil {
		pty.Close()
		return nil, "", err
	}
	return l, pty.Path(), nil
}

// NewMachine makes what is spoken on a line, without the line: a simulation carries the octets itself. It is told of the line by Begin first.
func NewMachine(c Config) (Machine, *transports.Counters, error) {
	s, err := c.settle()
	if err != nil {
		return nil, nil, err
	}
	counters := s.counters()
	return s.protocol.New(counters), counters, nil
}

func (s settings) counters() *transports.Counters {
	return transports.NewCounters(slices.Concat(reasons, s.protocol.Reasons)...)
}
