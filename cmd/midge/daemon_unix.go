//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// readyFD is set in the environment of a midge that is started by -d: it writes one octet to descriptor 3 when it has opened everything.
const readyFD = "MIDGE_READY_FD"

// daemonize starts this command again without -d in a session of its own and leaves it behind when it is ready.
func daemonize() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool { return a == "-d" || a == "--daemon" })
	cmd := exec.Command(self, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = os.Stderr // the log; redirect it, or let systemd run midge without -d
	ready, childs, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("run in the background: %w", err)
	}
	defer ready.Close()
	cmd.ExtraFiles = []*os.File{childs}
	cmd.Env = append(os.Environ(), readyFD+"=3")
	err = cmd.Start()
	childs.Close()
	if err != nil {
		return fmt.Errorf("run in the background: %w", err)
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		cmd.Wait() // it has said why
		return errors.New("it did not start in the background")
	}
	fmt.Println("midge runs in the background as process", cmd.Process.Pid)
	return cmd.Process.Release()
}

// tellStarter says to the midge that started this one with -d that it runs.
func tellStarter() {
	if os.Getenv(readyFD) == "" {
		return
	}
	os.Unsetenv(readyFD)
	f := os.NewFile(3, "starter")
	f.Write([]byte{1})
	f.Close()
}
