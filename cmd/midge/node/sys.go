package node

import (
	"context"
	"runtime/metrics"
	"time"

	"midge/broker"
	"midge/cmd/midge/config"
	"midge/cmd/midge/sys"
)

// sys publishes the $SYS tree every so often.
func (n *Node) sys(cfg config.Node) {
	every := cfg.SysInterval.Duration
	if every == 0 {
		return
	}
	start := time.Now()
	tree := sys.New(start, Version)
	n.Add("$SYS", func(ctx context.Context) error {
		n.tell(tree, time.Now())
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				n.tell(tree, time.Now())
			}
		}
	})
}

func (n *Node) tell(tree *sys.Tree, now time.Time) {
	values := tree.Update(now, n.sysFigures())
	figures := make([]broker.Figure, len(values))
	for i, v := range values {
		figures[i] = broker.Figure{Topic: v.Topic, Value: v.Text}
	}
	n.Broker.Announce(now, figures...)
}

// sysFigures are those of MQTT and MQTT-SN together: a frame of a device is a packet.
func (n *Node) sysFigures() sys.Figures {
	c, t := n.Broker.Counters(), n.Server.Traffic()
	f := sys.Figures{
		ClientsTotal: c.Sessions, ClientsConnected: c.Connected, ClientsPeak: c.Peak, ClientsExpired: c.Ended,
		MessagesReceived: t.PacketsIn, MessagesSent: t.PacketsOut, BytesReceived: t.BytesIn, BytesSent: t.BytesOut,
		Sockets: t.Sockets, Connects: t.Connects, SocketsOpen: n.Server.Connections(),
		Stored: c.Queued + c.Inflight + c.Retained, StoredBytes: c.QueuedBytes + c.InflightBytes + c.RetainedBytes,
		Retained: c.Retained, Subscriptions: c.Subscriptions, Shared: c.Shared, Heap: heap(),
	}
	f.StoredBytes -= min(f.StoredBytes, f.Stored*broker.MessageOverhead)
	for _, p := range c.Traffic {
		for qos := range p.In {
			f.PublishReceived += p.In[qos]
			f.PublishSent += p.Out[qos]
		}
		f.PayloadReceived += p.InBytes
		f.PayloadSent += p.OutBytes
	}
	for _, reason := range broker.LimitReasons() {
		f.PublishDropped += c.Dropped[reason.String()]
	}
	for _, l := range n.links {
		s := l.Stats()
		f.MessagesReceived, f.MessagesSent = f.MessagesReceived+s.FramesIn, f.MessagesSent+s.FramesOut
		f.BytesReceived, f.BytesSent = f.BytesReceived+s.BytesIn, f.BytesSent+s.BytesOut
	}
	return f
}

// heap is how many octets of objects the program has, those among them that nobody uses any more.
func heap() int {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}
