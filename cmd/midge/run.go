package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"midge/cmd/midge/config"
	"midge/cmd/midge/node"
)

// defaultConfig is read when -c is not given and the file is there.
const defaultConfig = "config.toml"

type runCmd struct {
	Config  string `short:"c" placeholder:"FILE" help:"Configuration; without it ./config.toml if that exists, else the built-in defaults."`
	Port    int    `short:"p" placeholder:"PORT" help:"Port of the first MQTT listener, instead of the configured one."`
	Verbose bool   `short:"v" help:"Log everything, MQTT-SN packets too."`
	Daemon  bool   `short:"d" help:"Run in the background."`
}

// Run builds the node and runs it until the process is told to stop.
func (c *runCmd) Run(ctx context.Context) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // now: one that comes while it starts must not end it
	cfg, err := c.read()
	if err != nil {
		return err
	}
	if c.Daemon {
		return daemonize()
	}
	level := new(slog.LevelVar)
	var topics *node.LogTopics
	if cfg.Log.Topic {
		topics = node.NewLogTopics()
	}
	log := logger(cfg.Log, level, topics)
	n, err := node.New(cfg, log)
	if err != nil {
		return err
	}
	if topics != nil {
		n.PublishLog(topics)
	}
	r := &reloader{read: c.read, node: n, level: level, log: log}
	n.Control(requests{r, n}.answer)
	n.Add("hangups", func(ctx context.Context) error { return r.heed(ctx, hangups) })
	tellStarter()
	addProcessor()
	return n.Run(ctx)
}

// read reads the configuration and makes it what the flags say.
func (c *runCmd) read() (*config.Config, error) {
	cfg, err := load(c.Config)
	if err != nil {
		return nil, err
	}
	if c.Port < 0 || c.Port > 65535 {
		return nil, fmt.Errorf("-p %d is no port; it goes from 1 to 65535", c.Port)
	}
	if c.Port != 0 {
		if err := setPort(cfg, c.Port); err != nil {
			return nil, err
		}
	}
	if c.Verbose {
		cfg.Log.Level = "debug"
	}
	return cfg, cfg.Validate()
}

// setPort changes the port of the first listener that has one.
func setPort(cfg *config.Config, port int) error {
	for i, l := range cfg.Listeners {
		if _, opened := l.SystemdName(); opened || l.Type == "unix" {
			continue
		}
		host, _, err := net.SplitHostPort(l.Address)
		cfg.Listeners[i].Address = net.JoinHostPort(host, strconv.Itoa(port))
		return err
	}
	return nil
}

// addProcessor makes up for a processor (P) that listeners and links hold while they wait for the next packet of a busy moment. They
// always leave one (see internal/quiet); with one more than cores, more of them may wait so. GOMAXPROCS, if set, is the user's word.
func addProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// load reads the configuration that the user meant.
func load(path string) (*config.Config, error) {
	if path == "" {
		if _, err := os.Stat(defaultConfig); err != nil {
			return config.Default(), nil
		}
		path = defaultConfig
	}
	return config.Load(path)
}

// levelOf is a validated log level.
func levelOf(l config.Log) (level slog.Level) {
	level.UnmarshalText([]byte(l.Level))
	return level
}

// logger logs at level, which may be moved later, and to topics unless they are nil.
func logger(l config.Log, level *slog.LevelVar, topics *node.LogTopics) *slog.Logger {
	level.Set(levelOf(l))
	options := &slog.HandlerOptions{Level: level}
	format := func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }
	if l.Format == "json" {
		format = func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }
	}
	h := format(os.Stderr)
	if topics != nil {
		h = topics.Beside(h, format)
	}
	return slog.New(h)
}

type checkCmd struct {
	Config string `short:"c" placeholder:"FILE" help:"Configuration; without it ./config.toml if that exists, else the built-in defaults."`
}

// Run prints what the configuration would run, or everything that is wrong with it.
func (c *checkCmd) Run() error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	if err := node.Check(cfg); err != nil {
		return err
	}
	return cfg.Describe(os.Stdout)
}

type versionCmd struct{}

// Run prints the version and what it was built from.
func (versionCmd) Run() error {
	_, err := fmt.Println(node.Version)
	return err
}
