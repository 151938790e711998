package node

import (
	"context"

	"midge/cmd/midge/config"
	"midge/gateway"
	"midge/transports"
	"midge/transports/serial"
	"midge/transports/udp"
)

// link is an open link with what its figures are called.
type link struct {
	name, kind string
	transports.Link
}

func gatewayConfig(c config.Gateway) gateway.Config {
	g := gateway.Config{GatewayID: c.ID, AdvertiseInterval: c.AdvertiseInterval.Duration, QoSMinusOne: c.QoSMinusOne}
	for _, p := range c.Predefined {
		g.Predefined = append(g.Predefined, gateway.Predefined{Client: p.Client, ID: p.ID, Topic: p.Topic})
	}
	return g
}

func (n *Node) link(l config.Link, who string) error {
	t, err := openLink(l)
	if err != nil {
		return InUse("link "+l.Name, l.Address, err)
	}
	n.undo = append(n.undo, func() { t.Close() })
	n.links = append(n.links, link{l.Name, l.Type, t})
	where := l.Device
	if u, ok := t.(*udp.Link); ok {
		where = u.LocalAddr().String()
	}
	n.log.Info("listening for MQTT-SN", "link", l.Name, "address", where, "for", who)
	cfg := gateway.LinkConfig{RetryInterval: l.RetryInterval.Duration, RetryCount: l.RetryCount, MTU: l.MTU}
	if l.RetryCount == 0 {
		cfg.RetryCount = -1 // the configuration means it: no repeats
	}
	n.Add("link "+l.Name, func(ctx context.Context) error { return n.Gateway.Serve(ctx, l.Name, t, cfg) })
	return nil
}

func openLink(l config.Link) (transports.Link, error) {
	if l.Type == "serial" {
		// A box is switched on before its adapter is there, or while it is unplugged: that must not keep the rest from starting.
		return serial.Open(serial.Config{Device: l.Device, Baud: l.Baud, Framing: l.Framing, MTU: l.MTU, WaitForDevice: true})
	}
	return udp.Listen(udp.Config{Address: l.Address, Groups: l.Groups, MTU: l.MTU})
}
