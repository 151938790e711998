package demo

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"syscall"

	"midge/cmd/midge/config"
	"midge/cmd/midge/node"
	"midge/firmware-sim/fleet"
	"midge/transports"
)

// host is where the demo listens: on this machine alone, as nobody has to give a password.
const host = "127.0.0.1"

// framing of the virtual serial line, the one of config.toml.
const framing = "raw"

// line is the fleet's end of the virtual serial line; nil when there is none.
type line func() (transports.Link, error)

func (l line) close() {
	if l == nil {
		return
	}
	if link, err := l(); err == nil {
		link.Close()
	}
}

// openLine makes the virtual serial line, whose far end the gateway opens as a port.
func (w *where) openLine() (line, error) {
	shared, path, err := fleet.OpenPty(framing)
	if err != nil {
		return nil, err
	}
	w.serial = path
	return shared, nil
}

// freeTries is how often a port that was free a moment ago may be gone.
const freeTries = 5

// openNode opens the node and fills in where it listens.
func openNode(cfg Config, w *where, log *slog.Logger) (*node.Node, error) {
	for try := 1; ; try++ {
		mqtt, sn, err := choose(cfg)
		if err != nil {
			return nil, err
		}
		w.mqtt, w.sn = at(mqtt), at(sn)
		if cfg.HTTPPort != 0 {
			w.http = at(cfg.HTTPPort)
		}
		n, err := node.New(settings(*w), log)
		switch {
		case err == nil:
			return n, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, err
		case (cfg.Port != 0 || free("tcp", w.mqtt)) && (cfg.SNPort != 0 || free("udp", w.sn)) || try == freeTries:
			return nil, taken(cfg, *w, err)
		}
	}
}

func at(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// choose picks free ports for those that are 0.
func choose(cfg Config) (mqtt, sn int, err error) {
	mqtt, sn = cfg.Port, cfg.SNPort
	if mqtt == 0 {
		l, err := net.Listen("tcp", at(0))
		if err != nil {
			return 0, 0, fmt.Errorf("find a free TCP port: %w", err)
		}
		defer l.Close()
		mqtt = l.Addr().(*net.TCPAddr).Port
	}
	if sn == 0 {
		l, err := net.ListenPacket("udp", at(0))
		if err != nil {
			return 0, 0, fmt.Errorf("find a free UDP port: %w", err)
		}
		defer l.Close()
		sn = l.LocalAddr().(*net.UDPAddr).Port
	}
	return mqtt, sn, nil
}

// settings is the configuration of the demo's node.
func settings(w where) *config.Config {
	c := config.Default()
	c.Node.DataDir = ""
	c.Listeners[0].Address = w.mqtt
	c.HTTP.Address = w.http
	udp := c.Links[0]
	udp.Name, udp.Address = "udp", w.sn
	c.Links = []config.Link{udp}
	if w.serial != "" {
		serial := udp
		serial.Name, serial.Type, serial.Address, serial.Device, serial.Framing = "serial", "serial", "", w.serial, framing
		c.Links = append(c.Links, serial)
	}
	return c
}

// taken is the one sentence for a port in use: which one, and the flag that changes it.
func taken(cfg Config, w where, err error) error {
	for _, p := range []struct {
		network, address, flag, what string
		port                         int
	}{
		{"tcp", w.mqtt, "--port", "MQTT on TCP", cfg.Port},
		{"udp", w.sn, "--sn-port", "MQTT-SN on UDP", cfg.SNPort},
		{"tcp", w.http, "--http-port", "health and figures over HTTP", cfg.HTTPPort},
	} {
		if p.port != 0 && !free(p.network, p.address) {
			return fmt.Errorf("port %d, for %s, is in use by another program; choose another one with %s", p.port, p.what, p.flag)
		}
	}
	return err
}

// free reports whether an address can be listened on.
func free(network, address string) bool {
	if network == "udp" {
		l, err := net.ListenPacket(network, address)
		if err == nil {
			l.Close()
		}
		return err == nil
	}
	l, err := net.Listen(network, address)
	if err == nil {
		l.Close()
	}
	return err == nil
}
