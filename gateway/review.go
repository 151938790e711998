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
	l.flush()
	return gone
}

// flush sees to it that what is to be sent is.
func (l *link) flush() {
	if l.away {
		l.frames() // nobody can be told
		return
	}
	select {
	case l.ready.signal <- struct{}{}: // tend writes it
	default:
	}
}

// sendAway ends a client that may not stay.
func (l *link) sendAway(c *client) {
	l.log.Info("client may not stay", "client", c.id)
	l.dropOf(c, NotAllowed)
	l.end(c)
}

// end ends a client for a reason of ours. Its will is published, as a broker that closes a connection does. One that sleeps hears of it when it wakes.
func (l *link) end(c *client) {
	to, listens := c.peer, !c.displaced && c.state != Asleep
	l.quit(c, Lost)
	if listens {
		l.send(&to, mqttsn.Disconnect{})
	}
}

// Kick ends a client that is connected or asleep, as Review does, and reports whether it was. With forget nothing is kept of it here, connected or gone, and
// its session ends with the connection.
func (g *Gateway) Kick(clientID string, forget bool) (ok bool) {
	return g.kick(time.Now(), clientID, forget)
}

func (g *Gateway) kick(now time.Time, clientID string, forget bool) (ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.sp.clients[clientID]
	if c == nil || c.prompt != nil && !c.connected() {
		return false
	}
	if forget {
		c.clean = true
	}
	if ok = c.connected(); ok {
		l := c.link.Load()
		l.enter(now)
		l.log.Info("client kicked", "client", c.id)
		l.end(c)
		l.flush()
	}
	if forget {
		g.sp.forget(c)
	}
	return ok
}
