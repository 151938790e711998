// Command midge is an MQTT broker, an MQTT-SN gateway and a bridge to a central broker in one binary.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Run     runCmd     `cmd:"" help:"Run the gateway from a configuration."`
	Check   checkCmd   `cmd:"" help:"Check a configuration and print what it would run."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k := kong.Parse(&cli{}, kong.Name("midge"), kong.UsageOnError(),
		kong.Description("MQTT broker, MQTT-SN gateway and bridge for the edge."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "midge:", err)
		os.Exit(1)
	}
}
