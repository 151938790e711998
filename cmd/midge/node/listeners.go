package node

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"midge/broker/listener"
	"midge/cmd/midge/config"
	"midge/cmd/midge/guard"
)

func (n *Node) listen(c config.Listener, door *guard.Door, who string) error {
	policy, err := policy(c)
	if err != nil {
		return err
	}
	policy.Auth = door
	if policy.TLS != nil && time.Now().After(policy.TLS.Expiry()) {
		n.log.Warn("the listener's certificate has expired: clients will refuse it", "listener", c.Address, "since", policy.TLS.Expiry())
	}
	nl, err := net.Listen("tcp", c.Address)
	if err != nil {
		return InUse("MQTT listener", c.Address, err)
	}
	n.undo = append(n.undo, func() { nl.Close() })
	n.log.Info("listening for MQTT", "over", c.Type, "address", nl.Addr().String(), "for", who)
	l := n.Server.Listener(nl, policy)
	n.listeners = append(n.listeners, l)
	n.add("listener "+c.Address, l.Serve)
	return nil
}

var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// policy is what a [[listener]] says, with its files read.
func policy(c config.Listener) (p listener.Policy, err error) {
	p = listener.Policy{Name: c.Address, IdentityAsUsername: c.UseIdentityAsUsername}
	if c.TLS() {
		p.TLS, err = listener.LoadTLS(listener.TLSFiles{CertFile: c.CertFile, KeyFile: c.KeyFile, MinVersion: tlsVersions[c.TLSVersion],
			RequireCertificate: c.RequireCertificate, CAFile: c.CAFile, CRLFile: c.CRLFile})
	}
	if err != nil {
		return p, fmt.Errorf("listener %s: %w", c.Address, err)
	}
	return p, nil
}
