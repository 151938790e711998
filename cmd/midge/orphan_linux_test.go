package main

import (
	"os/exec"
	"syscall"
)

// dieWithUs makes the kernel kill a program when this test process ends, however it ends: go test's own time limit runs no clean-up.
func dieWithUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
