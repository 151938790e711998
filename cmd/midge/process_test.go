package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"midge/internal/peertest"
)

// patience is how long an end-to-end test waits for something that must come. It is long because machines are slow at times, and never
// waited for in full when all is well.
const patience = 30 * time.Second

// binary is the midge under test, built once for all tests that run it as a process.
var binary = sync.OnceValues(func() (string, error) {
	return build("midge")
})

// midgePath is where it is.
func midgePath(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// workDir is where binaries are built; TestMain removes it.
var workDir string

func TestMain(m *testing.M) {
	var err error
	if workDir, err = os.MkdirTemp("", "midge-test"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(workDir)
	os.Exit(code)
}

// build compiles this command without cgo, for another system if env says so.
func build(name string, env ...string) (string, error) {
	path := filepath.Join(workDir, name)
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %v\n%s", err, out)
	}
	return path, nil
}

// process is a running program whose output is kept line by line.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when it has ended
	err  error         // how, after done

	mu    sync.Mutex
	lines []string
	news  chan struct{} // closed and replaced with every line
}

// start runs a program until the test ends.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	return startIn(t, "", name, args...)
}

// startIn runs it in a directory.
func startIn(t *testing.T, dir, name string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return startCommand(t, cmd)
}

// startCommand does so with a command that was made ready.
func startCommand(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(cmd.Path), cmd: cmd, done: make(chan struct{}), news: make(chan struct{})}
	r, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	dieWithUs(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(r)
	go func() {
		p.err = p.cmd.Wait()
		w.Close()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("output of %s %s:\n%s", p.name, strings.Join(cmd.Args[1:], " "), strings.Join(p.output(), "\n"))
		}
	})
	return p
}

func (p *process) read(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if strings.HasPrefix(s.Text(), "Client ") {
			continue // what mosquitto_sub -d says of packets, topics among it
		}
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		close(p.news)
		p.news = make(chan struct{})
		p.mu.Unlock()
	}
}

func (p *process) output() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// wait returns the first line that ok accepts, now or later; sentence says what it is.
func (p *process) wait(sentence string, ok func(line string) bool) string {
	p.t.Helper()
	deadline := time.After(patience)
	for seen := 0; ; {
		p.mu.Lock()
		lines, news := p.lines, p.news
		p.mu.Unlock()
		for ; seen < len(lines); seen++ {
			if ok(lines[seen]) {
				return lines[seen]
			}
		}
		select {
		case <-news:
		case <-deadline:
			p.t.Fatalf("%s: %s did not print it", sentence, p.name)
		}
	}
}

func (p *process) waitFor(sentence, part string) string {
	p.t.Helper()
	return p.wait(sentence, func(line string) bool { return strings.Contains(line, part) })
}

// waitCount waits until n lines contain part and returns all of these lines.
func (p *process) waitCount(sentence, part string, n int) (found []string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%s (%d lines with %q)", sentence, n, part), func(line string) bool {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
		return len(found) == n
	})
	return found
}

// stop ends the program politely and waits for it. Mosquitto's clients take locks in their signal handler (seen with 2.0.11): one that the
// signal finds in the wrong place waits for itself for ever, and is killed.
func (p *process) stop() {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	if slices.ContainsFunc(p.cmd.Args, func(arg string) bool { return strings.HasPrefix(arg, "mosquitto_") }) {
		defer time.AfterFunc(patience/10, func() { p.cmd.Process.Kill() }).Stop()
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end after SIGTERM", p.name)
	}
}

// waitOrKill waits for a started program, not longer than patience.
func waitOrKill(cmd *exec.Cmd) error {
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	return cmd.Wait()
}

// run runs a program to its end and returns what it printed.
func run(t *testing.T, name string, args ...string) (output string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startMidge runs midge with a configuration and waits until it is ready.
func startMidge(t *testing.T, config string) *process {
	t.Helper()
	p := start(t, midgePath(t), "run", "-c", writeFile(t, "config.toml", config))
	p.waitFor("midge says when it is ready", "midge is ready")
	return p
}

// mosquitto is a real broker with its state in a directory, so that it can be stopped and started again.
// Its in-flight limit is off: where it begins to queue, Mosquitto 2.0 itself changes the order towards its subscribers.
type mosquitto struct {
	*process
	t    *testing.T
	conf string
	port int
}

// startMosquitto starts one with further lines of configuration; without any it is open to everyone.
func startMosquitto(t *testing.T, lines ...string) *mosquitto {
	t.Helper()
	peertest.Need(t, "mosquitto", "mosquitto_sub", "mosquitto_pub")
	if lines == nil {
		lines = []string{"allow_anonymous true"}
	}
	m := &mosquitto{t: t, port: peertest.FreePort(t)}
	m.conf = writeFile(t, "mosquitto.conf", fmt.Sprintf(
		"listener %d 127.0.0.1\n%s\npersistence true\npersistence_location %s/\nmax_queued_messages 0\nmax_inflight_messages 0\nuser root\n",
		m.port, strings.Join(lines, "\n"), t.TempDir()))
	m.again()
	return m
}

// again starts the broker, the first time or after stop.
func (m *mosquitto) again() {
	m.t.Helper()
	m.process = start(m.t, "mosquitto", "-v", "-c", m.conf)
	m.waitFor("mosquitto starts", "running")
}

// subscribe runs mosquitto_sub and waits for its SUBACK. The lines of messages are «topic payload».
func subscribe(t *testing.T, port int, args ...string) *process {
	t.Helper()
	peertest.Need(t, "mosquitto_sub", "stdbuf")
	// stdbuf: mosquitto_sub holds lines back when its output is no terminal.
	p := start(t, "stdbuf", append([]string{"-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-d", "-F", "%t %p"}, args...)...)
	p.waitFor("mosquitto_sub is subscribed", "Subscribed (mid")
	return p
}

// publish runs mosquitto_pub to its end.
func publish(t *testing.T, port int, args ...string) {
	t.Helper()
	peertest.Need(t, "mosquitto_pub")
	if out, err := run(t, "mosquitto_pub", append([]string{"-h", "127.0.0.1", "-p", fmt.Sprint(port)}, args...)...); err != nil {
		t.Fatalf("mosquitto_pub %s: %v: %s", strings.Join(args, " "), err, out)
	}
}
