package node

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"midge/broker/listener"
	"midge/broker/mqtt"
	"midge/cmd/midge/config"
	"midge/cmd/midge/guard"
	"midge/cmd/midge/systemd"
)

func (n *Node) listen(c config.Listener, door *guard.Door, who string, local bool) error {
	policy, err := policy(c)
	if err != nil {
		return err
	}
	policy.Auth = door
	n.warnOfExpiry(policy)
	nl, err := listen(c)
	if err != nil {
		return InUse("MQTT listener", c.Address, err)
	}
	n.undo = append(n.undo, func() { nl.Close() })
	if err := reach(c, local, nl.Addr()); err != nil {
		return err
	}
	n.log.Info("listening for MQTT", "over", c.Type, "address", nl.Addr().String(), "for", who)
	l := n.Server.Listener(nl, policy)
	n.listeners = append(n.listeners, l)
	n.Add("listener "+c.Address, l.Serve)
	return nil
}

// reach refuses a listener that is to be local, see config.MustBeLocal, where others reach the socket that systemd has opened for it.
func reach(c config.Listener, local bool, at net.Addr) error {
	if !local || config.Local(at) {
		return nil
	}
	return fmt.Errorf("listener %s: systemd listens on %s, which lets everyone who reaches it publish and subscribe; write public = true beside it if that is meant",
		c.Address, at)
}

func (n *Node) warnOfExpiry(p listener.Policy) {
	if p.TLS != nil && time.Now().After(p.TLS.Expiry()) {
		n.log.Warn("the listener's certificate has expired: clients will refuse it", "listener", p.Name, "since", p.TLS.Expiry())
	}
}

func listen(c config.Listener) (net.Listener, error) {
	if name, ok := c.SystemdName(); ok {
		return systemd.Listen(name)
	}
	if c.Type == "unix" {
		return listener.ListenUnix(c.Address, c.FileMode())
	}
	return net.Listen("tcp", c.Address)
}

var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// policy is what a [[listener]] says, with its files read.
func policy(c config.Listener) (p listener.Policy, err error) {
	p = listener.Policy{Name: c.Address, IdentityAsUsername: c.UseIdentityAsUsername, ProxyProtocol: c.ProxyProtocol,
		Connections: c.MaxConnections, ConnectionsPerAddress: c.MaxConnectionsPerAddress, ConnectRate: c.ConnectRate, ConnectRatePerAddress: c.ConnectRatePerAddress,
		MaximumPacketSize: uint32(c.MaxPacketSize), ReceiveMaximum: uint16(c.ReceiveMaximum), TopicAliasMaximum: c.MaxTopicAlias,
		RetainRefused: !c.RetainAvailable, MountPoint: c.MountPoint,
		MaxKeepAlive: uint16(c.MaxKeepalive.Seconds()), PayloadFormatCheck: c.PayloadFormatCheck, ResponseInformation: c.ResponseInfo}
	if c.MaxTopicAlias == 0 {
		p.TopicAliasMaximum = -1
	}
	if c.MaxQoS < 2 {
		p.QoSRefused = mqtt.QoS(c.MaxQoS + 1)
	}
	if c.TLS() {
		p.TLS, err = listener.LoadTLS(listener.TLSFiles{CertFile: c.CertFile, KeyFile: c.KeyFile, MinVersion: tlsVersions[c.TLSVersion],
			RequireCertificate: c.RequireCertificate, CAFile: c.CAFile, CRLFile: c.CRLFile})
	}
	if c.WebSocket() {
		p.WebSocket = &listener.WebSocket{Path: c.Path, Origins: c.Origins}
	}
	if err != nil {
		return p, fmt.Errorf("listener %s: %w", c.Address, err)
	}
	return p, nil
}
