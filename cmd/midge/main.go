// Command midge is an MQTT broker, an MQTT-SN gateway and a bridge to a central broker in one binary.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"midge/cmd/midge/client"
	"midge/cmd/midge/node"
	"midge/cmd/midge/passwd"
)

// cli is the command line.
type cli struct {
	Run     runCmd     `cmd:"" help:"Run the gateway from a configuration."`
	Demo    demoCmd    `cmd:"" help:"Show everything at work with simulated sensors: nothing to install, nothing to configure."`
	Reload  reloadCmd  `cmd:"" help:"Have the running gateway read its configuration, password, ACL and certificate files again."`
	Status  statusCmd  `cmd:"" help:"Print what the running gateway says of its links, bridges and devices, or of one device in full, as JSON."`
	Kick    kickCmd    `cmd:"" help:"Have the running gateway disconnect clients, and forget them if that is meant."`
	Behalf  behalfCmd  `cmd:"" name:"subscribe-for" help:"Have the running gateway subscribe a device that cannot do it itself."`
	Trace   traceCmd   `cmd:"" help:"Record what a link of the running gateway carries, for Wireshark."`
	Check   checkCmd   `cmd:"" help:"Check a configuration and print what it would run."`
	Pub     clientCmd  `cmd:"" help:"Publish, with the flags of mosquitto_pub." passthrough:""`
	Sub     clientCmd  `cmd:"" help:"Subscribe, with the flags of mosquitto_sub." passthrough:""`
	Passwd  clientCmd  `cmd:"" help:"Manage a password file, with the flags of mosquitto_passwd." passthrough:""`
	Store   storeCmd   `cmd:"" help:"Look into the state on disk, verify it, or move it to another box."`
	Import  importCmd  `cmd:"" help:"Print a configuration made from the one of Mosquitto or of another MQTT-SN gateway."`
	Version versionCmd `cmd:"" help:"Print the version."`

	PrintVersion kong.VersionFlag `name:"version" help:"Print the version."`
}

// clientCmd stands for a command that parses its own arguments, so that help lists it.
type clientCmd struct {
	Args []string `arg:"" optional:""`
}

func main() {
	if len(os.Args) > 1 {
		args := os.Args[2:]
		switch os.Args[1] { // these have a grammar of their own
		case "pub":
			os.Exit(client.Pub(untilSignal(), args, os.Stdin, os.Stdout, os.Stderr))
		case "sub":
			os.Exit(client.Sub(untilSignal(), args, os.Stdin, os.Stdout, os.Stderr))
		case "passwd":
			os.Exit(passwd.Run(args, os.Stdin, os.Stdout, os.Stderr))
		case "trace":
			longFlags(args)
		}
	}
	keepPrivate()
	k := kong.Parse(&cli{}, kong.Name("midge"), kong.UsageOnError(),
		kong.Description("MQTT broker, MQTT-SN gateway and bridge for the edge."),
		kong.BindToProvider(untilSignal), kong.Vars{"version": node.Version})
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "midge:", err)
		os.Exit(1)
	}
}

// untilSignal is for commands that have something to put in order when they are told to stop. The others end where they are.
func untilSignal() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	return ctx
}
