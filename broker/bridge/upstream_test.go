package bridge

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// patience is how long a real process may take for anything. Nothing waits for it when all is well.
const patience = 30 * time.Second

// mosquitto is a real upstream: a process on a port and a directory of its own.
type mosquitto struct {
	t    testing.TB
	dir  string
	port int
	cmd  *exec.Cmd
	gone chan struct{}
	log  []string // what the process said, since it was last started
}

// startMosquitto writes the configuration and starts the process. Without the program the test is skipped, or fails in CI.
func startMosquitto(t testing.TB, config ...string) *mosquitto {
	t.Helper()
	if _, err := exec.LookPath("mosquitto"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("mosquitto is not installed, and in CI it must be")
		}
		t.Skip("mosquitto is not installed")
	}
	m := &mosquitto{t: t, dir: t.TempDir(), port: freePort(t)}
	lines := append([]string{
		fmt.Sprintf("listener %d 127.0.0.1", m.port), "log_dest stderr", "log_type all", "user root",
		"persistence true", "persistence_location " + m.dir + "/", "max_queued_messages 0",
		"max_inflight_messages 0", // with a limit Mosquitto 2.0 lets new messages overtake queued ones
	}, config...)
	m.file("mosquitto.conf", strings.Join(lines, "\n")+"\n")
	m.start()
	t.Cleanup(func() {
		m.stop()
		if t.Failed() {
			t.Logf("the end of what mosquitto said:\n%s", strings.Join(m.log[max(0, len(m.log)-400):], "\n"))
		}
	})
	return m
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (m *mosquitto) file(name, content string) string {
	path := filepath.Join(m.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// start returns when the listener is open.
func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command("mosquitto", "-c", filepath.Join(m.dir, "mosquitto.conf"))
	stderr, err := m.cmd.StderrPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.gone = make(chan struct{})
	running := make(chan string, 1)
	go func() {
		defer close(m.gone)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			m.log = append(m.log, lines.Text())
			if strings.HasSuffix(lines.Text(), " running") {
				running <- ""
			}
		}
		running <- strings.Join(m.log, "\n")
		m.cmd.Wait()
	}()
	if log := <-running; log != "" {
		m.t.Fatalf("mosquitto did not start:\n%s", log)
	}
}

// stop ends the process as an operator would; it saves its sessions.
func (m *mosquitto) stop() {
	m.cmd.Process.Signal(syscall.SIGTERM)
	<-m.gone
}

func (m *mosquitto) address(scheme string) string {
	return fmt.Sprintf("%s://localhost:%d", scheme, m.port)
}

// client is somebody else who is connected upstream.
type client struct {
	t testing.TB
	paho.Client
	got chan string
}

func (m *mosquitto) client(id string, set func(*paho.ClientOptions)) *client {
	m.t.Helper()
	c := &client{t: m.t, got: make(chan string, 100_000)}
	o := paho.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", m.port)).SetClientID(id)
	o.SetDefaultPublishHandler(func(_ paho.Client, msg paho.Message) {
		c.got <- fmt.Sprintf("%s=%s q%d", msg.Topic(), msg.Payload(), msg.Qos())
	})
	if set != nil {
		set(o)
	}
	c.Client = paho.NewClient(o)
	c.done(c.Connect())
	m.t.Cleanup(func() { c.Disconnect(0) })
	return c
}

func (c *client) done(token paho.Token) {
	c.t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		c.t.Fatalf("the other client upstream works: %v", token.Error())
	}
}

func (c *client) subscribe(filter string) *client {
	c.t.Helper()
	c.done(c.Subscribe(filter, 2, nil))
	return c
}

func (c *client) publish(qos byte, retain bool, topic, payload string) {
	c.t.Helper()
	c.done(c.Publish(topic, qos, retain, payload))
}

// want compares the next messages.
func (c *client) want(sentence string, lines ...string) {
	c.t.Helper()
	for _, w := range lines {
		select {
		case got := <-c.got:
			if got != w {
				c.t.Fatalf("%s: got %q, want %q", sentence, got, w)
			}
		case <-time.After(patience):
			c.t.Fatalf("%s: nothing came, want %q", sentence, w)
		}
	}
}

// collect reads n messages.
func (c *client) collect(n int) (got []string) {
	c.t.Helper()
	timeout := time.After(patience)
	for len(got) < n {
		select {
		case line := <-c.got:
			got = append(got, line)
		case <-timeout:
			c.t.Errorf("%d of %d messages came", len(got), n)
			return got
		}
	}
	return got
}
