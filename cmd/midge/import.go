package main

import (
	"fmt"
	"os"

	"midge/cmd/midge/importer"
)

type importCmd struct {
	File string `arg:"" help:"mosquitto.conf, or a list of predefined topics of the Paho MQTT-SN gateway, bisquitt or EMQX."`
	Host string `placeholder:"NAME" help:"Name of the machine that ran Mosquitto, which is in the client ids of its bridges; without it the name of this one."`
}

// Run prints the configuration on standard output and what it lacks on standard error.
func (c *importCmd) Run() error {
	host := c.Host
	if host == "" {
		var err error
		if host, err = os.Hostname(); err != nil {
			return fmt.Errorf("tell the host name: %w; write it after --host", err)
		}
	}
	r, err := importer.File(c.File, host)
	if err != nil {
		return err
	}
	if _, err := fmt.Print(r.TOML); err != nil {
		return err
	}
	for _, l := range r.Left {
		fmt.Fprintln(os.Stderr, l)
	}
	if n := len(r.Left); n > 0 {
		fmt.Fprintf(os.Stderr, "midge: %d not carried over from this %s\n", n, r.Format)
	}
	return nil
}
