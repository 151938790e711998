package fleet

import (
	"context"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/gateway"
	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports"
	"midge/transports/linktest"
)

func TestMain(m *testing.M) { linktest.Main(m) }

// town is a broker and a gateway on an in-memory radio, with somebody who hears everything. It lives in a synctest bubble.
type town struct {
	t      *testing.T
	net    *linktest.Net
	broker *broker.Broker
	ears   *broker.Session
	stop   func()
}

func newTown(t *testing.T) *town {
	ctx, cancel := context.WithCancel(t.Context())
	w := &town{t: t, net: linktest.NewNet(1), broker: broker.New(broker.Limits{})}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	g := gateway.New(w.broker, gateway.Config{QoSMinusOne: true, Predefined: []gateway.Predefined{{Client: "*", ID: 1, Topic: "sensors/boot"}}}, log)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Serve(ctx, "air", w.net.Gateway(), gateway.LinkConfig{})
	}()
	w.stop = func() { cancel(); <-done }
	w.ears = w.session("ears", "sensors/#")
	return w
}

// session opens a client of the broker that is subscribed to filter at QoS 2 and never loses its queue.
func (w *town) session(id, filter string) *broker.Session {
	s, _, err := w.broker.Open(time.Now(), broker.Options{ClientID: id, Protocol: "test", SessionExpiry: broker.Never, Waker: deaf{}})
	if err != nil {
		w.t.Fatalf("a session for %s opens: %v", id, err)
	}
	if _, err := s.Subscribe(time.Now(), []broker.Subscription{{Filter: filter, QoS: mqtt.ExactlyOnce}}); err != nil {
		w.t.Fatalf("%s subscribes: %v", id, err)
	}
	return s
}

// deaf is a waker for sessions that are pulled by hand.
type deaf struct{}

func (deaf) Wake() {}

// heard pulls all messages that wait.
func (w *town) heard() (messages []*broker.Message) {
	var dst [64]broker.Outbound
	for {
		n, err := w.ears.Next(time.Now(), dst[:])
		if err != nil {
			w.t.Fatalf("the ears pull: %v", err)
		}
		for _, o := range dst[:n] {
			if o.Kind == broker.Publish {
				messages = append(messages, o.Message)
			}
		}
		if n < len(dst) {
			return messages
		}
	}
}

// own gives each device a place of its own on the radio.
func (w *town) own(int) (transports.Link, error) { return w.net.Device(), nil }

// line gives all devices one place.
func (w *town) line() (transports.Link, error) { return w.net.Device(), nil }

func (w *town) run(ctx context.Context, cfg Config) Report {
	f, err := New(cfg)
	if err != nil {
		w.t.Fatalf("the fleet is made: %v", err)
	}
	r, err := f.Run(ctx)
	if err != nil {
		w.t.Fatalf("the fleet runs: %v", err)
	}
	if now := f.Snapshot(); now != r.Totals {
		w.t.Errorf("the snapshot after the end is the report: got %+v, want %+v", now, r.Totals)
	}
	return r
}

// ledger counts how often each message of each device was heard, and notes those that overtook others.
type ledger struct {
	times     map[string]map[uint64]int
	overtaken int
}

func (w *town) ledger() ledger {
	l := ledger{times: map[string]map[uint64]int{}}
	last := map[string]uint64{}
	for _, m := range w.heard() {
		r, err := ParsePayload(m.Payload)
		if err != nil {
			w.t.Errorf("what is heard on %s is a reading: %v", m.Topic, err)
			continue
		}
		if l.times[r.Device] == nil {
			l.times[r.Device] = map[uint64]int{}
		}
		l.times[r.Device][r.Seq]++
		if r.Seq < last[r.Device] && l.times[r.Device][r.Seq] == 1 {
			l.overtaken++
		}
		last[r.Device] = r.Seq
	}
	return l
}

