//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// daemonize starts this command again without -d in a session of its own and leaves it behind.
func daemonize() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool { return a == "-d" || a == "--daemon" })
	cmd := exec.Command(self, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = os.Stderr // the log; redirect it, or let systemd run midge without -d
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run in the background: %w", err)
	}
	fmt.Println("midge runs in the background as process", cmd.Process.Pid)
	return cmd.Process.Release()
}
