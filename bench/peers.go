package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A peer is a broker that the bench can start.
type peer struct {
	name    string
	version string
	sn      bool // it speaks MQTT-SN too
	launch  launcher
	// durable makes the launcher of a server that keeps its state in its directory and syncs it as often as it can be told to; nil when there is
	// no such thing. The options are for Midge.
	durable func(storeOptions) launcher
}

// storeOptions are what durable works vary.
type storeOptions struct {
	commitInterval time.Duration
}

// A finder looks for a peer on this machine or builds it; errMissing when it is not there. tmp outlives the servers.
type finder func(ctx context.Context, tmp string, opt options) (peer, error)

// finders holds every peer by name; peerOrder is the order of the turns.
var finders = map[string]finder{
	"midge":     findMidge,
	"mosquitto": findMosquitto,
	"mochi":     durably(embedded("mochi", "github.com/mochi-mqtt/server/v2"), "serve-mochi-pebble"),
	"nats":      embedded("nats", "github.com/nats-io/nats-server/v2"),
}

var peerOrder = []string{"midge", "mosquitto", "mochi", "nats"}

// midgeConfig is how Midge runs here: without a data_dir all in memory, no HTTP, one TCP listener and one UDP link.
const midgeConfig = `[node]
data_dir = "%s"
[log]
level = "error"
[[listener]]
type = "tcp"
address = "%s"
[[link]]
name = "bench"
type = "udp"
address = "%s"
[http]
address = ""
[store]
commit_interval = "%s"
`

// findMidge builds Midge as it is shipped, without cgo, unless a binary was named.
func findMidge(ctx context.Context, tmp string, opt options) (peer, error) {
	bin := opt.midge
	if bin == "" {
		bin = filepath.Join(tmp, "midge")
		cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd/midge")
		cmd.Dir = opt.root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return peer{}, fmt.Errorf("build midge: %w: %s", err, strings.TrimSpace(string(out)))
		}
	}
	// A server runs in a directory of its own, so the name must hold there too.
	bin, err := filepath.Abs(bin)
	if err != nil {
		return peer{}, fmt.Errorf("find midge: %w", err)
	}
	with := func(data string, o storeOptions) launcher {
		return func(dir, mqtt, sn string) (*exec.Cmd, error) {
			return withConfig(dir, "config.toml", fmt.Sprintf(midgeConfig, data, mqtt, sn, o.commitInterval), bin, "run", "-c")
		}
	}
	return peer{
		name: "midge", version: firstLine(ctx, bin, "version"), sn: true, launch: with("", storeOptions{}),
		durable: func(o storeOptions) launcher { return with("data", o) },
	}, nil
}

// mosquittoConfig leaves all but the queue at its default. The queue has no bound, so that a burst is not a loss.
const mosquittoConfig = `listener %s %s
allow_anonymous true
max_queued_messages 0
log_type none
user root
%s`

// mosquittoSaves makes it save in every turn of its loop that has changed something: with autosave_on_changes the interval is a number of changes. The
// location is its working directory.
const mosquittoSaves = `persistence true
persistence_location ./
autosave_interval 1
autosave_on_changes true
`

func findMosquitto(ctx context.Context, _ string, _ options) (peer, error) {
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		// Debian puts it where a user's PATH does not look.
		bin, err = exec.LookPath("/usr/sbin/mosquitto")
	}
	if err != nil {
		return peer{}, errMissing
	}
	with := func(persistence string) launcher {
		return func(dir, mqtt, _ string) (*exec.Cmd, error) {
			host, port, err := net.SplitHostPort(mqtt)
			if err != nil {
				return nil, err
			}
			return withConfig(dir, "mosquitto.conf", fmt.Sprintf(mosquittoConfig, port, host, persistence), bin, "-c")
		}
	}
	return peer{
		name: "mosquitto", version: firstLine(ctx, bin, "-h"), launch: with("persistence false\n"),
		durable: func(storeOptions) launcher { return with(mosquittoSaves) },
	}, nil
}

// withConfig writes a configuration into dir and makes the command that reads it.
func withConfig(dir, file, text, bin string, args ...string) (*exec.Cmd, error) {
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	cmd := exec.Command(bin, append(args, path)...)
	cmd.Dir = dir
	return cmd, nil
}

// firstLine is what a program says of itself; "" when it says nothing. Its exit code does not matter (mosquitto -h has 3).
func firstLine(ctx context.Context, bin string, args ...string) string {
	out, _ := exec.CommandContext(ctx, bin, args...).Output()
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
