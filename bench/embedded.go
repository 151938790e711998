package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/hooks/storage/pebble"
	"github.com/mochi-mqtt/server/v2/listeners"
	nats "github.com/nats-io/nats-server/v2/server"
)

// embedded finds a broker that is a library: it runs in a child process of this same program, `bench serve-NAME -addr
// HOST:PORT`, so that its CPU time and memory are its own.
func embedded(name, module string) finder {
	return func(context.Context, string, options) (peer, error) {
		self, err := os.Executable()
		if err != nil {
			return peer{}, fmt.Errorf("find this program: %w", err)
		}
		return peer{name: name, version: module + " " + moduleVersion(module), launch: child(self, "serve-"+name)}, nil
	}
}

// child makes the command `bench COMMAND -addr HOST:PORT`.
func child(self, command string) launcher {
	return func(dir, mqtt, _ string) (*exec.Cmd, error) {
		cmd := exec.Command(self, command, "-addr", mqtt)
		cmd.Dir = dir
		return cmd, nil
	}
}

// durably gives an embedded peer a command that keeps its state in the working directory.
func durably(find finder, command string) finder {
	return func(ctx context.Context, tmp string, opt options) (peer, error) {
		p, err := find(ctx, tmp, opt)
		if err != nil {
			return peer{}, err
		}
		self, err := os.Executable()
		p.durable = func(storeOptions) launcher { return child(self, command) }
		return p, err
	}
}

func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "of unknown version"
}

// newMochi makes a mochi server on addr that lets everyone in; inline allows its Publish. Its bounds are its own defaults.
func newMochi(addr string, inline bool) (*mochi.Server, error) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	s := mochi.New(&mochi.Options{Logger: quiet, InlineClient: inline})
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		return nil, fmt.Errorf("mochi: allow everyone: %w", err)
	}
	if err := s.AddListener(listeners.NewTCP(listeners.Config{ID: "bench", Address: addr})); err != nil {
		return nil, fmt.Errorf("mochi: listen on %s: %w", addr, err)
	}
	return s, nil
}

// serveMochi is the child process of the peer mochi; it ends with SIGTERM.
func serveMochi(addr string) error {
	s, err := newMochi(addr, false)
	if err != nil {
		return err
	}
	if err := s.Serve(); err != nil {
		return fmt.Errorf("mochi: serve: %w", err)
	}
	untilTerminated()
	return s.Close()
}

// serveMochiPebble is the same with mochi's Pebble hook, which syncs every message before the publisher gets PUBACK. Its bounds are as wide as it allows: a session holds at
// most 65,535 messages.
func serveMochiPebble(addr string) error {
	s, err := newMochi(addr, false)
	if err != nil {
		return err
	}
	s.Options.Capabilities.MaximumInflight = math.MaxUint16
	if err := s.AddHook(new(pebble.Hook), &pebble.Options{Path: "pebble", Mode: pebble.Sync}); err != nil {
		return fmt.Errorf("mochi: open its store: %w", err)
	}
	if err := s.Serve(); err != nil {
		return fmt.Errorf("mochi: serve: %w", err)
	}
	untilTerminated()
	return s.Close()
}

// serveNats is the child process of the peer nats: NATS's MQTT front end needs JetStream, whose store goes into the
// working directory, which the parent removes.
func serveNats(addr string) error {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return fmt.Errorf("nats: port of %s: %w", addr, err)
	}
	s, err := nats.NewServer(&nats.Options{
		ServerName: "bench", Host: "127.0.0.1", Port: nats.RANDOM_PORT,
		NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: "jetstream",
		MQTT: nats.MQTTOpts{Host: host, Port: port},
	})
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(startTime - time.Second) {
		return fmt.Errorf("nats: not ready within %s", startTime-time.Second)
	}
	untilTerminated()
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

func untilTerminated() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM, os.Interrupt)
	<-c
}
