package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"midge/cmd/midge/control"
)

// tracing is what midge trace asks for.
type tracing struct {
	Link    string   `json:"link"`
	Clients []string `json:"clients,omitempty"`
}

type traceCmd struct {
	Link    string   `required:"" placeholder:"NAME" help:"Name of the [[link]]."`
	Write   string   `short:"w" required:"" placeholder:"FILE" help:"Capture to write, payloads and all; \"-\" = standard output, for wireshark -k -i - -d udp.port==1883,mqttsn."`
	Clients []string `name:"client" placeholder:"ID" sep:"none" help:"Only what comes from and goes to this client id, with * and ?; may be given several times."`
	Config  string   `short:"c" placeholder:"FILE" help:"Configuration of the midge that is meant; without it ./config.toml if that exists, else the built-in defaults."`
}

// longFlags lets the flags of midge trace be written with one dash, as tcpdump's and firmware-sim's are.
func longFlags(args []string) {
	for i, a := range args {
		for _, name := range []string{"-link", "-client"} {
			if a == name || len(a) > len(name) && a[:len(name)+1] == name+"=" {
				args[i] = "-" + a
			}
		}
	}
}

// outputStuck is how long standard output may take what is left after Ctrl-C.
const outputStuck = 5 * time.Second

// Run has the midge that uses the configuration's data_dir trace the link until ctx or that midge ends.
func (c *traceCmd) Run(ctx context.Context) error {
	dir, err := running(c.Config)
	if err != nil {
		return fmt.Errorf("nothing is traced: %w", err)
	}
	request, err := json.Marshal(tracing{c.Link, c.Clients})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.follow(ctx, dir, traceRequest+" "+string(request)) }()
	select {
	case err = <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err = <-ended:
		return err
	case <-time.After(outputStuck):
		return errors.New("whoever reads the capture does not take it: its end is missing")
	}
}

func (c *traceCmd) follow(ctx context.Context, dir, request string) error {
	to := os.Stdout
	last, err := control.Follow(ctx, dir, request, func() (w io.Writer, err error) {
		if c.Write != "-" {
			// Payloads are nobody else's business.
			to, err = os.OpenFile(c.Write, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		}
		if err == nil {
			fmt.Fprintf(os.Stderr, "tracing link %s; Ctrl-C ends it\n", c.Link)
		}
		return to, err
	})
	if to != nil && to != os.Stdout {
		err = errors.Join(err, to.Close())
	}
	if err == nil {
		fmt.Fprintln(os.Stderr, last)
	}
	return err
}
