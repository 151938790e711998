package demo

import (
	"io"
	"os"
)

// Terminal reports whether f is a terminal on which the demo can draw in place.
func Terminal(f *os.File) bool {
	if _, _, ok := terminalSize(f); !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	return understandsEscapes(f)
}

// sizeOf is the terminal's size in columns and rows, 80 by 24 where nobody knows.
func sizeOf(out io.Writer) (cols, rows int) {
	if f, ok := out.(*os.File); ok {
		if cols, rows, ok := terminalSize(f); ok && cols > 0 && rows > 0 {
			return cols, rows
		}
	}
	return 80, 24
}
