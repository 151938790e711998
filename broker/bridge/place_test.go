package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// place is a local broker with one client and a bridge.
type place struct {
	t      testing.TB
	bridge *Bridge
	local  *broker.Session
	wake   waker
	nextID uint16
	stop   func()
}

func startPlace(t testing.TB, cfg Config) *place {
	t.Helper()
	return startPlaceWith(t, cfg, nil)
}

func startPlaceWith(t testing.TB, cfg Config, dial dialer) *place {
	t.Helper()
	core := broker.New(broker.Limits{})
	p := &place{t: t, wake: make(waker, 1)}
	var err error
	p.local, _, err = core.Open(time.Now(), broker.Options{ClientID: "local", Protocol: "test", SessionExpiry: broker.Never, Waker: p.wake})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Name, cfg.ClientID, cfg.AvailabilityTopic = "cloud", "box-cloud", stateTopic
	p.bridge = New(core, cfg, slog.New(slog.NewTextHandler(testLog{t}, nil)))
	p.bridge.dial = dial
	p.bridge.waits = [2]time.Duration{5 * time.Millisecond, 50 * time.Millisecond}
	if err := p.bridge.Open(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.bridge.Run(ctx) }()
	p.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the bridge ended with %v", err)
		}
		ended <- nil
	}
	t.Cleanup(func() { p.stop() })
	return p
}

type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func (p *place) publish(qos mqtt.QoS, retain bool, topic, payload string) {
	p.t.Helper()
	p.nextID++
	m := &broker.Message{Topic: topic, Payload: []byte(payload), QoS: qos, Retain: retain}
	if _, err := p.local.Publish(time.Now(), []broker.Inbound{{ID: p.nextID, Message: m}}); err != nil {
		p.t.Fatal(err)
	}
	p.local.Release(p.nextID)
}

func (p *place) subscribe(filter string) {
	p.t.Helper()
	if _, err := p.local.Subscribe(time.Now(), []broker.Subscription{{Filter: filter, QoS: 2, RetainAsPublished: true}}); err != nil {
		p.t.Fatal(err)
	}
}

// want compares the next messages that the local client gets.
func (p *place) want(sentence string, lines ...string) {
	p.t.Helper()
	timeout := time.After(patience)
	var one [1]broker.Outbound
	for len(lines) > 0 {
		n, err := p.local.Next(time.Now(), one[:])
		if err != nil {
			p.t.Fatal(err)
		}
		if n == 0 {
			select {
			case <-p.wake:
			case <-timeout:
				p.t.Fatalf("%s: nothing came, want %q", sentence, lines[0])
			}
			continue
		}
		switch o := one[0]; o.Kind {
		case broker.Pubrel:
			p.local.Completed(o.ID)
		case broker.Publish:
			got := fmt.Sprintf("%s=%s q%d%s", o.Message.Topic, o.Message.Payload, o.QoS, map[bool]string{true: " retain"}[o.Retain])
			if got != lines[0] {
				p.t.Fatalf("%s: got %.200q, want %.200q", sentence, got, lines[0])
			}
			lines = lines[1:]
			if o.QoS == 1 {
				p.local.Acked(o.ID)
			} else if o.QoS == 2 {
				p.local.Received(o.ID)
			}
		}
	}
}
