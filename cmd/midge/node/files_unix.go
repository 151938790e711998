//go:build unix

package node

import "syscall"

// filesMax is how many files and sockets the system lets this process have open; 0 = not known. Go has raised the limit as far as it may.
func filesMax() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int(min(l.Cur, 1<<30))
}
