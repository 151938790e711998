package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	quick bool
	runs  int
	only  []string // works, empty = all
	peers []string
	midge string        // a ready binary, "" = build it from root
	root  string        // Midge's checkout
	grain time.Duration // of slow senders, see pace
}

func main() {
	if err := command(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// command is the program: the benchmark, or the child process that serves an embedded peer.
func command(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "serve-mochi":
			return serve(args, serveMochi)
		case "serve-mochi-pebble":
			return serve(args, serveMochiPebble)
		case "serve-nats":
			return serve(args, serveNats)
		}
	}
	opt, err := parseOptions(args)
	if err != nil {
		return err
	}
	if err := raiseFileLimit(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return bench(ctx, opt)
}

func serve(args []string, run func(addr string) error) error {
	fs := flag.NewFlagSet(args[0], flag.ContinueOnError)
	addr := fs.String("addr", "127.0.0.1:1883", "listen here")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	return run(*addr)
}

func parseOptions(args []string) (options, error) {
	var opt options
	var only, peers string
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.BoolVar(&opt.quick, "quick", false, "one short run of each work")
	fs.IntVar(&opt.runs, "runs", 0, "runs of each work on each server; 0 = 3, with -quick 1")
	fs.StringVar(&only, "only", "", "works, separated by commas; empty = all: "+strings.Join(workNames(), ", "))
	fs.StringVar(&peers, "peers", strings.Join(peerOrder, ","), "servers, separated by commas")
	fs.StringVar(&opt.midge, "midge", "", "a ready midge binary; empty = build it")
	fs.StringVar(&opt.root, "root", "..", "Midge's checkout")
	fs.DurationVar(&opt.grain, "grain", 0, "slow senders send in bunches, at multiples of this time; 0 = each message alone")
	if err := fs.Parse(args); err != nil {
		return opt, err
	}
	if fs.NArg() > 0 {
		return opt, fmt.Errorf("unknown argument %q; works are named with -only", fs.Arg(0))
	}
	if opt.runs == 0 && opt.quick {
		opt.runs = 1
	} else if opt.runs == 0 {
		opt.runs = 3
	}
	opt.only, opt.peers = list(only), list(peers)
	return opt, opt.check()
}

// check refuses names that do not exist.
func (opt options) check() error {
	if opt.runs < 1 {
		return fmt.Errorf("-runs is %d, it must be at least 1", opt.runs)
	}
	for _, name := range opt.only {
		if !slices.Contains(workNames(), name) {
			return fmt.Errorf("-only: no work is named %q; there are %s", name, strings.Join(workNames(), ", "))
		}
	}
	for _, name := range opt.peers {
		if finders[name] == nil {
			return fmt.Errorf("-peers: no server is named %q; there are %s", name, strings.Join(peerOrder, ", "))
		}
	}
	return nil
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func workNames() (names []string) {
	for _, w := range works {
		names = append(names, w.name)
	}
	for _, w := range durableWorks {
		names = append(names, w.name)
	}
	return names
}

// raiseFileLimit lets this process and the servers that it starts open as many files as the system allows. Without the
// explicit call a child would get the soft limit back that this process was started with.
func raiseFileLimit() error {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	lim.Cur = lim.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("raise the limit of open files to %d: %w", lim.Max, err)
	}
	return nil
}
