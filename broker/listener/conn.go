package listener

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// conn is one client's connection.
type conn struct {
	server *Server
	ctx    context.Context
	src    *source

	// Owned by the reader.
	session   *broker.Session // nil before CONNECT
	version   mqtt.Version
	bridge    bool          // the peer is a broker: No Local and Retain As Published on all its subscriptions
	keepAlive time.Duration // longest silence allowed, 0 = any
	lastRead  time.Time
	goodbye   *broker.Closing // how to close the session; nil: the client was lost
	expires   bool            // the session has an expiry interval
	aliases   map[uint16]string
	topic     string          // published to last: most clients repeat themselves
	busy      <-chan struct{} // see Session.Publish
	batch     batch

	// What the client can take; written before the session exists, read by the pump.
	packetMax uint32 // octets, 0 = any

	pumping atomic.Uint32 // idle, running or again
	wmu     sync.Mutex    // guards writing and what follows
	pend    []byte        // packets that are not deliveries: CONNACK, SUBACK, PINGRESP
	broken  bool          // nothing more can be written
}

func newConn(ctx context.Context, s *Server, nc net.Conn) *conn {
	return &conn{server: s, ctx: ctx, src: newSource(nc), lastRead: time.Now()}
}

// run reads until the connection ends and leaves the session as the end demands.
func (c *conn) run() {
	err := c.read()
	c.farewell(err)
	c.src.Close()
	if c.session == nil {
		return
	}
	how := broker.Closing{Lost: true}
	switch {
	case c.goodbye != nil:
		how = *c.goodbye
	case c.ctx.Err() != nil:
		how.Lost = false // the server goes, not the client: nobody is to be told that the client was lost
	}
	c.session.Close(time.Now(), how)
	c.server.log.Debug("client disconnected", "client", c.session.ClientID(), "peer", c.src.RemoteAddr(), "err", err)
}

// errDone ends a connection without anything to say: after DISCONNECT.
var errDone = errors.New("client disconnected")

func (c *conn) read() error {
	c.src.SetReadDeadline(c.lastRead.Add(connectTimeout))
	for {
		ws, err := c.src.wait()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && c.stillAlive() {
				continue
			}
			return c.timeout(err)
		}
		c.lastRead = time.Now()
		err = c.handle(ws)
		ws.giveBack()
		if err != nil {
			return err
		}
		c.pump()
		c.pause()
	}
}

// stillAlive is asked when the read deadline fires: it moves the deadline if the client was heard of since.
func (c *conn) stillAlive() bool {
	if c.session == nil || c.ctx.Err() != nil {
		return false
	}
	if c.keepAlive == 0 {
		c.src.SetReadDeadline(time.Time{})
		return true
	}
	due := c.lastRead.Add(c.keepAlive)
	c.src.SetReadDeadline(due)
	return time.Now().Before(due)
}

func (c *conn) timeout(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) && c.session != nil && c.ctx.Err() == nil {
		// "If … the Server does not receive a Control Packet from the Client within one and a half times the Keep Alive
		// time period, it MUST close the Network Connection" [MQTT-3.1.2-22]
		return &mqtt.Error{Reason: mqtt.KeepAliveTimeout, Text: "keep-alive timeout"}
	}
	return err
}

// farewell tells an MQTT 5 client why its connection ends and the log when it was at fault.
func (c *conn) farewell(err error) {
	var fault *mqtt.Error
	switch {
	case errors.Is(err, broker.ErrTakenOver):
		c.disconnect(mqtt.SessionTakenOver)
	case errors.As(err, &fault):
		c.server.log.Info("connection closed for a fault", "err", fault, "reason", fault.Reason, "peer", c.src.RemoteAddr())
		c.pump() // what was right is still answered
		if !fault.Silent {
			c.disconnect(fault.Reason)
		}
	}
}

// disconnect sends DISCONNECT, where the version has one from the server, and closes the socket. Any goroutine may call it.
func (c *conn) disconnect(r mqtt.ReasonCode) {
	// A pump that waits for a client which does not read holds wmu: the deadline lets it go.
	c.src.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	c.wmu.Lock()
	c.cut(r)
	c.wmu.Unlock()
}

// cut is disconnect for whoever holds wmu.
func (c *conn) cut(r mqtt.ReasonCode) {
	if c.session != nil && c.version == mqtt.V5 && !c.broken {
		d := mqtt.Disconnect{Reason: r}
		c.src.Write(d.Append(nil, c.version))
	}
	c.broken = true
	c.src.Close() // the reader notices
}

// busyWait is how long a publisher is not read from while a subscriber catches up.
const busyWait = 100 * time.Millisecond

// pause slows a publisher whose subscribers have fallen behind.
func (c *conn) pause() {
	busy := c.busy
	if busy == nil {
		return
	}
	c.busy = nil
	t := time.NewTimer(busyWait)
	defer t.Stop()
	select {
	case <-busy:
	case <-t.C:
	case <-c.ctx.Done():
	}
}
