package listener

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// Config is what concerns a Server as a whole. The zero value of a field means its default.
type Config struct {
	Connections int           // at a time, of all listeners together; default 100,000
	KeepMax     time.Duration // a session outlives its connection for at most so long, in whole seconds; default as long as its client asked for
	Stall       time.Duration // a client that takes nothing of what waits for it for so long is cut off; default 2 min
}

func (c Config) withDefaults() Config {
	c.Connections = cmp.Or(c.Connections, 100_000)
	c.Stall = cmp.Or(c.Stall, 2*time.Minute)
	return c
}

// keep is how many seconds a session is kept whose client asks for so many.
func (c Config) keep(asked uint32) uint32 {
	if c.KeepMax == 0 {
		return asked
	}
	return min(asked, uint32(c.KeepMax/time.Second))
}

// connectTimeout is how long a new connection may take to complete its CONNECT.
const connectTimeout = 10 * time.Second

// Protocol is the name under which the broker counts this front end's messages.
const Protocol = "mqtt"

// A Server serves MQTT connections of any number of net.Listeners.
type Server struct {
	broker *broker.Broker
	cfg    Config
	log    *slog.Logger

	faults   faults
	refusals refusals
	traffic  traffic
	assigned atomic.Uint64 // client ids given to clients without one

	mu    sync.Mutex
	open  int // connections
	conns map[*conn]struct{}
}

// New returns a Server whose clients become sessions of b.
func New(b *broker.Broker, cfg Config, log *slog.Logger) *Server {
	b.Protocols(Protocol)
	return &Server{broker: b, cfg: cfg.withDefaults(), log: log, conns: make(map[*conn]struct{})}
}

// admit counts a connection, if there is room for one more.
func (s *Server) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.cfg.Connections {
		return false
	}
	s.open++
	return true
}

// list makes an admitted connection known to disconnectAll.
func (s *Server) list(c *conn) {
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
}

// disconnectAll ends the connections that were accepted under ctx.
func (s *Server) disconnectAll(ctx context.Context) {
	conns := slices.DeleteFunc(s.all(), func(c *conn) bool { return c.ctx != ctx })
	for _, c := range conns {
		c.wire.hurry() // all at once: each may hold up its turn
	}
	for _, c := range conns {
		c.disconnect(mqtt.ServerShuttingDown)
	}
}

// all are the connections that are open now.
func (s *Server) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.conns))
}

// remove forgets a connection whose wire is closed.
func (s *Server) remove(c *conn) {
	if c.entered {
		c.listener.bounds.leave(c.peer)
	}
	s.mu.Lock()
	delete(s.conns, c)
	s.open--
	s.mu.Unlock()
}

// Connections is the number of open connections, with or without a session.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}
