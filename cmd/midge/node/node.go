// Package node builds a whole Midge from a configuration and runs it: the core, the listeners, the links, the bridges
// and the HTTP server, each in its own goroutine, all of them owned by [Node.Run].
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"

	"midge/broker"
	"midge/broker/bridge"
	"midge/broker/listener"
	"midge/broker/store"
	"midge/cmd/midge/config"
	"midge/cmd/midge/systemd"
	"midge/gateway"
)

// A Node is one Midge, built but not yet running. Its sockets are open: what could not be opened was said by New.
type Node struct {
	log       *slog.Logger
	cfg       *config.Config // that it was built from
	Broker    *broker.Broker
	Server    *listener.Server
	Gateway   *gateway.Gateway
	doors     doors
	listeners []*listener.Listener // in the order of the configuration
	links     []link
	bridges   []*bridge.Bridge

	store    *store.Store // nil once it is closed
	metrics  func() store.Metrics
	salvaged string // what was lost when the store was found damaged; "" = nothing

	parts []part
	undo  []func() // closes what New opened; harmless when that is closed already
	ready atomic.Bool
}

// part is something that runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
}

// New opens everything that cfg names. On an error nothing stays open.
func New(cfg *config.Config, log *slog.Logger) (n *Node, err error) {
	n = &Node{log: log, cfg: cfg}
	if err := n.restore(cfg); err != nil {
		return nil, err
	}
	n.Add("broker", n.Broker.Run)
	n.Add("memory", saveMemory)
	if err := n.guard(cfg); err != nil {
		n.Close()
		return nil, err
	}
	files := filesMax()
	bound := connections(files)
	if bound < connectionsMax {
		log.Info("connections are bounded by the files that the system lets this process open", "connections", bound, "files", files)
	}
	n.Server = listener.New(n.Broker, listener.Config{Connections: bound, KeepMax: cfg.Limits.PersistentClientExpiration.Duration}, log)
	g := gatewayConfig(cfg.Gateway)
	g.Access = func(user, clientID string) broker.Access { return n.doors.links.Follow(user, clientID) }
	if cfg.Gateway.AvailabilityTopic != "" {
		g.StateTopic = func(client string) string { return cfg.Gateway.AvailabilityAt(cfg.Node.Name(), client) }
	}
	if cfg.Gateway.AdvertiseBridged {
		g.Advertised = n.bridged
	}
	n.Gateway = gateway.New(n.Broker, g, log)
	if err := n.open(cfg); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

func (n *Node) open(cfg *config.Config) error {
	for i, l := range cfg.Listeners {
		if err := n.listen(l, n.doors.listeners[i], cfg.Who(l), cfg.MustBeLocal(l)); err != nil {
			return err
		}
	}
	for _, l := range cfg.Links {
		if err := n.link(l, cfg.WhoOnLink(l)); err != nil {
			return err
		}
	}
	for _, b := range cfg.Bridges {
		if err := n.bridge(b, cfg.Node.Name()); err != nil {
			return err
		}
	}
	n.sys(cfg.Node)
	return n.http(cfg.HTTP)
}

// Add adds a part that runs as long as the node does; before Run.
func (n *Node) Add(name string, run func(context.Context) error) {
	n.parts = append(n.parts, part{name, run})
}

// InUse is the one sentence for an address that cannot be opened, because it is taken or is not this machine's.
func InUse(what, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &cannotOpen{what + ": address " + address + " is in use by another program", syscall.EADDRINUSE}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return &cannotOpen{what + ": no network interface of this machine has the address of " + address + " now", syscall.EADDRNOTAVAIL}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// cannotOpen is one sentence for a cause that errors.Is still finds.
type cannotOpen struct {
	sentence string
	cause    error
}

func (e *cannotOpen) Error() string { return e.sentence }

func (e *cannotOpen) Unwrap() error { return e.cause }

// Close releases what New opened, for a Node that is not run.
func (n *Node) Close() error {
	for _, undo := range n.undo {
		undo()
	}
	return n.stopStore()
}

// Run runs all parts until ctx ends or one of them fails, and returns when all have ended.
func (n *Node) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for _, p := range n.parts {
		wg.Go(func() {
			if err := p.run(ctx); err != nil && ctx.Err() == nil {
				stop(fmt.Errorf("%s: %w", p.name, err))
			}
		})
	}
	wg.Go(func() {
		if err := systemd.Watch(ctx, func() { n.Broker.Counters() }); err != nil {
			n.log.Warn("systemd's watchdog is not served", "err", err)
		}
	})
	n.ready.Store(true)
	n.log.Info("midge is ready")
	systemd.Ready()
	wg.Go(func() {
		<-ctx.Done()
		systemd.Stopping()
	})
	wg.Wait()
	closed := n.Close()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	if closed == nil {
		n.log.Info("midge has stopped") // without this line a log that ends tells of a crash or a power cut
	}
	return closed
}
