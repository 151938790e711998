package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"midge/firmware-sim/fleet"
)

// progress shows how a fleet gets on.
type progress struct {
	out      io.Writer
	terminal bool
}

// How often: in place costs nothing to read, lines of a log do.
const (
	everyInPlace = time.Second
	everyLine    = 5 * time.Second
)

// eraseLine goes back to the first column and clears the line (ECMA-48 EL).
const eraseLine = "\r\x1b[K"

// show writes the totals of f at intervals until done is closed.
func (p progress) show(f *fleet.Fleet, done <-chan struct{}) {
	every := everyLine
	if p.terminal {
		every = everyInPlace
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			if p.terminal {
				fmt.Fprint(p.out, eraseLine)
			}
			return
		case <-ticker.C:
			p.line(f.Snapshot())
		}
	}
}

func (p progress) line(t fleet.Totals) {
	if p.terminal {
		fmt.Fprint(p.out, eraseLine, t)
		return
	}
	fmt.Fprintln(p.out, t)
}

// isTerminal reports whether a person may be looking: f is a character device.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
