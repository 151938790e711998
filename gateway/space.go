package gateway

import (
	"container/list"
	"hash/maphash"
	"log/slog"
	"time"

	"midge/broker"
)

// space is the one session space over all links: every client id that the gateway knows. It is a machine: no goroutine,
// no clock; whoever drives one of its links holds the gateway's mutex.
type space struct {
	b          *broker.Broker
	cfg        Config
	log        *slog.Logger
	start      time.Time
	predefined predefined
	wakes      broker.Wakes // whom the clients' messages are for: told after each batch

	seed maphash.Seed // for client.noted
	note []byte       // the note that is being written

	clients map[string]*client // by client id, connected or not

	// Those that have gone, the longest gone in front.
	gone      *list.List // CleanSession=0: topic ids and will are kept
	goneClean *list.List // CleanSession=1: kept for the table of devices only
}

func newSpace(b *broker.Broker, cfg Config, log *slog.Logger, start time.Time) *space {
	cfg = cfg.withDefaults()
	return &space{b: b, cfg: cfg, log: log, start: start, predefined: newPredefined(cfg.Predefined),
		seed: maphash.MakeSeed(), clients: make(map[string]*client), gone: list.New(), goneClean: list.New()}
}

func (sp *space) at(now time.Time) instant  { return instant(now.Sub(sp.start)) }
func (sp *space) time(at instant) time.Time { return sp.start.Add(time.Duration(at)) }

// rest puts a client that has gone among those that are kept, and forgets the longest gone beyond the bound.
func (sp *space) rest(c *client) {
	in, bound := sp.gone, sp.cfg.Limits.Known
	if c.clean {
		c.topics, c.will = topicTable{}, nil
		in, bound = sp.goneClean, goneCleanMax
	}
	c.gone = in.PushBack(c)
	if in.Len() > bound {
		sp.forget(in.Front().Value.(*client))
	}
}

// back takes a client out of those that have gone.
func (sp *space) back(c *client) {
	if c.gone == nil {
		return
	}
	sp.gone.Remove(c.gone) // a list ignores what is not its own
	sp.goneClean.Remove(c.gone)
	c.gone = nil
}

// forget removes a client that is not connected.
func (sp *space) forget(c *client) {
	sp.back(c)
	if l := c.link.Load(); l != nil {
		l.hideState(c)
		l.unbind(c)
	}
	delete(sp.clients, c.id)
}
