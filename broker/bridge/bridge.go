package bridge

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// protocol is the bridge's name in the core's counters.
const protocol = "bridge"

// Config says where a bridge goes and what it carries.
type Config struct {
	Name    string // unique among the bridges; part of the local client id
	Address string // mqtt://host:port or tcp://, mqtts:// or ssl://; the port is 1883, or 8883 with TLS, unless given

	ClientID string // at the other broker
	Username string // "" = none
	Password string
	CAFile   string // PEM; "" = the system's certificates
	CertFile string // PEM; client certificate, "" = none
	KeyFile  string // PEM; goes with CertFile

	KeepAlive   time.Duration // in whole seconds; 0 = one minute
	MaxInflight int           // messages unacknowledged upstream, 1…65535; 0 = 20

	// AvailabilityTopic upstream holds a retained "1" while the bridge is connected, else "0". "" = none, for an upstream that does not let the bridge publish
	// there and closes the connection for it.
	AvailabilityTopic string

	Topics []Topic

	Rand *rand.Rand // draws the waits between connections; nil = seeded by the system
}

func (c Config) withDefaults() Config {
	c.KeepAlive = cmp.Or(c.KeepAlive, keepAliveDefault)
	c.MaxInflight = cmp.Or(c.MaxInflight, maxInflightDefault)
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return c
}

// A Bridge joins the local broker to another one.
type Bridge struct {
	broker *broker.Broker
	cfg    Config
	log    *slog.Logger
	ledger *ledger
	dial   dialer           // nil: as Config.Address says
	waits  [2]time.Duration // first and longest between connections
	runner *runner          // nil before Open
}

// New returns a bridge that does nothing until Open.
func New(b *broker.Broker, cfg Config, log *slog.Logger) *Bridge {
	b.Protocols(protocol)
	return &Bridge{
		broker: b, cfg: cfg.withDefaults(), log: log.With("bridge", cfg.Name),
		ledger: newLedger(cfg.Name), waits: [2]time.Duration{backoffBase, backoffCap},
	}
}

// Check returns the error that Open would, without a broker: one sentence for a setting that cannot work, or a file that cannot be read.
func Check(cfg Config) error {
	b := &Bridge{cfg: cfg.withDefaults()}
	_, err := newMapping(b.cfg.Topics)
	if err == nil {
		_, err = newTarget(b.cfg)
	}
	return b.named(err)
}

// Status is a snapshot. It may be asked for at any time, from any goroutine.
func (b *Bridge) Status() Status { return b.ledger.snapshot(time.Now()) }

// Open takes the bridge's local session: what is published from now on goes upstream. One sentence comes back for what will not pass: a setting that
// cannot work, or a file that cannot be read.
func (b *Bridge) Open() error {
	r, err := b.newRunner()
	if err == nil {
		err = r.open(time.Now())
	}
	b.runner = r
	return b.named(err)
}

// Run, after Open, works until ctx ends and then returns nil, when everything that it started has ended; that takes less than a second. An upstream
// that cannot be reached is no error; another front end that takes the bridge's local session is one.
func (b *Bridge) Run(ctx context.Context) error { return b.named(b.runner.run(ctx)) }

func (b *Bridge) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bridge %s: %w", b.cfg.Name, err)
}

func (b *Bridge) newRunner() (*runner, error) {
	m, err := newMapping(b.cfg.Topics)
	if err != nil {
		return nil, err
	}
	t, err := newTarget(b.cfg)
	if err != nil {
		return nil, err
	}
	r := &runner{
		Bridge: b, mapping: m, peer: t.hostPort, connectTo: t.dial,
		backoff: backoff{rand: b.cfg.Rand, base: b.waits[0], top: b.waits[1]}, version: versionBridge,
		inbox: newInbox(), wake: make(waker, 1), stall: max(stallMin, b.cfg.KeepAlive),
		doubtful: b.cfg.MaxInflight, logged: make(map[string]time.Time), timer: time.NewTimer(0),
	}
	if b.dial != nil {
		r.connectTo = b.dial
	}
	return r, nil
}

// waker is the core's wake-up: one slot.
type waker chan struct{}

// Wake implements broker.Waker.
func (w waker) Wake() { slot(w) }

// open takes the local session and makes its subscriptions what the configuration says.
func (r *runner) open(now time.Time) error {
	s, _, err := r.broker.Open(now, broker.Options{
		ClientID:       "$bridge/" + r.cfg.Name,
		Protocol:       protocol,
		SessionExpiry:  broker.Never,
		ReceiveMaximum: uint16(min(r.cfg.MaxInflight, 65535)),
		Waker:          r.wake,
	})
	if err != nil {
		return err
	}
	r.session = s
	r.ledger.update(func(st *Status) { r.ledger.waiting, st.Since = s.Waiting, now })
	subs := r.mapping.localSubscriptions()
	gone := s.Subscriptions()
	for _, sub := range subs {
		delete(gone, sub.Filter)
	}
	for f := range gone {
		if _, err := s.Unsubscribe(now, []string{f}); err != nil {
			return err
		}
	}
	reasons, err := s.Subscribe(now, subs)
	for i, reason := range reasons {
		if reason.Failed() {
			r.log.Error("local subscription refused", "topic", subs[i].Filter, "reason", reason)
		}
	}
	return err
}

// publishLocal hands one message to the core.
func (r *runner) publishLocal(now time.Time, id uint16, m *broker.Message) error {
	if m.QoS == mqtt.AtMostOnce {
		id = 0
	}
	r.again = true
	busy, err := r.session.Publish(now, []broker.Inbound{{ID: id, Message: m}})
	if busy != nil {
		r.busy, r.busyUntil = busy, now.Add(busyPauseMax)
	}
	return err
}
