package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"midge/internal/peertest"
	"midge/transports/udp"
)

// midge runs a command of midge in a directory to its end.
func midge(t *testing.T, dir string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.Command(midgePath(t), args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := waitOrKill(cmd); err != nil && !errors.As(err, &exit) {
		t.Fatalf("midge %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestVersion(t *testing.T) {
	want := regexp.MustCompile(`^midge version \d+\.\d+\.\d+( \([0-9a-f]{12}\))? go1\.\S+ \w+/\w+\n$`)
	for _, arg := range []string{"version", "--version"} {
		if out, errs, status := midge(t, "", arg); !want.MatchString(out) || errs != "" || status != 0 {
			t.Errorf("midge %s prints release, commit, Go and system: got %q, %q, status %d", arg, out, errs, status)
		}
	}
}

// TestCheck: a good file is described; of a bad one every mistake is a sentence with its line and what would be right.
func TestCheck(t *testing.T) {
	const good = "[node]\nid = \"barn\"\n[[listener]]\naddress = \"127.0.0.1:11883\"\n" +
		"[[link]]\nname = \"field\"\ntype = \"serial\"\ndevice = \"/dev/ttyUSB0\"\nframing = \"hdlc\"\n"
	for name, row := range map[string]struct {
		file       string
		out, wrong []string // parts of what is printed; the lines of what is wrong
	}{
		"good file":         {good, []string{"barn", "127.0.0.1:11883", "link field", "/dev/ttyUSB0, 115200 baud, hdlc"}, nil},
		"empty file":        {"", []string{"127.0.0.1:1883"}, nil},
		"wrong key":         {good + "bauds = 9600\n", nil, []string{`midge: FILE:10: [link] has no key "bauds"; did you mean "baud"?`}},
		"wrong table":       {good + "[bridg]\n", nil, []string{`midge: FILE:10: there is no table [bridg]; did you mean [bridge]?`}},
		"wrong type":        {good + "baud = \"fast\"\n", nil, []string{`midge: FILE:10: [link] baud must be a whole number, not the text "fast"`}},
		"unknown link type": {"[[link]]\nname = \"field\"\ntype = \"serail\"\n", nil, []string{`midge: FILE:3: [link] type = "serail" is unknown; did you mean "serial"?`}},
		"missing device": {"[[link]]\nname = \"field\"\ntype = \"serial\"\n", nil,
			[]string{`midge: FILE:1: [link] of type serial has no device; write for example device = "/dev/ttyUSB0"`}},
		"no TOML": {"[node]\nid = barn\n", nil, []string{`midge: FILE:2: this is not TOML: expected value but found "barn" instead`}},
		"two mistakes": {"[log]\nlevel = \"loud\"\n[gateway]\nid = \"1\"\n", nil,
			[]string{`midge: FILE:2: [log] level = "loud" is unknown; it is one of error, warn, info, debug`, `FILE:4: [gateway] id must be a whole number, not the text "1"`}},
	} {
		file := writeFile(t, "config.toml", row.file)
		// «midge run» says the same, and does not run.
		for _, command := range []string{"check", "run"} {
			if command == "run" && row.wrong == nil {
				continue
			}
			out, errs, status := midge(t, "", command, "-c", file)
			for _, part := range row.out {
				if !strings.Contains(out, part) {
					t.Errorf("%s: midge check describes %q: got\n%s", name, part, out)
				}
			}
			want := strings.ReplaceAll(strings.Join(append(row.wrong, ""), "\n"), "FILE", file)
			if errs != want || (status == 0) != (want == "") || (out == "") != (want != "") {
				t.Errorf("%s: midge %s ends with status %d and says\n%swant\n%s", name, command, status, errs, want)
			}
		}
	}
	dir := t.TempDir()
	if out, _, status := midge(t, dir, "check"); status != 0 || !strings.Contains(out, "127.0.0.1:1883") {
		t.Errorf("without a file there are defaults: status %d, %s", status, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _, status := midge(t, dir, "check"); status != 0 || !strings.Contains(out, "barn") {
		t.Errorf("without -c ./config.toml is read: status %d, %s", status, out)
	}
	if out, errs, status := midge(t, dir, "check", "-c", "none.toml"); status != 1 || out != "" || errs != "midge: read configuration: open none.toml: no such file or directory\n" {
		t.Errorf("a file that is not there is one sentence: status %d, %s%s", status, out, errs)
	}
}

const smallConfig = `
[node]
data_dir = ""
[[listener]]
address = "127.0.0.1:%d"
[[link]]
name = "lan"
type = "udp"
address = "127.0.0.1:%d"
[http]
address = "127.0.0.1:%d"
`

// TestPortInUse: whichever port is taken, one line names it, and midge does not run.
func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	takenUDP, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer takenUDP.Close()
	for what, row := range map[string]struct {
		place int // in smallConfig
		addr  net.Addr
	}{"MQTT listener": {0, taken.Addr()}, "link lan": {1, takenUDP.LocalAddr()}, "http": {2, taken.Addr()}} {
		ports := []any{peertest.FreePort(t), peertest.FreePort(t), peertest.FreePort(t)}
		_, port, _ := net.SplitHostPort(row.addr.String())
		ports[row.place] = atoi(t, port)
		_, errs, status := midge(t, "", "run", "-c", writeFile(t, "config.toml", fmt.Sprintf(smallConfig, ports...)))
		var said []string
		for line := range strings.Lines(errs) {
			if strings.HasPrefix(line, "midge: ") {
				said = append(said, line)
			}
		}
		if status != 1 || len(said) != 1 || !strings.Contains(said[0], row.addr.String()) || !strings.Contains(said[0], "another program") {
			t.Errorf("%s: that address %s is in use is one line: status %d, %q", what, row.addr, status, said)
		}
	}
}

// atoi reads a number.
func atoi(t *testing.T, number string) int {
	t.Helper()
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRunFlags: -p moves the first listener, -v logs the packets of links.
func TestRunFlags(t *testing.T) {
	port, over := peertest.FreePort(t), peertest.FreePort(t)
	file := writeFile(t, "config.toml", fmt.Sprintf(smallConfig, peertest.FreePort(t), over, peertest.FreePort(t)))
	p := start(t, midgePath(t), "run", "-c", file, "-p", fmt.Sprint(port), "-v")
	p.waitFor("midge says when it is ready", "midge is ready")
	publish(t, port, "-t", "a", "-m", "x", "-i", "somebody", "-q", "1")
	p.waitFor("-p moves the first listener", "client=somebody")
	link, err := udp.Dial(fmt.Sprint("127.0.0.1:", over))
	if err != nil {
		t.Fatal(err)
	}
	newDevice(t, link, quick("valve")).connect()
	p.wait("-v logs what happens on links", func(line string) bool {
		return strings.Contains(line, "level=DEBUG") && strings.Contains(line, `packet="CONNECT `)
	})
	p.stop()
	if p.err != nil {
		t.Errorf("SIGTERM ends midge without an error: %v", p.err)
	}
	p.waitFor("the log tells a stop from a crash", "midge has stopped")
	for _, wrong := range []string{"65536", "-1"} {
		if _, errs, status := midge(t, "", "run", "-c", file, "--port="+wrong); status != 1 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, wrong) {
			t.Errorf("a port that cannot be is one sentence: status %d, %q", status, errs)
		}
	}
}

// TestBackground: with -d the command returns at once and leaves a midge behind, which SIGTERM ends.
func TestBackground(t *testing.T) {
	port := peertest.FreePort(t)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(midgePath(t), "run", "-d", "-c", writeFile(t, "config.toml", fmt.Sprintf(smallConfig, port, peertest.FreePort(t), peertest.FreePort(t))))
	cmd.Stderr = log // the process left behind has it too: a pipe would stay open
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("midge run -d: %v", err)
	}
	found := regexp.MustCompile(`^midge runs in the background as process (\d+)\n$`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("the command tells the process: got %q", out)
	}
	pid := atoi(t, string(found[1]))
	ended := false
	t.Cleanup(func() {
		if !ended {
			kill(pid, syscall.SIGKILL)
		}
	})
	until(t, "the midge left behind is ready", func() bool {
		text, _ := os.ReadFile(log.Name())
		return strings.Contains(string(text), "midge is ready")
	})
	publish(t, port, "-t", "a", "-m", "x", "-q", "1")
	if err := kill(pid, syscall.SIGTERM); err != nil {
		t.Fatalf("the process that was told is there: %v", err)
	}
	until(t, "SIGTERM ends it", func() bool {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || bytes.Contains(state, []byte(") Z "))
	})
	ended = true
}

// TestBackgroundThatCannotStart: -d says so when what it leaves behind could not start.
func TestBackgroundThatCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	out, errs, status := midge(t, "", "run", "-d", "-c", writeFile(t, "config.toml", fmt.Sprintf(smallConfig, atoi(t, port), peertest.FreePort(t), peertest.FreePort(t))))
	if status != 1 || out != "" || !strings.Contains(errs, "another program") {
		t.Errorf("a port in use is no success in the background either: status %d, %q, %q", status, out, errs)
	}
}

// kill signals a process that is not our child.
// TestInterrupt: a command that has nothing to put in order ends at once, even while it waits for its input.
func TestInterrupt(t *testing.T) {
	cmd := exec.Command(midgePath(t), "store", "import", "--dir", filepath.Join(t.TempDir(), "data"))
	lines, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines.Write(make([]byte, 1<<20)) // more than a pipe holds: it reads
	cmd.Process.Signal(os.Interrupt)
	var exit *exec.ExitError
	if err := waitOrKill(cmd); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("an interrupt ends it: %v", err)
	}
}

func kill(pid int, s syscall.Signal) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Signal(s)
}
