package node

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"midge/broker/listener"
	"midge/broker/mqtt"
	"midge/cmd/midge/config"
	"midge/gateway"
	"midge/transports"
	"midge/transports/dtls"
	"midge/transports/serial"
	"midge/transports/udp"
	"midge/transports/xbee"
)

// link is an open link with what its figures are called.
type link struct {
	name, kind string
	transports.Link
}

func gatewayConfig(c config.Gateway) gateway.Config {
	g := gateway.Config{GatewayID: c.ID, AdvertiseInterval: c.AdvertiseInterval.Duration, QoSMinusOne: c.QoSMinusOne,
		InlineTopics: c.QoSMinusOneInline, RefuseLater: c.Refused == "later"}
	g.Predefined = predefined(c.Predefined)
	return g
}

func predefined(list []config.Predefined) (topics []gateway.Predefined) {
	for _, p := range list {
		t := gateway.Predefined{Client: p.Client, Link: p.Link, ID: p.ID, Topic: p.Topic}
		if p.Link == "*" {
			t.Link = ""
		}
		topics = append(topics, t)
	}
	return topics
}

// linkConfig is what the gateway is to do on a link.
func (n *Node) linkConfig(l config.Link) gateway.LinkConfig {
	cfg := gateway.LinkConfig{RetryInterval: l.RetryInterval.Duration, RetryCount: l.RetryCount, MTU: l.MTU, IdleLimit: l.IdleLimit.Duration,
		Probe: l.Probe, Strict: l.StrictFlags, EmptyClientID: l.EmptyClientID, AllowClients: l.AllowClients, AllowAddresses: l.AllowAddresses,
		Rebind: gateway.Rebind(max(0, slices.Index(config.RebindPolicies, l.RebindPolicy()))),
		GwInfo: gateway.GwInfoTo(max(0, slices.Index(config.GwInfoWays, l.GwInfo)))}
	cfg.RegisterAfterSleep = l.SleepForgets
	cfg.DenyClients, cfg.DenyAddresses = l.DenyClients, l.DenyAddresses
	for _, s := range l.ClientAddrs {
		client, address := config.ClientAt(s)
		cfg.ClientAddresses = append(cfg.ClientAddresses, gateway.ClientAddress{Client: client, Address: address})
	}
	cfg.Clients, cfg.MountPoint = l.MaxConnections, l.MountPoint
	rate, overhead := l.Rate()
	cfg.Airtime = gateway.Airtime{Rate: rate, Overhead: overhead, Duty: l.DutyCycle}
	if cfg.MaxQoS = l.MaxQoS; l.MaxQoS == 0 {
		cfg.MaxQoS = -1
	}
	if l.RetryCount == 0 {
		cfg.RetryCount = -1 // the configuration means it: no repeats
	}
	if l.Auth {
		cfg.Auth = n.login
	}
	return cfg
}

// login holds what a device says in AUTH against the password file of [auth], at the links' door.
func (n *Node) login(ctx context.Context, l gateway.Login) gateway.Verdict {
	v, later := n.doors.links.Login(time.Now(), listener.Login{ClientID: l.ClientID, HasUsername: true, Username: l.Username,
		HasPassword: true, Password: l.Password, Peer: deviceAddr(l)})
	if later != nil {
		v = later(ctx)
	}
	return gateway.Verdict{OK: !v.Reason.Failed() && v.Username != "", Later: v.Reason == mqtt.ServerBusy, Username: v.Username}
}

// deviceAddr is where a device logs in from, as the throttle of the door knows it.
func deviceAddr(l gateway.Login) net.Addr {
	if ap, err := netip.ParseAddrPort(l.Address); err == nil {
		return net.UDPAddrFromAddrPort(ap)
	}
	return radioAddr(l.Link + " " + l.Address)
}

type radioAddr string

func (radioAddr) Network() string  { return "radio" }
func (a radioAddr) String() string { return string(a) }

func (n *Node) link(l config.Link, who string) error {
	t, err := n.openLink(l)
	if err != nil {
		return InUse("link "+l.Name, l.Address, err)
	}
	n.undo = append(n.undo, func() { t.Close() })
	n.links = append(n.links, link{l.Name, l.Type, t})
	where := l.Ports()
	if u, ok := t.(interface{ LocalAddr() netip.AddrPort }); ok {
		where = u.LocalAddr().String()
	}
	n.log.Info("listening for MQTT-SN", "link", l.Name, "address", where, "for", who)
	if w, ok := t.(transports.Watched); ok {
		n.Add("watch of link "+l.Name, func(ctx context.Context) error { return watch(ctx, n.log.With("link", l.Name), w) })
	}
	cfg := n.linkConfig(l)
	n.Add("link "+l.Name, func(ctx context.Context) error { return n.Gateway.Serve(ctx, l.Name, t, cfg) })
	return nil
}

func (n *Node) openLink(l config.Link) (transports.Link, error) {
	switch l.Type {
	case "serial":
		// A box is switched on before its adapter is there, or while it is unplugged: that must not keep the rest from starting.
		return serial.Open(serial.Config{Device: l.Device, DeviceTx: l.DeviceTx, Baud: l.Speed(), Framing: l.Framing, MTU: l.MTU,
			Node: uint8(l.NodeAddress), NoAcks: !l.NodeAcks, WaitForDevice: true})
	case "xbee":
		network := l.Network
		if network == "auto" {
			network = ""
		}
		return xbee.Open(xbee.Config{Device: l.Device, Baud: l.Speed(), Network: network, MTU: l.MTU, Radius: uint8(l.Radius), WaitForDevice: true})
	case "dtls":
		c, err := dtlsConfig(l)
		if err != nil {
			return nil, err
		}
		c.Failed = failures(n.log.With("link", l.Name))
		return dtls.Listen(c)
	}
	return udp.Listen(udp.Config{Address: l.Address, Groups: l.Groups, Hops: l.Hops, MTU: l.MTU})
}
