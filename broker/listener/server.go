package listener

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// Config is what all connections of a Server have in common. The zero value of a field means its default.
type Config struct {
	MaximumPacketSize uint32 // octets of the largest packet accepted; default 2,000,000
	ReceiveMaximum    uint16 // QoS 2 messages that a client may have open; default 20, announced in MQTT 5
	TopicAliasMaximum uint16 // default 10
	Connections       int    // at a time; default 100,000
}

func (c Config) withDefaults() Config {
	if c.MaximumPacketSize == 0 {
		c.MaximumPacketSize = 2_000_000
	}
	if c.ReceiveMaximum == 0 {
		c.ReceiveMaximum = 20
	}
	if c.TopicAliasMaximum == 0 {
		c.TopicAliasMaximum = 10
	}
	if c.Connections == 0 {
		c.Connections = 100_000
	}
	return c
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

// Serve accepts connections from l until ctx ends or l is closed, then closes l and its connections and returns when they have ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var mine sync.WaitGroup
	defer mine.Wait()
	defer cancel()
	var lp *loop
	if _, sockets := l.(syscall.Conn); sockets {
		var err error
		if lp, err = newLoop(ctx, s); err == nil {
			mine.Go(lp.run)
		} else if !errors.Is(err, errors.ErrUnsupported) {
			l.Close()
			return err
		}
	}
	mine.Go(func() {
		<-ctx.Done()
		l.Close()
		s.disconnectAll(ctx)
	})
	return s.acceptAll(ctx, &mine, lp, l)
}

func (s *Server) acceptAll(ctx context.Context, mine *sync.WaitGroup, lp *loop, l net.Listener) error {
	failing := false
	for {
		nc, err := l.Accept()
		switch {
		case err == nil && ctx.Err() != nil:
			nc.Close()
			return nil
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			if !failing { // said once, not ten times a second
				s.log.Warn("accept failed: trying again", "err", err)
			}
			failing = true
			// Out of file descriptors, most likely: it passes when a connection ends.
			sleep(ctx, 100*time.Millisecond)
			continue
		}
		failing = false
		s.accept(ctx, mine, lp, nc)
	}
}

// accept gives a connection to the loop, or to a goroutine of its own when it is no plain socket.
func (s *Server) accept(ctx context.Context, mine *sync.WaitGroup, lp *loop, nc net.Conn) {
	c := &conn{server: s, ctx: ctx, peer: nc.RemoteAddr(), lastRead: time.Now()}
	if !s.admit() {
		s.log.Warn("connection refused: too many", "peer", c.peer)
		nc.Close()
		return
	}
	start := lp.take(c, nc)
	if start == nil {
		st := newStream(c, nc)
		c.wire = st
		start = func() { mine.Go(st.serve) }
	}
	s.list(c) // only now: whoever finds it there may use its wire
	start()
	if ctx.Err() != nil { // disconnectAll may have looked before it was listed
		c.disconnect(mqtt.ServerShuttingDown)
	}
}

// sleep waits d, or less when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
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
	s.mu.Lock()
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	conns = slices.DeleteFunc(conns, func(c *conn) bool { return c.ctx != ctx })
	for _, c := range conns {
		c.wire.hurry() // all at once: each may hold up its turn
	}
	for _, c := range conns {
		c.disconnect(mqtt.ServerShuttingDown)
	}
}

// remove forgets a connection whose wire is closed.
func (s *Server) remove(c *conn) {
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
