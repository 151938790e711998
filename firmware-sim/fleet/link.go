package fleet

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"midge/transports"
	"midge/transports/faults"
	"midge/transports/serial"
	"midge/transports/udp"
)

// narrow is a link that carries less than it could, so that the room which readers and faults keep for its frames stays small.
type narrow struct {
	transports.Link
	mtu int
}

// MTU is the smaller of both.
func (n narrow) MTU() int { return min(n.mtu, n.Link.MTU()) }

// ParseLink makes of a link URL a way to the gateway: udp://HOST:PORT gives each device a socket of its own, and
// serial:///dev/ttyX?baud=115200&framing=raw one line for all devices. Exactly one of open and shared is not nil.
func ParseLink(link string) (open func(device int) (transports.Link, error), shared func() (transports.Link, error), err error) {
	u, err := url.Parse(link)
	if err != nil || !strings.Contains(link, "://") {
		return nil, nil, fmt.Errorf("link %q is not a URL such as udp://127.0.0.1:1883", link)
	}
	switch u.Scheme {
	case "udp":
		open, err = parseUDP(link, u)
	case "serial":
		shared, err = parseSerial(link, u)
	case "xbee":
		err = fmt.Errorf("link %q: XBee radios are not simulated yet; use udp:// or serial://", link)
	default:
		err = fmt.Errorf("link %q: there are udp:// and serial://, not %s://", link, u.Scheme)
	}
	return open, shared, err
}

func parseUDP(link string, u *url.URL) (func(int) (transports.Link, error), error) {
	host, port, err := net.SplitHostPort(u.Host)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
		return nil, fmt.Errorf("link %q must be udp://HOST:PORT, e.g. udp://127.0.0.1:1883", link)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("link %q has something after the port; udp:// takes no options", link)
	}
	return func(int) (transports.Link, error) {
		l, err := udp.Dial(u.Host)
		if err != nil {
			return nil, err
		}
		return l, nil
	}, nil
}

func parseSerial(link string, u *url.URL) (func() (transports.Link, error), error) {
	if u.Host != "" || u.Path == "" {
		return nil, fmt.Errorf("link %q must be serial:///PATH with three slashes, e.g. serial:///dev/ttyUSB0", link)
	}
	c := serial.Config{Device: u.Path}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("link %q: %w", link, err)
	}
	for _, key := range slices.Sorted(maps.Keys(query)) {
		value := query.Get(key)
		switch key {
		case "baud":
			if c.Baud, err = strconv.Atoi(value); err != nil || c.Baud <= 0 {
				return nil, fmt.Errorf("link %q: baud=%s is not a number of bits per second", link, value)
			}
		case "framing":
			if _, err := serial.FramingByName(value); err != nil {
				return nil, fmt.Errorf("link %q: %w", link, err)
			}
			c.Framing = value
		default:
			return nil, fmt.Errorf("link %q: there are the options baud and framing, not %q", link, key)
		}
	}
	return func() (transports.Link, error) {
		l, err := serial.Open(c)
		if err != nil {
			return nil, err
		}
		return l, nil
	}, nil
}

// OpenPty makes a virtual serial port, and the fleet's end of it for Config.Shared; path is what the gateway is to open. framing is
// "raw" or "hdlc". Only Linux has it.
func OpenPty(framing string) (shared func() (transports.Link, error), path string, err error) {
	l, path, err := serial.OnPty(serial.Config{Framing: framing})
	if err != nil {
		return nil, "", err
	}
	return func() (transports.Link, error) { return l, nil }, path, nil
}

// dress gives a link its limits and faults.
func (c Config) dress(l transports.Link, number int) transports.Link {
	l = narrow{l, max(frameMax, c.Payload+64)}
	if c.faulty() {
		return faults.Wrap(l, c.faults(number))
	}
	return l
}
