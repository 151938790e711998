package fleet

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"midge/broker"
	"midge/gateway"
	"midge/mqttsn"
	"midge/transports"
	"midge/transports/serial"
	"midge/transports/udp"
	"midge/transports/xbee"
)

// live runs a fleet for a moment of real time against a gateway that serves link.
func live(t *testing.T, link transports.Link, cfg Config) {
	ctx, cancel := context.WithCancel(t.Context())
	w := &town{t: t, broker: broker.New(broker.Limits{})}
	g := gateway.New(w.broker, gateway.Config{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	done := make(chan error)
	go func() { done <- g.Serve(ctx, "live", link, gateway.LinkConfig{}) }()
	w.ears = w.session("ears", "sensors/#")
	cfg.Interval, cfg.Duration, cfg.SleepDuration = 20*time.Millisecond, 700*time.Millisecond, time.Second
	cfg.QoS, cfg.Payload, cfg.Seed = mqttsn.ExactlyOnce, 40, 5
	r := w.run(ctx, cfg)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the gateway serves the link until its end: %v", err)
	}
	if err := r.Failure(false); err != nil {
		t.Errorf("all goes well on a real link: %v\n%+v\ngateway's end: %+v", err, r.LinkErrors, link.Stats())
	}
	l := w.ledger()
	for _, d := range r.Devices {
		if d.Sent == 0 || uint64(len(l.times[d.Device])) != d.Sent {
			t.Errorf("each of the %d messages of %s is heard, got %d", d.Sent, d.Device, len(l.times[d.Device]))
		}
	}
}

func TestOverUDP(t *testing.T) {
	link, err := udp.Listen(udp.Config{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	live(t, link, Config{Link: "udp://" + link.LocalAddr().String(), Devices: 20, Loss: 0.05, Retry: 300 * time.Millisecond})
}

func TestOverVirtualSerialLine(t *testing.T) {
	for _, framing := range Framings() {
		for _, devices := range []int{1, 4} {
			t.Run(framing, func(t *testing.T) {
				shared, path, err := OpenPty(framing)
				if err != nil {
					t.Skip("this system has no pseudo-terminals:", err)
				}
				var link transports.Link
				if framing == xbeeFraming {
					link, err = xbee.Open(xbee.Config{Device: path, Baud: 115200})
				} else {
					link, err = serial.Open(serial.Config{Device: path, Framing: framing})
				}
				if err != nil {
					t.Fatal(err)
				}
				// Nothing is lost on the line: a device that repeats itself is one that a busy machine has kept waiting.
				live(t, link, Config{Shared: shared, Nodes: Nodes(framing), Devices: devices, Retry: 3 * time.Second})
			})
		}
	}
}
