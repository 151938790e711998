//go:build !linux

package serial

import (
	"errors"
	"os"
	"runtime"
)

// A Pty is the near end of a pseudo-terminal. Only Linux has it here.
type Pty struct{ *os.File }

// OpenPty fails: virtual serial lines are made on Linux only.
func OpenPty() (*Pty, error) {
	return nil, errors.New("virtual serial lines are made on Linux only, not on " + runtime.GOOS)
}

// Path is the far end.
func (p *Pty) Path() string { return p.Name() }
