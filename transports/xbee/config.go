package xbee

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"midge/transports"
	"midge/transports/serial"
)

// Octets and speed of a radio as it comes from the factory.
const (
	baudDefault = 9600
	gapDefault  = 100 * time.Millisecond // silence in the middle of a frame; a USB adapter hands over what it has every 16 ms
	mtuMost     = 255
	mtuZigBee   = 60  // what MQTT-SN 1.2 §7.4 has in mind; fits whatever the security
	mtu15       = 100 // 802.15.4: any firmware, long addresses, not encrypted
	mtu15Most   = 116
	mtuLeast    = 32
)

// Networks are the firmwares by name; "" asks the radio.
var Networks = []string{"zigbee", "802.15.4"}

// Config says which radio and how.
type Config struct {
	Device  string // as serial.Config has it
	Baud    int    // 0 is 9,600
	AP      int    // 0 asks the radio; 1 or 2 refuses one that is set otherwise
	Network string // one of Networks; "" asks the radio
	MTU     int    // longest message in octets; 0 = what the radio says, where that is certain, else 60 (ZigBee) or 100 (802.15.4)
	Radius  uint8  // hops of a broadcast that says nothing of its own; 0 = the whole network
	// Gateway is whom frames to the zero Addr go to, for the device's side of a link; empty is the coordinator (ZigBee) or address 0 (802.15.4).
	Gateway       transports.Addr
	WaitForDevice bool // Open succeeds without the device and the link waits for it
}

// A Link is a radio as a transports.Link. Its address of a node has 8 octets, or 2 for a node that is known by its short address only.
type Link struct{ *serial.Link }

// Open opens the port of a radio. That it is a radio, and how it is set, is found out afterwards: Stats tells.
func Open(c Config) (*Link, error) {
	if err := c.settle(); err != nil {
		return nil, err
	}
	l, err := serial.Open(serial.Config{Device: c.Device, Baud: c.Baud, Gap: gapDefault, WaitForDevice: c.WaitForDevice, Protocol: c.protocol()})
	if err != nil {
		return nil, err
	}
	return &Link{l}, nil
}

// NewMachine makes a radio's host without the port, as serial.NewMachine does.
func NewMachine(c Config) (serial.Machine, *transports.Counters, error) {
	if err := c.settle(); err != nil {
		return nil, nil, err
	}
	return serial.NewMachine(serial.Config{Device: c.Device, Baud: c.Baud, Gap: gapDefault, Protocol: c.protocol()})
}

func (c *Config) settle() error {
	if c.Baud == 0 {
		c.Baud = baudDefault
	}
	switch {
	case c.AP < 0 || c.AP > 2:
		return fmt.Errorf("API mode of the XBee radio on %s is %d, must be 1 or 2, or 0 to ask the radio", c.Device, c.AP)
	case c.Network != "" && c.Network != Networks[0] && c.Network != Networks[1]:
		return fmt.Errorf("network of the XBee radio on %s is %q, must be %s, or \"\" to ask the radio", c.Device, c.Network, strings.Join(Networks, " or "))
	case c.MTU != 0 && (c.MTU < 2 || c.MTU > mtuMost):
		return fmt.Errorf("MTU of the XBee radio on %s is %d, must be 2 to %d", c.Device, c.MTU, mtuMost)
	}
	return nil
}

func (c Config) protocol() serial.Protocol {
	return serial.Protocol{New: func(counters *transports.Counters) serial.Machine { return newMachine(c, counters) }, Reasons: reasons}
}

// ParseAddr reads the 16 hexadecimal digits of a radio's address (SH and SL), or the 4 of a short one (MY).
func ParseAddr(s string) (transports.Addr, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 8 && len(b) != 2 {
		return transports.Addr{}, fmt.Errorf("address %q of a radio must be 16 hexadecimal digits (SH and SL) or 4 (MY)", s)
	}
	return transports.MakeAddr(b), nil
}

// LongAddr is the address of a node by its 64 bits.
func LongAddr(long uint64) transports.Addr {
	return transports.MakeAddr(binary.BigEndian.AppendUint64(nil, long))
}

// FormatAddr is an address in hexadecimal digits.
func FormatAddr(a transports.Addr) string {
	if b := a.Bytes(); len(b) > 0 {
		return hex.EncodeToString(b)
	}
	return "gateway"
}
