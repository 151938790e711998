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

	assigned atomic.Uint64 // client ids given to clients without one

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// New returns a Server whose clients become sessions of b.
func New(b *broker.Broker, cfg Config, log *slog.Logger) *Server {
	b.Protocols(Protocol)
	return &Server{broker: b, cfg: cfg.withDefaults(), log: log, conns: make(map[*conn]struct{})}
}

// Serve accepts connections from l until ctx ends, then closes l and its connections and returns when they have ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() {
		l.Close()
		s.disconnectAll(ctx)
	})
	defer stop()
	var mine sync.WaitGroup
	defer mine.Wait()
	var lp *loop
	if _, sockets := l.(syscall.Conn); sockets {
		var err error
		if lp, err = newLoop(ctx, s); err == nil {
			mine.Go(lp.run)
		} else if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for {
		nc, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				nc.Close()
			}
			return nil
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of file descriptors, most likely: it passes when a connection ends.
			s.log.Warn("accept failed", "err", err)
			if !sleep(ctx, 100*time.Millisecond) {
				return nil
			}
			continue
		}
		s.accept(ctx, &mine, lp, nc)
	}
}

// accept gives a connection to the loop, or to a goroutine of its own when it is no plain socket.
func (s *Server) accept(ctx context.Context, mine *sync.WaitGroup, lp *loop, nc net.Conn) {
	c := &conn{server: s, ctx: ctx, peer: nc.RemoteAddr(), lastRead: time.Now()}
	if !s.add(c) {
		s.log.Warn("connection refused: too many", "peer", c.peer)
		nc.Close()
		return
	}
	if lp != nil && lp.take(c, nc) {
		return
	}
	st := &stream{Conn: nc, c: c}
	c.wire = st
	mine.Go(st.serve)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= s.cfg.Connections {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

// disconnectAll ends the connections that were accepted under ctx.
func (s *Server) disconnectAll(ctx context.Context) {
	s.mu.Lock()
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range conns {
		if c.ctx == ctx {
			c.disconnect(mqtt.ServerShuttingDown)
		}
	}
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// Connections is the number of open connections, with or without a session.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}
