package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"
)

// DefaultPort is where midge demo listens, for MQTT on TCP and for MQTT-SN on UDP, unless it is told otherwise.
const DefaultPort = 1883

// Config is what midge demo was asked for.
type Config struct {
	Port     int // of the broker on TCP; 0 = any free one
	SNPort   int // of the gateway on UDP; 0 = any free one
	HTTPPort int // of /healthz and /metrics; 0 = off

	Devices  int           // simulated ones on both links together; default 10
	Interval time.Duration // between two readings of one; default 2 s
	Sleep    time.Duration // of one sleep of a sleeper, whole seconds; default 10 s
	Seed     uint64

	Out      io.Writer               // where to show it
	Terminal bool                    // Out is a terminal: draw in place
	Size     func() (cols, rows int) // of the terminal; nil asks Out if it is a file, and else is 80 by 24
}

// devicesMax bounds the demo's fleet: a person looks at it.
const devicesMax = 1000

func (c Config) withDefaults() Config {
	c.Devices = cmp.Or(c.Devices, 10)
	c.Interval = cmp.Or(c.Interval, 2*time.Second)
	c.Sleep = cmp.Or(c.Sleep, 10*time.Second)
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Size == nil {
		c.Size = func() (int, int) { return sizeOf(c.Out) }
	}
	return c
}

func (c Config) check() error {
	for _, p := range []struct {
		flag string
		port int
	}{{"--port", c.Port}, {"--sn-port", c.SNPort}, {"--http-port", c.HTTPPort}} {
		if p.port < 0 || p.port > 65535 {
			return fmt.Errorf("%s %d: ports are 1 to 65535, and 0 for any free one", p.flag, p.port)
		}
	}
	if c.Devices < 2 || c.Devices > devicesMax {
		return fmt.Errorf("--devices %d: the demo shows 2 to %d", c.Devices, devicesMax)
	}
	return nil
}

// Run shows the demo until ctx ends, which is no error. The error is one sentence about what could not be opened or has failed.
func Run(ctx context.Context, cfg Config) error {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return err
	}
	s, err := build(cfg)
	if err != nil {
		return err
	}
	return s.play(ctx)
}
