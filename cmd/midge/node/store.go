package node

import (
	"errors"
	"fmt"
	"time"

	"midge/broker"
	"midge/broker/store"
	"midge/cmd/midge/config"
	"midge/cmd/midge/status"
)

// limits are the bounds of the core. Without a disk what would wait there waits in memory.
func limits(cfg *config.Config) broker.Limits {
	l := cfg.Limits
	b := broker.Limits{
		QueueMessages: l.QueueMessages, QueueBytes: int(l.QueueBytes), StoredMessages: l.StoredMessages, StoredBytes: int(l.StoredBytes), TotalBytes: int(l.TotalBytes),
		Retained: l.Retained, RetainedBytes: int(l.RetainedBytes), Sessions: l.Sessions, Subscriptions: l.Subscriptions, Inflight: l.Inflight,
		TopicLength: l.TopicLength, TopicLevels: l.TopicLevels, UserProperties: l.UserProperties, UserPropertyBytes: int(l.UserPropertyBytes),
		SessionExpiry: l.SessionExpiryMax.Duration, MessageExpiry: l.MessageExpiryMax.Duration, Policy: policies[l.QueuePolicy], QueueQoS0: l.QueueQoS0,
	}
	if cfg.Node.DataDir == "" {
		b.StoredMessages, b.StoredBytes = b.QueueMessages, b.QueueBytes
	}
	return b
}

var policies = map[string]broker.QueuePolicy{"drop-newest": broker.DropNewest, "drop-oldest": broker.DropOldest, "refuse": broker.Refuse}

// restore opens the store and gives the broker what is in it.
func (n *Node) restore(cfg *config.Config) error {
	begun := time.Now()
	s, report, err := store.OpenOrSalvage(store.Options{Dir: cfg.Node.DataDir, Log: n.log}, store.OnDamage(cfg.Store.OnDamage))
	if err != nil {
		return err
	}
	b, err := broker.Restore(begun, limits(cfg), s, broker.Durability{
		CommitInterval: cfg.Store.CommitInterval.Duration, RetainedInterval: cfg.Store.RetainedInterval.Duration})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	n.Broker, n.store, n.metrics = b, s, s.Metrics
	if report != nil {
		n.salvaged = report.String()
		n.log.Error("the store was damaged", "reason", n.salvaged)
		b.Announce(begun, broker.Figure{Topic: "$SYS/broker/store/salvaged", Value: n.salvaged})
	}
	c := b.Counters()
	n.log.Info("state is kept", "where", where(cfg.Node.DataDir), "sessions", c.Sessions, "queued", c.Queued, "retained", c.Retained,
		"read_in", time.Since(begun).Round(time.Millisecond))
	return nil
}

func where(dir string) string {
	if dir == "" {
		return "in memory"
	}
	return dir
}

// stopStore makes everything safe and closes the store, once everything that uses the broker has ended.
func (n *Node) stopStore() error {
	if n.store == nil {
		return nil
	}
	n.store = nil
	if err := n.Broker.Stop(time.Now()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// trouble is what keeps the store from doing its work.
func (n *Node) trouble() (reasons []string) {
	if n.salvaged != "" {
		reasons = append(reasons, "store: "+n.salvaged)
	}
	if n.Broker.Counters().DiskFull {
		reasons = append(reasons, "store: the disk is nearly full; messages at QoS 1 and 2 are refused until there is space again")
	}
	return reasons
}

func (n *Node) storeFigures() status.Store {
	m := n.metrics()
	return status.Store{
		Commits: m.Commits, CommitTime: m.CommitTime, LogBytes: m.LogBytes, FlushBytes: m.FlushBytes, CompactBytes: m.CompactBytes,
		UsedBytes: m.UsedBytes, FreeBytes: m.FreeBytes, Waiting: n.Broker.Counters().Stored, Full: n.Broker.Counters().DiskFull, Salvaged: n.salvaged != "",
	}
}
