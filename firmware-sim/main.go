package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"midge/firmware-sim/fleet"
)

// Exit statuses.
const (
	exitGood   = 0
	exitLost   = 1 // or a link that failed
	exitMisuse = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr, isTerminal(os.Stdout))
	stop()
	os.Exit(status)
}

// run is the whole command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, terminal bool) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		usage(stdout)
		return exitGood
	}
	if err == nil && o.pty {
		err = openPty(&o, stdout)
	}
	var f *fleet.Fleet
	if err == nil {
		f, err = fleet.New(o.fleet)
	}
	if err != nil {
		fmt.Fprintf(stderr, "firmware-sim: %v\n", err)
		return exitMisuse
	}
	report, err := play(ctx, f, stdout, terminal)
	if err == nil {
		report.Print(stdout)
		err = report.Failure(ctx.Err() != nil)
	}
	if err != nil {
		fmt.Fprintf(stderr, "firmware-sim: %v\n", err)
		return exitLost
	}
	return exitGood
}

// openPty makes the virtual serial port of -pty and says where it is.
func openPty(o *options, stdout io.Writer) error {
	shared, path, err := fleet.OpenPty(o.framing)
	if err != nil {
		return err
	}
	o.fleet.Shared, o.fleet.Nodes = shared, fleet.Nodes(o.framing)
	kind := "with framing " + o.framing
	if o.framing == "xbee" {
		kind = "as an xbee link"
	}
	fmt.Fprintf(stdout, "the gateway is to open %s %s\n", path, kind)
	return nil
}

// play runs the fleet and shows how it gets on.
func play(ctx context.Context, f *fleet.Fleet, stdout io.Writer, terminal bool) (fleet.Report, error) {
	done := make(chan struct{})
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		progress{out: stdout, terminal: terminal}.show(f, done)
	}()
	report, err := f.Run(ctx)
	close(done)
	<-shown
	return report, err
}
