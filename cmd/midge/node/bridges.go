package node

import (
	"midge/broker/bridge"
	"midge/broker/mqtt"
	"midge/cmd/midge/config"
)

var directions = map[string]bridge.Direction{"out": bridge.Out, "in": bridge.In, "both": bridge.Both}

// bridgeConfig is what package bridge wants to know of a bridge of a node.
func bridgeConfig(b config.Bridge, node string) bridge.Config {
	c := bridge.Config{
		Name: b.Name, Address: b.Address, ClientID: b.ClientIDAt(node), Username: b.Username, Password: b.Password,
		CAFile: b.CAFile, CertFile: b.CertFile, KeyFile: b.KeyFile,
		KeepAlive: b.KeepAlive.Duration, MaxInflight: b.MaxInflight, AvailabilityTopic: b.AvailabilityAt(node),
	}
	for _, t := range b.Topics {
		c.Topics = append(c.Topics, bridge.Topic{Filter: t.Filter, Direction: directions[t.Direction], QoS: mqtt.QoS(t.QoS),
			LocalPrefix: t.LocalPrefix, RemotePrefix: t.RemotePrefix})
	}
	return c
}

// bridge opens a bridge, so that nothing is published before it is subscribed.
func (n *Node) bridge(b config.Bridge, node string) error {
	br := bridge.New(n.Broker, bridgeConfig(b, node), n.log)
	if err := br.Open(); err != nil {
		return err
	}
	n.bridges = append(n.bridges, br)
	n.Add("bridge "+b.Name, br.Run)
	return nil
}

// bridged reports whether every bridge is connected.
func (n *Node) bridged() bool {
	for _, b := range n.bridges {
		if b.Status().State != bridge.Connected {
			return false
		}
	}
	return true
}
