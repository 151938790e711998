package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	"midge/cmd/midge/config"
	"midge/cmd/midge/node"
	"midge/cmd/midge/systemd"
)

// reloader has a running midge read its configuration again.
type reloader struct {
	mu    sync.Mutex // one at a time
	read  func() (*config.Config, error)
	node  *node.Node
	level *slog.LevelVar
	log   *slog.Logger
}

// reload reads everything again and tells the log and whoever asked for it. After an error all is as it was.
func (r *reloader) reload() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	systemd.Reloading()
	defer systemd.Ready()
	cfg, err := r.read()
	var done node.Reloaded
	if err == nil {
		done, err = r.node.Reload(cfg)
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			r.log.Error("reload refused: everything stays as it was", "reason", strings.TrimSpace(line))
		}
		return "", err
	}
	r.level.Set(levelOf(cfg.Log))
	text := fmt.Sprintf("reloaded; %d clients were disconnected that may no longer stay", done.Gone)
	r.log.Info("reloaded", "disconnected", done.Gone)
	if len(done.AfterRestart) > 0 {
		later := strings.Join(done.AfterRestart, ", ")
		r.log.Warn("some changes wait for a restart", "what", later)
		text += "\nthis waits for a restart: " + later
	}
	return text, nil
}

// heed reloads with every signal until ctx ends.
func (r *reloader) heed(ctx context.Context, signals <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-signals:
			r.reload() // the log says how it went
		}
	}
}

type reloadCmd struct {
	Config string `short:"c" placeholder:"FILE" help:"Configuration of the midge that is meant; without it ./config.toml if that exists, else the built-in defaults."`
}

// Run has the midge that uses the configuration's data_dir read it again, and prints what it says.
func (c *reloadCmd) Run() error {
	err := ask(c.Config, reloadRequest, nil)
	switch {
	case errors.Is(err, errCannotBeAsked):
		return fmt.Errorf("%w; send its process SIGHUP: kill -HUP PID", err)
	case err != nil:
		return fmt.Errorf("nothing was reloaded:\n%w", err)
	}
	return nil
}
