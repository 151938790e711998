package gateway

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"midge/mqttsn"
)

// Reconfigure gives a link that is served other settings. What is open goes on and finds the new ones when it next looks; clients that the link does not serve
// any more are sent away; gone is how many.
func (g *Gateway) Reconfigure(name string, cfg LinkConfig) (gone int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.links[name]
	if l == nil || !g.runs[name] {
		return 0, fmt.Errorf("link %s is not being served", name)
	}
	l.configure(cfg)
	return g.review(l, func(c *client) bool { return l.serves(c.id, &c.peer) }), nil
}

// Review sends those clients away for which stays is false, after a change of who may connect, and returns how many. user is as Config.Access has it.
// stays is called with the gateway's lock held and must not call back.
func (g *Gateway) Review(stays func(link, clientID, user string) bool) (gone int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(g.links)) {
		gone += g.review(g.links[name], func(c *client) bool { return stays(name, c.id, c.user) })
	}
	return gone
}

func (g *Gateway) review(l *link, stays func(*client) bool) (gone int) {
	l.enter(time.Now())
	for _, id := range slices.Sorted(maps.Keys(g.sp.clients)) {
		if c := g.sp.clients[id]; c.link.Load() == l && c.connected() && !stays(c) {
			l.sendAway(c)
			gone++
		}
	}
	if l.away {
		l.frames() // nobody can be told
		return gone
	}
	select {
	case l.ready.signal <- struct{}{}: // tend writes what is to be sent
	default:
	}
	return gone
}

// sendAway ends a client that may not stay. Its will is published, as a broker that closes a connection does.
func (l *link) sendAway(c *client) {
	l.log.Info("client may not stay", "client", c.id)
	l.dropOf(c, NotAllowed)
	to := c.peer
	l.quit(c, Lost)
	if !c.displaced {
		l.send(&to, mqttsn.Disconnect{})
	}
}