func TestNothingAcknowledgedIsLost(t *testing.T) {
	rows := []struct {
		name   string
		qos    mqttsn.QoS
		shared bool
		seed   uint64
	}{
		{"qos 1, a link each", 1, false, 1},
		{"qos 2, a link each", 2, false, 2},
		{"qos 1, one line", 1, true, 3},
		{"qos 2, one line", 2, true, 4},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t)
				defer w.stop()
				cfg := Config{Devices: 12, QoS: row.qos, Loss: 0.2, Dup: 0.1, Delay: 30 * time.Millisecond, Sleep: 0.5, Seed: row.seed,
					Payload: 64, Interval: 5 * time.Second, Duration: 10 * time.Minute, Retry: 2 * time.Second}
				if row.shared {
					cfg.Shared = w.line
				} else {
					cfg.Open = w.own
				}
				w.check(w.run(t.Context(), cfg), row.qos)
			})
		})
	}
}

// check holds what was heard against what the fleet says.
func (w *town) check(r Report, qos mqttsn.QoS) {
	w.t.Helper()
	if err := r.Failure(false); err != nil {
		w.t.Errorf("seed %d: the fleet has no failure: %v", r.Seed, err)
	}
	if r.Retransmitted == 0 || r.Sleeps == 0 || r.Acknowledged == 0 {
		w.t.Errorf("seed %d: on a bad link something is acknowledged, sent again and asleep: %+v", r.Seed, r.Totals)
	}
	if r.Acknowledged != r.Confirmable || r.Sent != r.Confirmable {
		w.t.Errorf("seed %d: all %d messages at QoS %d are acknowledged, got %d", r.Seed, r.Sent, qos, r.Acknowledged)
	}
	l := w.ledger()
	for _, d := range r.Devices {
		for seq := uint64(1); seq <= d.Sent; seq++ {
			if n := l.times[d.Device][seq]; n == 0 || qos == mqttsn.ExactlyOnce && n != 1 {
				w.t.Errorf("seed %d: message %d of %s was heard %d times at QoS %d", r.Seed, seq, d.Device, n, qos)
			}
		}
		if got := uint64(len(l.times[d.Device])); got != d.Sent {
			w.t.Errorf("seed %d: %d different messages of %s are heard, got %d", r.Seed, d.Sent, d.Device, got)
		}
	}
	if l.overtaken > 0 {
		w.t.Errorf("seed %d: messages of one device are first heard in their order, %d were not", r.Seed, l.overtaken)
	}
}

func TestCommandsReachSleepersAndAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		defer w.stop()
		go func() {
			time.Sleep(15 * time.Second)
			s, _, _ := w.broker.Open(time.Now(), broker.Options{ClientID: "boss", Protocol: "test", Waker: deaf{}})
			in := []broker.Inbound{{Message: &broker.Message{Topic: "sensors/sim-02/set", Payload: []byte("77 now\x1b"), QoS: mqtt.AtMostOnce}}}
			in[0].ID, in[0].Message.QoS = 1, mqtt.AtLeastOnce
			s.Publish(time.Now(), in)
			s.Close(time.Now(), broker.Closing{})
		}()
		r := w.run(t.Context(), Config{Open: w.own, Devices: 2, Sleep: 1, SleepDuration: 30 * time.Second, QoS: 1, Duration: 2 * time.Minute, Seed: 9})
		if got := r.Devices[1].Received; got != 1 {
			t.Errorf("the sleeper takes the command once, got %d", got)
		}
		var answers []string
		for _, m := range w.heard() {
			if m.Topic == "sensors/sim-02/state" {
				answers = append(answers, strings.Fields(string(m.Payload))[0])
			}
		}
		if len(answers) != 1 || answers[0] != "77_now_" {
			t.Errorf(`the sleeper answers once, with the command in one printable word "77_now_", got %q`, answers)
		}
	})
}

