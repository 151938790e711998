package gateway

import (
	"bytes"
	"sort"
	"time"
)

// Device is what the gateway knows of one client, for people. ID, User, Node, LastTopic and LastValue come from the wire: escape them before they
// reach a terminal.
type Device struct {
	ID        string
	User      string // as its log-in or its link proves; "" = nobody known
	Link      string
	Address   string
	Node      string // behind a forwarder: the node id that the forwarder gave
	State     State
	KeepAlive time.Duration // 0 = none
	Sleep     time.Duration // Asleep, Awake: what it announced
	LastSeen  time.Time     // after a restart, until it is heard: when its link was served again; zero for one that had gone before

	RSSI int   // how well it was heard last, in dBm; 0 = its link does not tell
	LQI  uint8 // the link quality of the same, more is better; 0 = its link does not tell

	LastTopic string // that it published to
	LastValue []byte // the first 64 octets of it

	In, Out       uint64 // messages published by it; delivered to it, each counted once
	Queued        int    // messages that wait for it or are in flight; of one that has gone, what its session keeps
	TopicIDs      int
	Retransmitted uint64 // packets sent again to it

	Dropped map[string]uint64 // packets from it and deliveries to it that were dropped, by DropReason; only those that happened
}

// Devices returns a snapshot of all clients that are connected or remembered, by client id.
func (g *Gateway) Devices() []Device {
	g.mu.Lock()
	list := make([]Device, 0, len(g.sp.clients))
	for _, c := range g.sp.clients {
		list = append(list, g.sp.device(c))
	}
	g.mu.Unlock()
	sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	return list
}

func (sp *space) device(c *client) Device {
	l := c.link.Load()
	d := Device{
		ID:            c.id,
		User:          c.user,
		Link:          l.name,
		Address:       l.format(c.peer.addr),
		Node:          c.peer.node,
		State:         c.shown(),
		KeepAlive:     time.Duration(c.keepAlive) * time.Second,
		LastSeen:      sp.time(c.heard),
		RSSI:          int(c.rssi),
		LQI:           c.lqi,
		LastTopic:     c.lastTopic,
		LastValue:     bytes.Clone(c.lastValue),
		In:            c.in,
		Out:           c.out,
		TopicIDs:      len(c.topics.entries),
		Retransmitted: c.retransmitted,
	}
	if c.drops != nil {
		d.Dropped = make(map[string]uint64)
		for why, n := range c.drops {
			if n > 0 {
				d.Dropped[DropReason(why).String()] = uint64(n)
			}
		}
	}
	if c.heard == unheard {
		d.LastSeen = time.Time{}
	}
	if c.connected() {
		d.Queued = c.s.Waiting()
	} else if !c.clean {
		d.Queued = sp.b.Waiting(c.id)
	}
	if d.State == Asleep || d.State == Awake {
		d.Sleep = time.Duration(c.sleep) * time.Second
	}
	return d
}
