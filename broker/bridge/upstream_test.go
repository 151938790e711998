package bridge

import (
	"fmt"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"midge/internal/peertest"
)

// patience is how long a real process may take for anything. Nothing waits for it when all is well.
const patience = 30 * time.Second

// mosquitto is a real upstream.
type mosquitto struct {
	*peertest.Mosquitto
	t testing.TB
}

// startMosquitto starts one that keeps its state in files and logs everything.
func startMosquitto(t testing.TB, config ...string) *mosquitto {
	t.Helper()
	lines := append([]string{
		"log_type all", "persistence true", "persistence_location " + t.TempDir() + "/", "max_queued_messages 0",
		"max_inflight_messages 0", // with a limit Mosquitto 2.0 lets new messages overtake queued ones
	}, config...)
	return &mosquitto{peertest.StartMosquitto(t, lines...), t}
}

func (m *mosquitto) address(scheme string) string {
	return fmt.Sprintf("%s://localhost:%d", scheme, m.Port)
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
	o := paho.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", m.Port)).SetClientID(id)
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
