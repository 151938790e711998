package listener

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// wire is what carries a connection's octets: a socket in a loop, or a stream with a goroutine of its own.
type wire interface {
	// write sends b and returns what does not go without waiting longer than this wire waits. The caller holds wmu.
	write(b []byte) (rest []byte, err error)
	// pump is called with the pump claimed. It drains the connection and releases the pump, now or later, without holding up its caller.
	pump()
	// hurry makes a write that waits give up soon.
	hurry()
	// close ends the connection; the reader notices. The caller holds wmu.
	close()
}

// conn is one client's connection, whatever carries it. Its reader hands in what arrives (handle) and asks when it must be looked at (due).
type conn struct {
	server *Server
	ctx    context.Context
	wire   wire
	peer   net.Addr

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
	partial   []byte          // octets of a packet that is not whole yet
	batch     batch
	wakes     *broker.Wakes // shared by the connections of one loop; nil: none

	packetMax uint32 // octets that the client takes, 0 = any; written before the session exists

	pumping atomic.Uint32 // idle, running or again
	wmu     sync.Mutex    // guards writing and what follows
	pend    []byte        // to be sent before anything that is pulled
	broken  bool          // nothing more can be written
}

// due is when the connection must have been heard of again: zero means never.
func (c *conn) due() time.Time {
	switch {
	case c.session == nil:
		return c.lastRead.Add(connectTimeout) // lastRead stands still until CONNECT is whole
	case c.keepAlive == 0:
		return time.Time{}
	}
	return c.lastRead.Add(c.keepAlive)
}

// received takes in what a read has brought.
func (c *conn) received(now time.Time, ws *workspace) error {
	if c.session != nil {
		c.lastRead = now
	}
	err := c.handle(ws)
	ws.giveBack()
	if err == nil {
		c.Wake()
	}
	return err
}

// errSilent is why a connection ends that was not heard of when it was due.
var errSilent = &mqtt.Error{Reason: mqtt.KeepAliveTimeout, Text: "keep-alive timeout"}

// busyWait is how long a publisher is not read from while a subscriber catches up.
const busyWait = 100 * time.Millisecond

// errDone ends a connection without anything to say: after DISCONNECT.
var errDone = errors.New("client disconnected")

// farewell tells an MQTT 5 client why its connection ends, and the log when it was at fault.
func (c *conn) farewell(err error) {
	var fault *mqtt.Error
	switch {
	case errors.Is(err, broker.ErrTakenOver):
		c.disconnect(mqtt.SessionTakenOver)
	case errors.As(err, &fault):
		c.server.log.Info("connection closed for a fault", "err", fault, "reason", fault.Reason, "peer", c.peer)
		c.Wake() // what was right is still answered
		if !fault.Silent {
			c.disconnect(fault.Reason)
		}
	}
}

// leave gives the session back as the end of the connection demands. The wire is closed.
func (c *conn) leave(now time.Time, err error) {
	c.server.remove(c)
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
	c.session.Close(now, how)
	c.server.log.Debug("client disconnected", "client", c.session.ClientID(), "peer", c.peer, "err", err)
}

// disconnect sends DISCONNECT, where the version has one from the server, and closes the wire. Any goroutine may call it.
func (c *conn) disconnect(r mqtt.ReasonCode) {
	c.wire.hurry() // whoever writes to a client that does not read holds wmu
	c.wmu.Lock()
	c.cut(r)
	c.wmu.Unlock()
}

// cut is disconnect for whoever holds wmu.
func (c *conn) cut(r mqtt.ReasonCode) {
	if c.broken {
		return
	}
	if c.session != nil && c.version == mqtt.V5 {
		d := mqtt.Disconnect{Reason: r}
		c.wire.write(d.Append(c.pend, c.version))
	}
	c.broken = true
	c.wire.close()
}
