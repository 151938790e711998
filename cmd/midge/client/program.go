package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// runProgram is everything around a run: command line, streams, exit code.
func runProgram(ctx context.Context, p program, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parseOptions(p, args)
	if err != nil {
		fmt.Fprintf(stderr, "midge %s: %v; see midge %s --help\n", p, err, p)
		return exitUsage
	}
	if o.help {
		fmt.Fprint(stdout, usage(p))
		return 0
	}
	o.complain = func(format string, args ...any) {
		if !o.quiet {
			fmt.Fprintf(stderr, "midge %s: %s\n", p, fmt.Sprintf(format, args...))
		}
	}
	r, err := newRunner(o, stdin, stdout)
	if err != nil {
		o.complain("%v", err)
		return exitUsage
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	return r.exitCode(r.run(ctx))
}

func newRunner(o *options, stdin io.Reader, stdout io.Writer) (*runner, error) {
	r := &runner{o: o, dial: o.dial, stdin: stdin, stdout: bufio.NewWriter(stdout)}
	r.engine = newEngine(o, func(format string, args ...any) {
		if o.debug {
			fmt.Fprintf(r.stdout, format+"\n", args...)
		}
	})
	if o.program == subProgram {
		r.tool = &subscriber{printer: printer{o}, now: time.Now}
		return r, nil
	}
	p, err := newPublisher(o, stdin)
	r.tool = p
	return r, err
}

// exitCode prints why the program ends, if it is to be told, and returns its code.
func (r *runner) exitCode(err error) int {
	r.stdout.Flush()
	var end *exit
	if !errors.As(err, &end) {
		end = fail(exitUsage, "%v", err)
	}
	if end.text != "" {
		r.o.complain("%s", end.text)
	}
	return end.code
}
