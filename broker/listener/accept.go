package listener

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"midge/broker/mqtt"
)

// A Listener is one place where clients come in, with the policy for those who do.
type Listener struct {
	server *Server
	net    net.Listener
	policy atomic.Pointer[Policy]
	bounds bounds
}

// Listener makes one of a net.Listener, whose connections are the server's once Serve is called.
func (s *Server) Listener(nl net.Listener, p Policy) *Listener {
	l := &Listener{server: s, net: nl}
	l.SetPolicy(p)
	return l
}

// SetPolicy replaces the policy. A connection keeps the one that it came in under. Any goroutine may call it, also while l is served.
func (l *Listener) SetPolicy(p Policy) { l.policy.Store(p.withDefaults()) }

// Policy is what new connections come in under now. It is not to be changed.
func (l *Listener) Policy() *Policy { return l.policy.Load() }

// Addr is where l listens.
func (l *Listener) Addr() net.Addr { return l.net.Addr() }

// Serve serves a net.Listener as Listener.Serve does.
func (s *Server) Serve(ctx context.Context, nl net.Listener, p Policy) error {
	return s.Listener(nl, p).Serve(ctx)
}

// Serve accepts connections until ctx ends or the net.Listener is closed, then closes it and its connections and returns when they have ended.
func (l *Listener) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	a := acceptor{Listener: l, ctx: ctx}
	defer a.all.Wait()
	defer cancel()
	if _, sockets := l.net.(syscall.Conn); sockets && l.Policy().loops() {
		var err error
		if a.loop, err = newLoop(ctx, l.server); err == nil {
			a.all.Go(a.loop.run)
		} else if !errors.Is(err, errors.ErrUnsupported) {
			l.net.Close()
			return err
		}
	}
	a.all.Go(func() {
		<-ctx.Done()
		l.net.Close()
		l.server.disconnectAll(ctx)
	})
	return a.run()
}

// acceptor is a Listener while it is served.
type acceptor struct {
	*Listener
	ctx  context.Context
	all  sync.WaitGroup // goroutines
	loop *loop          // nil: every connection has a goroutine
}

func (a *acceptor) run() error {
	failing := false
	for {
		nc, err := a.net.Accept()
		switch {
		case err == nil && a.ctx.Err() != nil:
			nc.Close()
			return nil
		case a.ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			if !failing { // said once, not ten times a second
				a.server.log.Warn("accept failed: trying again", "err", err)
			}
			failing = true
			// Out of file descriptors, most likely: it passes when a connection ends.
			sleep(a.ctx, 100*time.Millisecond)
			continue
		}
		failing = false
		a.accept(nc)
	}
}

// accept takes a connection, if there is room for it. What stands before its first packet is awaited by a goroutine.
func (a *acceptor) accept(nc net.Conn) {
	c := &conn{server: a.server, listener: a.Listener, policy: a.Policy(), ctx: a.ctx, peer: nc.RemoteAddr(), lastRead: time.Now()}
	if a, ok := nc.LocalAddr().(*net.UnixAddr); ok {
		c.peer = a // the client's end has no name
	}
	if !a.server.admit() {
		a.refuse(nc, c.peer, refusedServerFull, nil)
		return
	}
	a.server.traffic.sockets.Add(1)
	watch(nc, a.server.cfg.Stall)
	if !c.policy.ProxyProtocol { // then it is the client that is counted, who is not known yet
		if why, ok := c.takePlace(); !ok {
			a.server.remove(c)
			a.refuse(nc, c.peer, why, nil)
			return
		}
	}
	if c.policy.plain() {
		a.begin(c, nc, nc)
		return
	}
	a.all.Go(func() { a.prepare(c, nc) })
}

// takePlace counts the connection among its listener's, unless it is one too many.
func (c *conn) takePlace() (why refusal, ok bool) {
	why, c.entered = c.listener.bounds.enter(c.lastRead, c.policy, c.peer)
	return why, c.entered
}

// prepare brings a connection to its first packet. That must have come within connectTimeout, so this must too.
func (a *acceptor) prepare(c *conn, raw net.Conn) {
	stop := context.AfterFunc(a.ctx, func() { raw.Close() })
	raw.SetDeadline(c.due())
	nc, why, err := c.unwrap(raw)
	stop()
	switch {
	case a.ctx.Err() != nil:
		a.server.remove(c)
		raw.Close()
		return
	case err != nil:
		a.server.remove(c)
		a.refuse(raw, c.peer, why, err)
		return
	}
	raw.SetDeadline(time.Time{})
	a.begin(c, nc, raw)
}

// unwrap takes off what the policy puts around MQTT.
func (c *conn) unwrap(raw net.Conn) (nc net.Conn, why refusal, err error) {
	nc = raw
	if c.policy.ProxyProtocol {
		if why, err = c.introduce(nc); err != nil {
			return nil, why, err
		}
	}
	if c.policy.TLS != nil {
		t, user, why, err := c.policy.secure(c.ctx, nc)
		if err != nil {
			return nil, why, err
		}
		if nc, c.shown = t, t.ConnectionState().PeerCertificates; user != "" {
			c.identity = user
		}
	}
	if c.policy.WebSocket != nil {
		if nc, err = c.policy.WebSocket.upgrade(nc); err != nil {
			return nil, refusedUpgrade, err
		}
	}
	return nc, 0, nil
}

// introduce takes from a PROXY header for whom the connection is.
func (c *conn) introduce(nc net.Conn) (refusal, error) {
	h, err := readProxyHeader(nc)
	if err != nil {
		return refusedProxyHeader, err
	}
	if h.client != nil {
		c.peer = h.client
	}
	if why, ok := c.takePlace(); !ok {
		return why, errors.New("behind a proxy")
	}
	if !c.policy.IdentityAsUsername || c.policy.TLS != nil && c.policy.TLS.files.RequireCertificate {
		return 0, nil
	}
	if h.name == "" {
		return refusedIdentity, errors.New("the proxy tells of no verified certificate with a common name (CN) to take the user name from")
	}
	c.identity = h.name
	return refusedIdentity, validIdentity(h.name)
}

// begin gives a connection to the loop, or to a goroutine of its own when it is no plain socket. What nc carries goes through raw.
func (a *acceptor) begin(c *conn, nc, raw net.Conn) {
	start := a.loop.take(c, nc)
	if start == nil {
		st := newStream(c, nc, raw)
		c.wire = st
		start = func() { a.all.Go(st.serve) }
	}
	a.server.list(c) // only now: whoever finds it there may use its wire
	start()
	if a.ctx.Err() != nil { // disconnectAll may have looked before it was listed
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
