package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"midge/firmware-sim/fleet"
)

// options are the command line.
type options struct {
	fleet   fleet.Config
	pty     bool
	framing string // of the virtual port
}

// flagsFor binds the flags to o.
func flagsFor(o *options) *flag.FlagSet {
	f := flag.NewFlagSet("firmware-sim", flag.ContinueOnError)
	f.SetOutput(io.Discard) // a mistake gets one sentence, not a page
	f.Usage = func() {}
	c := &o.fleet
	f.StringVar(&c.Link, "link", "", "`URL` of the gateway: udp://HOST:PORT, serial:///dev/ttyX?baud=115200&framing=raw|hdlc|slip|radiohead|loralink or xbee:///dev/ttyX?baud=9600&ap=2&to=ADDRESS (default udp://127.0.0.1:1883)")
	f.BoolVar(&o.pty, "pty", false, "make a virtual serial port and print the path that the gateway is to open")
	f.StringVar(&o.framing, "framing", "raw", "of the virtual port: "+strings.Join(fleet.Framings(), ", "))
	f.IntVar(&c.Devices, "devices", 10, "how many")
	f.DurationVar(&c.Interval, "interval", time.Second, "between two readings of a device")
	c.QoS = 1
	f.Func("qos", "-1, 0, 1, 2 or mixed (default 1)", func(s string) (err error) {
		c.QoS, err = fleet.ParseQoS(s)
		return err
	})
	f.IntVar(&c.Payload, "payload", 0, "octets of a message; 0 = as short as it can be")
	f.Float64Var(&c.Loss, "loss", 0, "probability 0 to 1 that a frame is lost, each way")
	f.Float64Var(&c.Dup, "dup", 0, "probability that it arrives twice")
	f.Float64Var(&c.Corrupt, "corrupt", 0, "probability that one bit of it is flipped")
	f.DurationVar(&c.Delay, "delay", 0, "time that a frame takes, each way")
	f.DurationVar(&c.Duration, "duration", 0, "how long to publish; 0 = until Ctrl-C")
	f.Uint64Var(&c.Seed, "seed", 1, "another seed is another fleet")
	f.Float64Var(&c.Sleep, "sleep", 0, "share 0 to 1 of the devices that sleep most of the time")
	f.DurationVar(&c.SleepDuration, "sleep-duration", 10*time.Second, "of one sleep, whole seconds")
	f.DurationVar(&c.Retry, "retry", 10*time.Second, "T_retry: wait for an answer before a frame is sent again")
	f.StringVar(&c.ClientPrefix, "prefix", "sim", "client ids are PREFIX-01, PREFIX-02, …")
	return f
}

// defaultLink is where midge listens unless it is told otherwise.
const defaultLink = "udp://127.0.0.1:1883"

// parse reads the command line. A mistake is one sentence; flag.ErrHelp asks for usage.
func parse(args []string) (options, error) {
	var o options
	f := flagsFor(&o)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("%q is not a flag; flags begin with -, see -help", f.Arg(0))
	case o.pty && given["link"]:
		return o, fmt.Errorf("-pty makes its own link, so -link cannot stand beside it; -framing says how the port is framed")
	case given["framing"] && !o.pty:
		return o, fmt.Errorf("-framing is for -pty; for a serial device write -link 'serial:///dev/ttyX?framing=%s'", o.framing)
	case !o.pty && !given["link"]:
		o.fleet.Link = defaultLink
	}
	return o, positive(f, given)
}

// positive refuses zeros that Config would take for «default».
func positive(f *flag.FlagSet, given map[string]bool) error {
	for _, name := range []string{"devices", "interval", "sleep-duration", "retry", "prefix"} {
		v := f.Lookup(name).Value.String()
		if given[name] && (v == "" || v == "0" || v == "0s" || strings.HasPrefix(v, "-")) {
			return fmt.Errorf("-%s %s must be more than that", name, v)
		}
	}
	return nil
}

func usage(w io.Writer) {
	var o options
	fmt.Fprintln(w, "firmware-sim runs simulated MQTT-SN devices against a gateway.")
	f := flagsFor(&o)
	f.SetOutput(w)
	f.PrintDefaults()
}
