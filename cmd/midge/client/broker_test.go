package client

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"midge/internal/peertest"
)

// patience is how long a test waits for another process before it fails.
const patience = 20 * time.Second

// A broker is Debian's mosquitto on a port of its own.
type broker struct {
	t    *testing.T
	port string
	dir  string

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and renewed at each line
}

func needMosquitto(t *testing.T) {
	t.Helper()
	peertest.Need(t, "mosquitto", "mosquitto_pub", "mosquitto_sub")
}

// startBroker starts mosquitto with extra configuration lines, in which DIR is its folder, and waits until it runs.
func startBroker(t *testing.T, extra string) *broker {
	t.Helper()
	needMosquitto(t)
	b := &broker{t: t, port: strconv.Itoa(peertest.FreePort(t)), dir: t.TempDir(), more: make(chan struct{})}
	b.run(extra)
	return b
}

// run starts the process on b.port; it ends with the test, or when the returned function is called.
func (b *broker) run(extra string) (stop func()) {
	b.t.Helper()
	if extra == "" {
		extra = "allow_anonymous true"
	}
	conf := filepath.Join(b.dir, "mosquitto.conf")
	text := fmt.Sprintf("user root\nlog_dest stderr\nlog_type all\nlistener %s 127.0.0.1\n%s\n", b.port, strings.ReplaceAll(extra, "DIR", b.dir))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command("mosquitto", "-c", conf)
	out, _ := cmd.StderrPipe()
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	b.lines = nil
	b.mu.Unlock()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		b.follow(out)
		cmd.Wait()
	}()
	stop = sync.OnceFunc(func() { cmd.Process.Kill(); <-stopped })
	b.t.Cleanup(stop)
	b.wait("running")
	return stop
}

func (b *broker) follow(out io.Reader) {
	for s := bufio.NewScanner(out); s.Scan(); {
		b.mu.Lock()
		b.lines = append(b.lines, s.Text())
		close(b.more)
		b.more = make(chan struct{})
		b.mu.Unlock()
	}
}

// wait waits until a line of the broker's log, since it was started, holds the text.
func (b *broker) wait(text string) {
	b.t.Helper()
	b.waitTimes(text, 1)
}

// waitTimes waits until so many lines hold the text.
func (b *broker) waitTimes(text string, times int) {
	b.t.Helper()
	deadline := time.After(patience)
	for {
		b.mu.Lock()
		found := 0
		for _, l := range b.lines {
			if strings.Contains(l, text) {
				found++
			}
		}
		more := b.more
		b.mu.Unlock()
		if found >= times {
			return
		}
		select {
		case <-more:
		case <-deadline:
			b.t.Fatalf("the broker logs %q %d times within %v", text, times, patience)
		}
	}
}

// A result is what a program left behind.
type result struct {
	code        int
	out, errors string
}

// A started program is waited for once.
type started func() result

// ours starts midge pub or midge sub in this process.
func ours(t *testing.T, p program, stdin string, args ...string) started {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	var out, errs bytes.Buffer
	code := make(chan int, 1)
	go func() { code <- runProgram(ctx, p, args, strings.NewReader(stdin), &out, &errs) }()
	return func() result {
		defer cancel()
		return result{<-code, out.String(), errs.String()}
	}
}

// theirs starts mosquitto_pub or mosquitto_sub.
func theirs(t *testing.T, p program, stdin string, args ...string) started {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	cmd := exec.CommandContext(ctx, "mosquitto_"+string(p), args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME=/nonexistent")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() result {
		defer cancel()
		cmd.Wait()
		return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	}
}

// must runs a program to its good end.
func must(t *testing.T, s started) result {
	t.Helper()
	r := s()
	if r.code != 0 {
		t.Fatalf("the program ends with code 0: got %+v", r)
	}
	return r
}
