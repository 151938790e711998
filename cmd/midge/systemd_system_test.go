//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"midge/internal/peertest"
)

// manager stands for systemd: it passes sockets to a midge and hears what that says.
type manager struct {
	t     *testing.T
	heard *net.UnixConn
	env   []string
	files []*os.File
	names []string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	heard, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { heard.Close() })
	return &manager{t: t, heard: heard, env: append(os.Environ(), "NOTIFY_SOCKET="+path)}
}

// pass opens a socket for midge and returns its port.
func (m *manager) pass(name, address string) (port int) {
	m.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		m.t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { l.Close(); f.Close() })
	m.files, m.names = append(m.files, f), append(m.names, name)
	return l.Addr().(*net.TCPAddr).Port
}

// start runs midge as systemd does: the sockets are its descriptors from 3 on, and the environment names the process that they are for.
func (m *manager) start(config string) *process {
	m.t.Helper()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" run -c "$1"`, midgePath(m.t), writeFile(m.t, "config.toml", config))
	cmd.Env = append(m.env, fmt.Sprint("LISTEN_FDS=", len(m.files)), "LISTEN_FDNAMES="+strings.Join(m.names, ":"))
	cmd.ExtraFiles = m.files
	return startCommand(m.t, cmd)
}

// wait reads what midge says until this comes, and returns it with all its lines.
func (m *manager) wait(sentence, state string) string {
	m.t.Helper()
	m.heard.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 1000)
	for {
		n, err := m.heard.Read(b)
		if err != nil {
			m.t.Fatalf("%s: %s did not come: %v", sentence, state, err)
		}
		if strings.HasPrefix(string(b[:n]), state) {
			return string(b[:n])
		}
	}
}

func TestUnderSystemd(t *testing.T) {
	peertest.Need(t, "mosquitto_pub", "mosquitto_sub")
	m := newManager(t)
	m.env = append(m.env, "WATCHDOG_USEC=200000")
	mqtt := m.pass("mqtt", "127.0.0.1:0")
	m.pass("spare", "127.0.0.1:0")
	p := m.start(only("[[listener]]\naddress = \"systemd:mqtt\"\n"))
	m.wait("midge says when it is ready", "READY=1")
	for range 3 {
		m.wait("it tells the watchdog again and again that it works", "WATCHDOG=1")
	}
	s := subscribe(t, mqtt, "-t", "#")
	publish(t, mqtt, "-t", "by", "-m", "systemd's socket", "-q", "1")
	s.waitFor("a client comes in by systemd's socket", "by systemd's socket")
	p.cmd.Process.Signal(syscall.SIGHUP)
	if said := m.wait("it says when it reloads", "RELOADING=1"); !strings.Contains(said, "\nMONOTONIC_USEC=") {
		t.Errorf("with the time, which services of type notify-reload must say: got %q", said)
	}
	m.wait("and when that is done", "READY=1")
	p.cmd.Process.Signal(syscall.SIGTERM)
	m.wait("it says when it ends", "STOPPING=1")
	<-p.done
}

func TestSocketsThatSystemdDoesNotPass(t *testing.T) {
	m := newManager(t)
	m.pass("web", "127.0.0.1:0")
	m.pass("open", "0.0.0.0:0")
	for config, want := range map[string]string{
		"[[listener]]\naddress = \"systemd:mqtt\"\n": `systemd has passed no socket named "mqtt"; it has passed "open", "web"`,
		"[[listener]]\naddress = \"systemd:open\"\n": "which lets everyone who reaches it publish and subscribe; write public = true beside it if that is meant",
	} {
		p := m.start(only(config))
		p.waitFor("a start fails and says why", want)
		<-p.done
		if p.err == nil {
			t.Errorf("midge does not start with\n%s", config)
		}
	}
}

// TestReloadKeepsStrangersOut: what midge refuses at its start it refuses at a reload too.
func TestReloadKeepsStrangersOut(t *testing.T) {
	m := newManager(t)
	m.pass("open", "0.0.0.0:0")
	passwords := writeFile(t, "passwords", record(t, "joe", "1"))
	const door = "[[listener]]\naddress = \"systemd:open\"\n"
	p := m.start(only(door + "[auth]\npassword_file = \"" + passwords + "\"\n"))
	m.wait("where everybody needs a password, midge listens for other machines", "READY=1")
	if err := os.WriteFile(p.cmd.Args[len(p.cmd.Args)-1], []byte(only(door)), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Signal(syscall.SIGHUP)
	p.waitFor("nobody comes in without a password because of a reload", "reload refused: everything stays as it was")
	p.waitFor("the reason is that of a start", "which lets everyone who reaches it publish and subscribe; write public = true beside it if that is meant")
}
