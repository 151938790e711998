package demo

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/firmware-sim/fleet"
	"midge/transports/linktest"
)

func TestMain(m *testing.M) { linktest.Main(m) }

// transcript is an output that a test can wait for.
type transcript struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // one slot
}

func newTranscript() *transcript { return &transcript{changed: make(chan struct{}, 1)} }

func (o *transcript) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the output contains all of words.
func (o *transcript) await(t *testing.T, words ...string) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		text, missing := o.String(), ""
		for _, w := range words {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-o.changed:
		case <-timeout:
			t.Fatalf("the output tells %q within 20 s; it was:\n%s", missing, text)
		}
	}
}

// person is a client of the demo's broker.
type person struct {
	*broker.Session
	t     *testing.T
	woken chan struct{}
}

// Wake is for the core.
func (p *person) Wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func join(t *testing.T, b *broker.Broker, filter string) *person {
	p := &person{t: t, woken: make(chan struct{}, 1)}
	var err error
	if p.Session, _, err = b.Open(time.Now(), broker.Options{ClientID: "person", Protocol: "test", Waker: p}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Subscribe(time.Now(), []broker.Subscription{{Filter: filter, QoS: mqtt.AtMostOnce}}); err != nil {
		t.Fatal(err)
	}
	return p
}

// say publishes at QoS 1.
func (p *person) say(topic, value string) {
	in := []broker.Inbound{{ID: 1, Message: &broker.Message{Topic: topic, Payload: []byte(value), QoS: mqtt.AtLeastOnce}}}
	if _, err := p.Publish(time.Now(), in); err != nil {
		p.t.Fatalf("a person publishes to %s: %v", topic, err)
	}
}

// hear waits for the next message.
func (p *person) hear() *broker.Message {
	p.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		var dst [1]broker.Outbound
		n, err := p.Next(time.Now(), dst[:])
		if err != nil {
			p.t.Fatal(err)
		}
		if n == 1 && dst[0].Kind == broker.Publish {
			return dst[0].Message
		}
		if n == 1 {
			continue
		}
		select {
		case <-p.woken:
		case <-timeout:
			p.t.Fatal("a message comes within 20 s")
		}
	}
}

// TestCommandReachesASleeper is the demo as a person sees it, without a terminal and with shorter nights.
func TestCommandReachesASleeper(t *testing.T) {
	out := newTranscript()
	cfg := Config{Out: out, Sleep: time.Second, Interval: 200 * time.Millisecond, Seed: 4}.withDefaults()
	s, err := build(cfg)
	if err != nil {
		t.Fatalf("the stage is built on free ports: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.play(ctx) }()

	sleeper := s.where.sleepers[len(s.where.sleepers)-1]
	out.await(t, "Midge demo: 10 simulated devices, 4 of them mostly asleep.", "sub -t 'sensors/#' -v -p "+port(s.where.mqtt),
		"pub -t sensors/"+sleeper+"/set -m 21.5 -q 1 -p "+port(s.where.mqtt),
		"udp-06 connected on link udp", sleeper+" connected on link "+strings.Split(sleeper, "-")[0], sleeper+" fell asleep for 1s")

	p := join(t, s.node.Broker, "sensors/"+sleeper+"/state")
	p.say("sensors/"+sleeper+"/set", "21.5")
	first := p.hear()
	if r, err := fleet.ParsePayload(first.Payload); err != nil || r.Value != "21.5" || r.Device != sleeper {
		t.Errorf("the sleeper answers what it was told, got %q, %v", first.Payload, err)
	}
	out.await(t, "1 message was delivered to "+sleeper)
	p.say("sensors/"+sleeper+"/set", "22.5")
	second := p.hear()
	for bytes.HasPrefix(second.Payload, []byte("21.5 ")) {
		second = p.hear() // at QoS 1 a command or its answer may come again: a machine that is slow enough loses frames of a serial line
	}
	if !bytes.HasPrefix(second.Payload, []byte("22.5 ")) {
		t.Errorf("the next answer is to the second command, got %q", second.Payload)
	}

	cancel()
	began := time.Now()
	if err := <-ended; err != nil {
		t.Errorf("being told to stop is no error, got %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the demo ends within a second, took %v", took)
	}
	if text := out.String(); !strings.Contains(text, " 0 lost; ") || strings.Contains(text, "\x1b") {
		t.Errorf("the summary counts nothing as lost, and nothing plain output says moves a cursor:\n%s", text)
	}
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

func TestOnATerminal(t *testing.T) {
	out := newTranscript()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- Run(ctx, Config{Out: out, Terminal: true, Interval: 100 * time.Millisecond, Devices: 4, Size: func() (int, int) { return 100, 30 }})
	}()
	out.await(t, secondPage+hideCursor+home+"Midge demo: 4 simulated", "udp-02", "udp-03", "active", "asleep 10s")
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("being told to stop is no error, got %v", err)
	}
	_, after, ok := strings.Cut(out.String(), showCursor+firstPage)
	if !ok || !strings.HasPrefix(after, "After ") || strings.Count(after, "\n") != 1 {
		t.Errorf("the terminal is as it was, with the summary on it, got %q", after)
	}
}

func TestPortInUse(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	p, sn := tcp.Addr().(*net.TCPAddr).Port, udp.LocalAddr().(*net.UDPAddr).Port
	rows := []struct {
		cfg  Config
		want string
	}{
		{Config{Port: p}, "port " + strconv.Itoa(p) + ", for MQTT on TCP, is in use by another program; choose another one with --port"},
		{Config{SNPort: sn}, "port " + strconv.Itoa(sn) + ", for MQTT-SN on UDP, is in use by another program; choose another one with --sn-port"},
		{Config{HTTPPort: p}, "port " + strconv.Itoa(p) + ", for health and figures over HTTP, is in use by another program; choose another one with --http-port"},
	}
	for _, row := range rows {
		if err := Run(t.Context(), row.cfg); err == nil || err.Error() != row.want {
			t.Errorf("a port in use is told as %q, got %v", row.want, err)
		}
	}
}

func TestMistakesGetOneSentence(t *testing.T) {
	for _, row := range []struct {
		cfg  Config
		want string
	}{
		{Config{Port: 70000}, "--port 70000"},
		{Config{SNPort: -1}, "--sn-port -1"},
		{Config{Devices: 1}, "--devices 1: the demo shows 2 to 1000"},
	} {
		if err := Run(t.Context(), row.cfg); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("the mistake is told with %q, got %v", row.want, err)
		}
	}
}

func TestFailureOfAPartEndsTheDemo(t *testing.T) {
	s, err := build(Config{Out: newTranscript()}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	s.fleets[0].Run(contextThatEnded(t)) // it runs once, so play's own Run fails
	if err := s.play(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("what fails is told and ends the demo, got %v", err)
	}
}

func contextThatEnded(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
