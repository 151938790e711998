package peertest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Mosquitto is a real broker: a process on a port and in a directory of its own.
type Mosquitto struct {
	Port int    // on 127.0.0.1
	Dir  string // goes when the test ends

	t    testing.TB
	cmd  *exec.Cmd
	log  []string // what the process has said; read once it is gone
	gone chan struct{}
}

// logTail is how many lines of the log a failed test shows.
const logTail = 400

// StartMosquitto starts one with further lines of configuration, and ends it with the test. Without the program the test is skipped.
func StartMosquitto(t testing.TB, config ...string) *Mosquitto {
	t.Helper()
	Need(t, "mosquitto")
	m := &Mosquitto{t: t, Port: FreePort(t), Dir: t.TempDir()}
	lines := append([]string{fmt.Sprintf("listener %d 127.0.0.1", m.Port), "user root", "log_dest stderr"}, config...)
	if err := os.WriteFile(m.conf(), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.Start()
	t.Cleanup(func() {
		m.Stop()
		if t.Failed() {
			t.Logf("the end of what mosquitto said:\n%s", strings.Join(m.log[max(0, len(m.log)-logTail):], "\n"))
		}
	})
	return m
}

func (m *Mosquitto) conf() string { return filepath.Join(m.Dir, "mosquitto.conf") }

// Start returns when its listener is open. It is for after Stop.
func (m *Mosquitto) Start() {
	m.t.Helper()
	m.cmd, m.gone = exec.Command("mosquitto", "-c", m.conf()), make(chan struct{})
	stderr, err := m.cmd.StderrPipe()
	if err == nil {
		err = m.cmd.Start()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	running := make(chan bool, 2)
	go func() {
		defer close(m.gone)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if m.log = append(m.log, lines.Text()); strings.HasSuffix(lines.Text(), " running") {
				running <- true
			}
		}
		m.cmd.Wait()
		running <- false
	}()
	if !<-running {
		m.t.Fatalf("mosquitto did not start:\n%s", strings.Join(m.log, "\n"))
	}
}

// Stop ends the process as an operator would; it saves its sessions.
func (m *Mosquitto) Stop() {
	m.cmd.Process.Signal(syscall.SIGTERM)
	<-m.gone
}
