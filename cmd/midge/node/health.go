package node

import (
	"context"
	"errors"
	"maps"

	"midge/broker/bridge"
	"midge/cmd/midge/config"
	"midge/cmd/midge/status"
)

func (n *Node) http(c config.HTTP) error {
	if c.Address == "" {
		return nil
	}
	l, err := status.Listen(c.Address)
	if err != nil {
		return err
	}
	n.undo = append(n.undo, func() { l.Close() })
	n.log.Info("serving /healthz and /metrics", "address", l.Addr().String())
	sources := status.Sources{Version: Version, Ready: n.isReady, Trouble: n.trouble, Store: n.storeFigures, Broker: n.brokerFigures, Links: n.linkFigures, Bridges: n.bridgeFigures}
	if c.Status {
		sources.Report = n.reportOf
	}
	h := status.New(sources)
	n.Add("http "+c.Address, func(ctx context.Context) error { return status.Run(ctx, l, h) })
	return nil
}

func (n *Node) isReady() error {
	if n.ready.Load() {
		return nil
	}
	return errors.New("starting")
}

func (n *Node) brokerFigures() status.Broker {
	c := n.Broker.Counters()
	f := status.Broker{
		Sessions: c.Sessions, Connected: c.Connected, Subscriptions: c.Subscriptions,
		Retained: c.Retained, RetainedBytes: c.RetainedBytes,
		Queued: c.Queued, QueuedBytes: c.QueuedBytes, Inflight: c.Inflight,
		Traffic: make(map[string]status.Traffic, len(c.Traffic)), Dropped: c.Dropped, Faults: n.Server.Faults(), Refused: n.Server.Refused(),
	}
	for name, t := range c.Traffic {
		f.Traffic[name] = status.Traffic{In: t.In, Out: t.Out}
	}
	sn := f.Traffic[status.ProtocolMQTTSN]
	for _, l := range n.Gateway.Counters().Links {
		sn.InMinusOne += l.QoSMinusOne
	}
	sn.In[0] -= min(sn.In[0], sn.InMinusOne) // the core knows it as QoS 0
	f.Traffic[status.ProtocolMQTTSN] = sn
	return f
}

func (n *Node) linkFigures() (figures []status.Link) {
	counters := n.Gateway.Counters().Links
	for _, l := range n.links {
		s, c := l.Stats(), counters[l.name]
		figures = append(figures, status.Link{
			Name: l.name, Type: l.kind, Up: s.Up, Why: s.Why,
			FramesIn: s.FramesIn, FramesOut: s.FramesOut, BytesIn: s.BytesIn, BytesOut: s.BytesOut, Errors: s.Errors,
			Clients: maps.Clone(c.Clients), Retransmissions: c.Retransmitted, Discarded: c.Dropped,
		})
	}
	return figures
}

func (n *Node) bridgeFigures() (figures []status.Bridge) {
	for _, b := range n.bridges {
		s := b.Status()
		f := status.Bridge{Name: s.Name, Connected: s.State == bridge.Connected, Backlog: s.Backlog, Oldest: s.Oldest,
			Acknowledged: s.Acked, Received: s.Received}
		if !f.Connected {
			f.Why = s.LastError
		}
		figures = append(figures, f)
	}
	return figures
}
