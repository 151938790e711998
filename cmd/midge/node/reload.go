package node

import (
	"context"
	"slices"

	"midge/broker/auth"
	"midge/cmd/midge/config"
	"midge/cmd/midge/control"
)

// Reloaded is what a reload has done.
type Reloaded struct {
	Gone         int      // clients that were disconnected because they may no longer stay
	AfterRestart []string // what is said differently and waits for a restart
}

// Reload takes over what cfg says: who may do what, certificates, and what stands beside listeners that stay at their addresses. Clients that may stay notice nothing. An error
// has everything that is wrong and leaves all as it was. One Reload at a time.
func (n *Node) Reload(cfg *config.Config) (Reloaded, error) {
	r, policies, err := prepare(cfg)
	if err != nil {
		return Reloaded{}, err
	}
	n.doors.links.SetRules(r.links)
	for i, l := range n.cfg.Listeners {
		if at := slices.IndexFunc(cfg.Listeners, l.SameDoor); at >= 0 {
			n.doors.listeners[i].SetRules(r.listeners[at])
			policies[at].Auth = n.doors.listeners[i]
			n.warnOfExpiry(policies[at])
			n.listeners[i].SetPolicy(policies[at])
		}
	}
	n.warn(r)
	n.Broker.Authorize(n.access)
	return Reloaded{n.Server.Review() + n.reviewDevices(cfg, r.links.Passwords), n.cfg.AfterRestart(cfg)}, nil
}

// reviewDevices gives the links what cfg says of their devices, and returns how many of these may not stay: they are on no list any more, or their user has another password record.
func (n *Node) reviewDevices(cfg *config.Config, passwords *auth.Passwords) (gone int) {
	n.Gateway.SetPredefined(predefined(cfg.Gateway.Predefined))
	for _, l := range n.cfg.Links {
		if at := slices.IndexFunc(cfg.Links, l.SameWay); at >= 0 {
			sent, err := n.Gateway.Reconfigure(l.Name, n.linkConfig(cfg.Links[at]))
			if err != nil {
				n.log.Warn("a link keeps what it was told before", "link", l.Name, "err", err)
			}
			gone += sent
		}
	}
	changed := passwords.Changed(n.doors.devices)
	n.doors.devices = passwords
	return gone + n.Gateway.Review(func(_, _, user string) bool { return user == "" || !slices.Contains(changed, user) })
}

// Control opens the socket on which commands talk to this midge, each request answered by what do returns. Where there is no data directory, or no socket can be in it, midge runs
// without.
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
