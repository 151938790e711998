//go:build unix

package demo

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalSize asks the terminal; ok is false when f is none.
func terminalSize(f *os.File) (cols, rows int, ok bool) {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, 0, false
	}
	var size *unix.Winsize
	if conn.Control(func(fd uintptr) { size, err = unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ) }) != nil || err != nil {
		return 0, 0, false
	}
	return int(size.Col), int(size.Row), true
}

func understandsEscapes(*os.File) bool { return true }
