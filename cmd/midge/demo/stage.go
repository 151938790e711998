package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"midge/cmd/midge/node"
	"midge/firmware-sim/fleet"
)

// stage is all that runs, built and not yet running.
type stage struct {
	cfg    Config
	node   *node.Node
	fleets []*fleet.Fleet
	where  where
	notes  *notes
}

// where tells what runs where.
type where struct {
	mqtt, sn string // host:port
	http     string // host:port; "" = off
	serial   string // path of the virtual line; "" = there is none
	why      string // then: one line that says why
	sleepers []string
	devices  int
}

// build opens everything.
func build(cfg Config) (*stage, error) {
	s := &stage{cfg: cfg, notes: new(notes)}
	line, err := s.where.openLine()
	if err != nil {
		s.where.why = "no virtual serial line here, so the demo runs on UDP alone: " + err.Error()
	}
	log := slog.New(slog.NewTextHandler(s.notes, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withoutTime}))
	if s.node, err = openNode(cfg, &s.where, log); err == nil {
		err = s.hire(line)
	}
	if err != nil {
		line.close()
		return nil, err
	}
	return s, nil
}

// Shares of the fleet. Four of ten devices are on the serial line, half of those sleep and a third of the others: of ten, four.
const (
	serialShare    = 0.4
	udpSleepers    = 1.0 / 3
	serialSleepers = 0.5
)

// hire makes the fleets.
func (s *stage) hire(line line) error {
	base := fleet.Config{Interval: s.cfg.Interval, SleepDuration: s.cfg.Sleep, Seed: s.cfg.Seed, QoS: 1}
	udp, serial := base, base
	if line != nil {
		serial.Shared, serial.ClientPrefix, serial.Sleep = line, "serial", serialSleepers
		serial.Devices = max(1, int(serialShare*float64(s.cfg.Devices)))
		serial.Seed++
	}
	udp.Link, udp.ClientPrefix, udp.Sleep, udp.Devices = "udp://"+s.where.sn, "udp", udpSleepers, s.cfg.Devices-serial.Devices
	for _, c := range []fleet.Config{udp, serial} {
		if c.Devices == 0 {
			continue
		}
		f, err := fleet.New(c)
		if err != nil {
			s.node.Close()
			return err
		}
		s.fleets = append(s.fleets, f)
		s.where.sleepers = append(s.where.sleepers, f.Sleepers()...)
	}
	s.where.devices = s.cfg.Devices
	return nil
}

// play runs the stage until ctx ends or a part of it fails. The node outlives the fleets, so that they can say goodbye.
func (s *stage) play(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	nodeCtx, stopNode := context.WithCancel(context.WithoutCancel(ctx))
	defer stopNode()
	nodeEnded := make(chan struct{})
	go func() {
		defer close(nodeEnded)
		if err := s.node.Run(nodeCtx); err != nil {
			stop(err)
		}
	}()
	began := time.Now()
	var fleets sync.WaitGroup
	reports := make([]fleet.Report, len(s.fleets))
	for i, f := range s.fleets {
		fleets.Go(func() {
			var err error
			if reports[i], err = f.Run(ctx); err != nil {
				stop(err)
			}
		})
	}
	s.show(ctx, began)
	fleets.Wait()
	stopNode()
	<-nodeEnded
	fmt.Fprintln(s.cfg.Out, summary(time.Since(began), reports))
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// summary is the last line.
func summary(elapsed time.Duration, reports []fleet.Report) string {
	all := fleet.Report{}
	for _, r := range reports {
		for _, d := range r.Devices {
			all.Add(d)
		}
	}
	return fmt.Sprintf("After %v: %d devices sent %d messages, %d of them acknowledged, %d still open, %d lost; %s sent again, %s taken.",
		elapsed.Round(time.Second), all.Count, all.Sent, all.Acknowledged, all.Open, all.Lost,
		count(all.Retransmitted, "frame was", "frames were"), count(all.Received, "command was", "commands were"))
}
