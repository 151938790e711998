package node

import (
	"context"
	"errors"
	"slices"

	"midge/cmd/midge/config"
	"midge/cmd/midge/control"
	"midge/transports/dtls"
)

// Reloaded is what a reload has done.
type Reloaded struct {
	Gone         int      // clients that were disconnected because they may no longer stay
	AfterRestart []string // what is said differently and waits for a restart
}

// Reload takes over what cfg says: who may do what, certificates, and what stands beside listeners that stay at their addresses. Clients that may
// stay notice nothing. An error has everything that is wrong and leaves all as it was. One Reload at a time.
func (n *Node) Reload(cfg *config.Config) (Reloaded, error) {
	p, err := prepare(cfg)
	for i, l := range n.cfg.Listeners {
		if at := slices.IndexFunc(cfg.Listeners, l.SameDoor); at >= 0 {
			next := cfg.Listeners[at]
			err = errors.Join(err, reach(next, cfg.MustBeLocal(next), n.listeners[i].Addr()))
		}
	}
	if err != nil {
		return Reloaded{}, err
	}
	n.doors.links.SetRules(p.rules.links)
	for i, l := range n.cfg.Listeners {
		if at := slices.IndexFunc(cfg.Listeners, l.SameDoor); at >= 0 {
			n.doors.listeners[i].SetRules(p.rules.listeners[at])
			p.policies[at].Auth = n.doors.listeners[i]
			n.warnOfExpiry(p.policies[at])
			n.listeners[i].SetPolicy(p.policies[at])
		}
	}
	n.warn(p.rules)
	n.Broker.Authorize(n.access)
	return Reloaded{n.Server.Review() + n.reviewDevices(cfg, p), n.cfg.AfterRestart(cfg)}, nil
}

// reviewDevices gives the links what cfg says of their devices, and returns how many of these may not stay: they are on no list any more, or their
// user has another password record or pre-shared key.
func (n *Node) reviewDevices(cfg *config.Config, p prepared) (gone int) {
	n.Gateway.SetPredefined(predefined(cfg.Gateway.Predefined))
	for _, l := range n.cfg.Links {
		if at := slices.IndexFunc(cfg.Links, l.SameWay); at >= 0 {
			sent, err := n.Gateway.Reconfigure(l.Name, n.linkConfig(cfg.Links[at]))
			if err != nil {
				n.log.Warn("a link keeps what it was told before", "link", l.Name, "err", err)
			}
			gone += sent + n.reloadDTLS(l.Name, p.dtls[at])
		}
	}
	passwords := p.rules.links.Passwords
	changed := passwords.Changed(n.doors.devices)
	n.doors.devices = passwords
	return gone + n.Gateway.Review(func(_, _, user string) bool { return user == "" || !slices.Contains(changed, user) })
}

// reloadDTLS gives a link of that type its keys and certificates anew, and returns how many sessions that has ended.
func (n *Node) reloadDTLS(name string, c dtls.Config) (ended int) {
	for _, one := range n.links {
		if t, is := one.Link.(*dtls.Link); is && one.name == name {
			ended, err := t.Reload(c)
			if err != nil {
				n.log.Warn("a link keeps what it was told before", "link", name, "err", err)
			}
			return ended
		}
	}
	return 0
}

// Control opens the socket on which commands talk to this midge, each request answered by what do returns. Where there is no data directory, or no
// socket can be in it, midge runs without.
func (n *Node) Control(do func(request string) (control.Answer, error)) {
	if n.cfg.Node.DataDir == "" {
		return
	}
	s, err := control.Listen(n.cfg.Node.DataDir)
	if err != nil {
		n.log.Warn("no command can talk to this process, only signals can", "err", err)
		return
	}
	n.undo = append(n.undo, func() { s.Close() })
	n.Add("control socket", func(ctx context.Context) error { return s.Serve(ctx, do) })
}
