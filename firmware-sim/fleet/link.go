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
	"midge/transports/xbee"
	"midge/transports/xbee/modem"
)

// narrow is a link that carries less than it could, so that the room which readers and faults keep for its frames stays small.
type narrow struct {
	transports.Link
	mtu int
}

// MTU is the smaller of both.
func (n narrow) MTU() int { return min(n.mtu, n.Link.MTU()) }

// way is how devices reach the gateway: exactly one of open and shared is not nil.
type way struct {
	open   func(device int) (transports.Link, error)
	shared func() (transports.Link, error)
	nodes  func(device int) transports.Addr
}

// parseLink makes of a link URL a way to the gateway: udp://HOST:PORT gives each device a socket of its own,
// serial:///dev/ttyX?baud=115200&framing=raw one line for all devices, where the fleet plays what the gateway expects at the other end, and
// xbee:///dev/ttyX?baud=9600&ap=2&to=0013a20040010203 one real radio for all devices, which talk to the gateway's, by default the coordinator.
func parseLink(link string) (w way, err error) {
	u, err := url.Parse(link)
	if err != nil || !strings.Contains(link, "://") {
		return w, fmt.Errorf("link %q is not a URL such as udp://127.0.0.1:1883", link)
	}
	switch u.Scheme {
	case "udp":
		w.open, err = parseUDP(link, u)
	case "serial":
		w.shared, err = parseSerial(link, u)
		w.nodes = Nodes(u.Query().Get("framing"))
	case "xbee":
		w.shared, err = parseXBee(link, u)
	default:
		err = fmt.Errorf("link %q: there are udp://, serial:// and xbee://, not %s://", link, u.Scheme)
	}
	return w, err
}

// Nodes is which address each device has on a line with addresses, for Config.Nodes; nil for a framing without.
func Nodes(framing string) func(device int) transports.Addr {
	switch framing {
	case "slip":
		return func(d int) transports.Addr { return transports.MakeAddr([]byte{byte(d + 1), byte((d + 1) >> 8)}) }
	case "radiohead":
		return func(d int) transports.Addr { return transports.MakeAddr([]byte{byte(2 + d%radioHeadMost)}) }
	case "loralink":
		return func(d int) transports.Addr { return transports.MakeAddr([]byte{byte(1 + d%loraLinkMost)}) }
	case xbeeFraming:
		return modem.Addr
	}
	return nil
}

const (
	radioHeadMost = 253    // nodes, 2 to 254; the gateway is 1
	loraLinkMost  = 253    // nodes, 1 to 253; the gateway's modem is 254
	xbeeFraming   = "xbee" // of a virtual port: a simulated radio
)

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
	c := serial.Config{Device: u.Path, Far: true}
	err := options(link, u, map[string]func(string) error{
		"baud": func(v string) (err error) { c.Baud, err = baud(v); return err },
		"framing": func(v string) error {
			c.Framing = v
			return serial.CheckFraming(v)
		},
	})
	if err != nil {
		return nil, err
	}
	return func() (transports.Link, error) {
		l, err := serial.Open(c)
		if err != nil {
			return nil, err
		}
		return l, nil
	}, nil
}

func parseXBee(link string, u *url.URL) (func() (transports.Link, error), error) {
	c := xbee.Config{Device: u.Path}
	err := options(link, u, map[string]func(string) error{
		"baud": func(v string) (err error) { c.Baud, err = baud(v); return err },
		"ap": func(v string) error {
			if c.AP = int(v[0] - '0'); v != "1" && v != "2" {
				return fmt.Errorf("ap=%s is not an API mode, which is 1 or 2", v)
			}
			return nil
		},
		"to": func(v string) (err error) { c.Gateway, err = xbee.ParseAddr(v); return err },
	})
	if err != nil {
		return nil, err
	}
	return func() (transports.Link, error) {
		l, err := xbee.Open(c)
		if err != nil {
			return nil, err
		}
		return l, nil
	}, nil
}

// options gives what stands behind the question mark of a link to a port to those who know it.
func options(link string, u *url.URL, known map[string]func(string) error) error {
	if u.Host != "" || u.Path == "" {
		return fmt.Errorf("link %q must be %s:///PATH with three slashes, e.g. %s:///dev/ttyUSB0", link, u.Scheme, u.Scheme)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fmt.Errorf("link %q: %w", link, err)
	}
	names := slices.Sorted(maps.Keys(known))
	for _, key := range slices.Sorted(maps.Keys(query)) {
		set := known[key]
		if set == nil {
			last := len(names) - 1
			return fmt.Errorf("link %q: there are the options %s and %s, not %q", link, strings.Join(names[:last], ", "), names[last], key)
		}
		if value := query.Get(key); value == "" {
			return fmt.Errorf("link %q: %s= has no value", link, key)
		} else if err := set(value); err != nil {
			return fmt.Errorf("link %q: %w", link, err)
		}
	}
	return nil
}

func baud(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("baud=%s is not a number of bits per second", value)
	}
	return n, nil
}

// Framings are what a virtual port may speak: those of serial lines, and xbee for a simulated radio.
func Framings() []string { return append(serial.Framings(), xbeeFraming) }

// OpenPty makes a virtual serial port, and the fleet's end of it for Config.Shared; path is what the gateway is to open. framing is one
// of Framings; Config.Nodes is to be Nodes(framing). Only Linux has it.
func OpenPty(framing string) (shared func() (transports.Link, error), path string, err error) {
	if framing == xbeeFraming {
		m, path, err := modem.OnPty(modem.Config{})
		if err != nil {
			return nil, "", err
		}
		return func() (transports.Link, error) { return m, nil }, path, nil
	}
	l, path, err := serial.OnPty(serial.Config{Framing: framing, Far: true})
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
