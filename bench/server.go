package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTime = 15 * time.Second // a server must accept CONNECT within it
	stopTime  = 5 * time.Second  // from SIGTERM to SIGKILL
	readyTick = 5 * time.Millisecond
)

// A server is a started process of a peer.
type server struct {
	target
	cmd  *exec.Cmd
	dir  string // its temporary directory
	tail *tail
	done chan struct{} // closed when the process has ended
}

// A launcher makes the command that serves MQTT on the TCP address mqtt and, if it can, MQTT-SN on the UDP address
// sn. What it writes goes into dir.
type launcher func(dir, mqtt, sn string) (*exec.Cmd, error)

// startServer starts p and returns when it has accepted a client.
func startServer(ctx context.Context, p peer) (*server, error) {
	dir, err := os.MkdirTemp("", "midge-bench-")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	s := &server{dir: dir, tail: &tail{}}
	if err := s.start(ctx, p); err != nil {
		s.stop()
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	return s, nil
}

func (s *server) start(ctx context.Context, p peer) error {
	s.name = p.name
	var err error
	if s.mqtt, err = freeTCP(); err != nil {
		return err
	}
	if p.sn {
		if s.sn, err = freeUDP(); err != nil {
			return err
		}
	}
	return s.run(ctx, p.launch)
}

// run starts the process and returns when it has accepted a client.
func (s *server) run(ctx context.Context, launch launcher) error {
	cmd, err := launch(s.dir, s.mqtt, s.sn)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	cmd.Stdout, cmd.Stderr = s.tail, s.tail
	// A generator that is killed leaves no server behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.pid, s.done = cmd, cmd.Process.Pid, done
	go func() {
		cmd.Wait()
		close(done)
	}()
	return s.ready(ctx)
}

// ready tries to connect until the server accepts, ends, or startTime is over.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(readyTick)
	defer tick.Stop()
	for {
		st, err := connect(ctx, s.mqtt, "ready", 64)
		if err == nil {
			return st.conn.Close()
		}
		select {
		case <-tick.C:
		case <-s.done:
			return fmt.Errorf("the process ended: %s%s", s.cmd.ProcessState, s.said())
		case <-ctx.Done():
			return fmt.Errorf("no client accepted within %s: %w%s", startTime, err, s.said())
		}
	}
}

// died is an error when the process has ended by itself.
func (s *server) died() error {
	select {
	case <-s.done:
		return fmt.Errorf("the server ended during the run: %s%s", s.cmd.ProcessState, s.said())
	default:
		return nil
	}
}

func (s *server) said() string {
	if t := s.tail.String(); t != "" {
		return ", it said: " + t
	}
	return ""
}

// stop ends the process and removes its directory.
func (s *server) stop() error {
	if s.cmd != nil {
		s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.done:
		case <-time.After(stopTime):
			s.cmd.Process.Kill()
			<-s.done
		}
	}
	return os.RemoveAll(s.dir)
}

// freeTCP returns a loopback address whose port nothing listens on now.
func freeTCP() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free TCP port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

func freeUDP() (string, error) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free UDP port: %w", err)
	}
	return c.LocalAddr().String(), c.Close()
}

// tailMax is how many octets of a server's output are kept.
const tailMax = 2000

// A tail keeps the end of what a server writes.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailMax):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}

// errMissing is why a peer is left out: it is not on this machine.
var errMissing = errors.New("not installed")
