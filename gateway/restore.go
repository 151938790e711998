package gateway

import (
	"fmt"
	"time"

	"midge/transports"
)

// restorer collects the notes of an earlier process. Notes of one client come one after the other, in any order.
type restorer struct {
	g       *Gateway
	clients []*restored // all, in the order of the store
}

// restored is one client as its notes tell of it.
type restored struct {
	id     string
	found  bool // its record is there; without it the session is another front end's, or the record was lost
	record record
	topics []restoredTopic
}

type restoredTopic struct {
	id uint16
	topicRecord
}

// restore takes up the clients of an earlier process: those that were active or asleep are so again, with the full time to be heard, and those that
// had gone are remembered. Until its link is served a client waits on one that is away.
func (g *Gateway) restore(now time.Time) error {
	r := restorer{g: g}
	if err := g.sp.b.Notes(r.note); err != nil {
		return fmt.Errorf("take up the devices of the last run: %w", err)
	}
	for i, c := range r.clients {
		if c.found {
			g.takeUp(now, c)
		}
		r.clients[i] = nil
	}
	if n := len(g.sp.clients); n > 0 {
		g.sp.log.Info("devices of the last run taken up", "clients", n)
	}
	return nil
}

// note takes one note. One that cannot be read was damaged, or written by a later version: what it says is lost, and its client connects or registers
// again when it is told so.
func (r *restorer) note(clientID, name string, value []byte) {
	id, isTopic := topicNoteID(name)
	if !isTopic && name != clientNote {
		return // another front end's
	}
	if n := len(r.clients); n == 0 || r.clients[n-1].id != clientID {
		r.clients = append(r.clients, &restored{id: clientID})
	}
	c := r.clients[len(r.clients)-1]
	var err error
	if isTopic {
		var t topicRecord
		if t, err = parseTopicRecord(value); err == nil {
			c.topics = append(c.topics, restoredTopic{id, t})
		}
	} else if c.record, err = parseRecord(value); err == nil {
		c.found = true
	}
	if err != nil {
		r.g.sp.log.Error("note of a device cannot be read", "client", clientID, "note", name, "err", err)
	}
}

// takeUp makes a client of what was noted.
func (g *Gateway) takeUp(now time.Time, from *restored) {
	r := &from.record
	l := g.awayLink(now, r.link)
	c := &client{id: from.id, user: r.user, peer: r.peer, state: r.state, place: -1, clean: r.clean, receives: r.receives, keepAlive: r.keepAlive, sleep: r.sleep,
		doubts: r.doubts, will: r.will, heard: l.t}
	for _, t := range from.topics {
		c.topics.put(t.id, t.name, t.known == 1+uint64(r.doubts))
	}
	c.link.Store(l)
	g.sp.clients[c.id] = c
	gone := c.state != Active && c.state != Asleep
	if gone {
		c.heard = unheard
	}
	switch other := l.peers[c.peer]; {
	case r.displaced, other != nil && (gone || other.connected()):
		c.displaced = true
	case other != nil:
		other.displaced = true
		fallthrough
	default:
		l.peers[c.peer] = c
	}
	if gone {
		c.shownState = uint8(c.state) + 1 // it was, and that is retained
		g.sp.rest(c)
		return
	}
	present, err := g.sp.open(now, c, false, c.clean)
	if err != nil || !present { // not if the store is whole
		g.sp.log.Error("session of a device is not there any more", "client", c.id, "err", err)
		if c.s != nil {
			l.live++
			c.clean = true
			l.quit(c, Disconnected)
			return
		}
		l.over(c, Disconnected)
		return
	}
	c.takenUp = true
	c.s.Rest(now) // until its link is there and it listens
	l.showState(c)
	l.live++
	l.schedule(c)
}

// awayLink returns the link of that name. While it is not served its machine only keeps its clients.
func (g *Gateway) awayLink(now time.Time, name string) *link {
	l := g.links[name]
	if l == nil {
		l = newLink(g.sp, name, LinkConfig{}, 0, func(a transports.Addr) string { return fmt.Sprintf("%x", a.Bytes()) }, now)
		l.away, l.advertiseAt = true, never
		g.links[name] = l
	}
	l.enter(now)
	return l
}