func TestNumberInCommandChangesReadings(t *testing.T) {
	p := newProbe(0, newDevice(&Config{Devices: 1, ClientPrefix: "x"}, 0, 512, time.Time{}).rng)
	if !p.set("-40.5") || p.middle != -40.5 || p.value != -40.5 {
		t.Errorf("a number becomes value and middle of the readings, got %v about %v", p.value, p.middle)
	}
	for _, bad := range []string{"on", "NaN", "1e300", ""} {
		if p.set(bad) {
			t.Errorf("%q is no number that a sensor can read", bad)
		}
	}
}

func TestSameSeedSameFleet(t *testing.T) {
	var reports [3]Report
	for i, seed := range []uint64{7, 7, 8} {
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t)
			defer w.stop()
			reports[i] = w.run(t.Context(), Config{Open: w.own, Devices: 5, QoS: Mixed, Sleep: 0.4, Seed: seed, Duration: 3 * time.Minute, Loss: 0.1})
			reports[i].Seed = 0
		})
	}
	if !reflect.DeepEqual(reports[0], reports[1]) {
		t.Errorf("two runs of one seed give one report:\n%+v\n%+v", reports[0], reports[1])
	}
	if reflect.DeepEqual(reports[0], reports[2]) {
		t.Error("another seed gives another report")
	}
}

func TestMixedAndMinusOneNeedNoConnectionToSpeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		defer w.stop()
		r := w.run(t.Context(), Config{Open: w.own, Devices: 3, QoS: mqttsn.QoSMinusOne, Sleep: 1, Interval: time.Minute, Duration: 10*time.Minute + 30*time.Second})
		if r.Sent == 0 || r.Reached != 0 || r.Open != 0 {
			t.Errorf("a fleet at QoS -1 publishes without a session and waits for nothing: %+v", r.Totals)
		}
		heard := w.heard()
		if uint64(len(heard)) != r.Sent {
			t.Errorf("on a good link all %d messages at QoS -1 are heard, got %d", r.Sent, len(heard))
		}
		for _, m := range heard {
			if m.Topic != "sensors/boot" {
				t.Errorf("messages at QoS -1 go to the predefined topic, got %s", m.Topic)
			}
		}
	})
}

func TestEndsSoonAfterItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		defer w.stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := w.run(ctx, Config{Open: w.own, Devices: 20, Sleep: 0.5, QoS: 1, Loss: 0.3})
		if over := r.Elapsed - time.Minute; over > Goodbye {
			t.Errorf("a fleet ends within %v of its context, took %v", Goodbye, over)
		}
		if err := r.Failure(true); err != nil {
			t.Errorf("interrupted, it counts nothing as lost: %v", err)
		}
	})
}

func TestWithoutGatewayNothingIsCalledAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := linktest.NewNet(1)
		f, err := New(Config{Open: func(int) (transports.Link, error) { return net.Device(), nil }, Devices: 2, QoS: 1, Duration: time.Minute, Drain: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Run(t.Context())
		if err != nil {
			t.Fatalf("a silent gateway is no error of Run: %v", err)
		}
		if r.Acknowledged != 0 || r.Reached != 0 || r.ByState[client.Active] != 0 {
			t.Errorf("nobody reaches a gateway that is not there: %+v", r.Totals)
		}
		if err := r.Failure(false); err == nil {
			t.Error("a fleet that reached nobody has failed")
		}
		if _, err := f.Run(t.Context()); err == nil {
			t.Error("a fleet runs once")
		}
	})
}

func TestDevicesGiveASilentGatewayUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		defer w.stop()
		go func() {
			time.Sleep(5 * time.Minute)
			w.stop()
		}()
		r := w.run(t.Context(), Config{Open: w.own, Devices: 4, QoS: 2, Sleep: 0.5, Interval: 10 * time.Second, Duration: 20 * time.Minute, Seed: 3})
		if r.Losses == 0 || r.Skipped == 0 || r.Open == 0 || r.Lost != 0 {
			t.Errorf("devices give a silent gateway up, keep %d messages and forget the rest, none of which is called lost: %+v", queueMax, r.Totals)
		}
	})
}
