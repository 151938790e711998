package listener

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/broker/topic"
)

// wire is what carries a connection's octets: a socket in a loop, or a stream with a goroutine of its own. All but pump and hurry are called
// with wmu held.
type wire interface {
	// write sends b and returns what does not go without waiting longer than this wire waits.
	write(b []byte) (rest []byte, err error)
	// pump is called with the pump claimed. It drains the connection and releases the pump, now or later, without holding up its caller.
	pump()
	// hurry makes a write that waits give up soon.
	hurry()
	// consult calls ask, which may take long, and reads nothing meanwhile. done says that it has returned already; else the reader handles what it has
	// when it has returned. The caller is the reader and holds nothing.
	consult(ask func()) (done bool)
	// heed makes the reader go on that stopped for answersMax.
	heed()
	// finish ends our side of the connection, after which nothing is written; the reader ends the rest.
	finish()
	// fail is called when a write has failed. The reader still gets what the client had sent before, and then the end.
	fail()
}

// conn is one client's connection, whatever carries it. Its reader hands in what arrives (handle) and asks when it must be looked at (due).
type conn struct {
	server   *Server
	listener *Listener // where it came in
	policy   *Policy   // of the listener when it came in
	ctx      context.Context
	wire     wire
	peer     net.Addr
	identity string              // the user name that the transport vouches for, from a verified client certificate; "" = none
	shown    []*x509.Certificate // by the client
	entered  bool                // it counts among its listener's

	// Owned by the reader.
	session   *broker.Session // nil before CONNECT
	version   mqtt.Version
	bridge    bool          // the peer is a broker: No Local and Retain As Published on all its subscriptions
	keepAlive time.Duration // longest silence allowed, 0 = any
	lastRead  time.Time
	goodbye   *broker.Closing // how to close the session; nil: the client was lost
	expires   bool            // the session has an expiry interval
	mount     topic.Mount     // in front of its topics; written before the session exists
	aliases   map[uint16]string
	topic     string          // published to last, mount and all: most clients repeat themselves
	busy      <-chan struct{} // see Session.Publish
	partial   []byte          // octets of a packet that is not whole yet
	batch     batch
	wakes     *broker.Wakes // shared by the connections of one loop; nil: none
	attempt   *attempt      // a CONNECT that waits for its verdict
	refused   bool          // it was not let in
	enhanced  *enhanced     // it came in, or is coming in, by a method of enhanced authentication; nil: by CONNECT alone

	packetMax uint32     // octets that the client takes, 0 = any; written before the session exists
	explains  explaining // likewise

	pumping    atomic.Uint32 // idle, running or again
	unanswered atomic.Int64  // answers asked for since the wire last took all that we had for it

	wmu    sync.Mutex // guards writing and what follows. It may be held while a write waits
	rest   []byte     // what the wire has not taken yet
	broken bool       // nothing more can be written
	told   aliases    // topics that the client knows by alias

	// amu guards what follows, and makes writing session visible to the pump. It is taken after wmu and never held while a write waits.
	amu     sync.Mutex
	pend    []byte   // answers that go before anything that is pulled from now on
	greeted bool     // CONNACK has come out of the session; whatever is said before goes behind it
	verdict *Verdict // how the client came in; belongs to session
	giveUp  func()   // ends the wait for a verdict; nil: there is none
}

// answersMax is how many answers may wait for a client that takes none before it is not read from: about 1 MB. The kernel's buffers hold as many
// again and more, so what waits is not a burst but a client that does not listen.
const answersMax = 16384

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
	if asked := c.batch.asked; asked > 0 {
		c.unanswered.Add(int64(asked))
	}
	c.batch = batch{}
	ws.giveBack()
	if err == nil {
		c.Wake()
	}
	return err
}

// errSilent is why a connection ends that was not heard of when it was due.
var errSilent = &mqtt.Error{Reason: mqtt.KeepAliveTimeout, Text: "keep-alive timeout"}

// errTooLate is why one ends that did not begin in time.
var errTooLate = &mqtt.Error{Reason: mqtt.KeepAliveTimeout, Silent: true, Text: "CONNECT did not come in time"}

// busyWait is how long a publisher is not read from while a subscriber catches up.
const busyWait = 100 * time.Millisecond

// errCut ends a connection to which another goroutine has said the last word.
var errCut = errors.New("the server ended the connection")

// lingerWait is how long a client has to end its side after the server's last word.
const lingerWait = 500 * time.Millisecond

// errDone ends a connection without anything to say: after DISCONNECT.
var errDone = errors.New("client disconnected")

// farewell ends our side of the connection: what was right is still answered, and an MQTT 5 client is told why. The log is told when
// the client was at fault.
func (c *conn) farewell(err error) {
	var fault *mqtt.Error
	c.wire.hurry() // whoever writes to a client that does not read holds wmu
	c.wmu.Lock()
	defer c.wmu.Unlock()
	switch {
	case errors.Is(err, broker.ErrTakenOver):
		c.cut(mqtt.SessionTakenOver, "")
	case errors.As(err, &fault):
		c.server.faults.count(fault.Reason)
		level := slog.LevelInfo
		if c.refused { // who guesses passwords is not to fill the log: the Authenticator tells what is worth telling
			level = slog.LevelDebug
		}
		about := []any{"err", fault, "reason", fault.Reason, "peer", c.peer}
		if c.session != nil {
			about = append(about, "client", c.session.ClientID())
		}
		c.server.log.Log(c.ctx, level, "connection closed for a fault", about...)
		c.answerHeld()
		if !fault.Silent {
			c.cut(fault.Reason, fault.Text)
		}
	default:
		c.answerHeld()
	}
	c.shut(nil)
}

// leave gives the session back as the end of the connection demands.
func (c *conn) leave(now time.Time, err error) {
	c.abandon()
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
	about := []any{"client", c.session.ClientID(), "peer", c.peer}
	if !errors.Is(err, errDone) {
		about = append(about, "err", err)
	}
	c.server.log.Info("client disconnected", about...)
}

// disconnect sends DISCONNECT, where the version has one from the server, and ends our side. Any goroutine may call it.
func (c *conn) disconnect(r mqtt.ReasonCode) {
	c.wire.hurry() // as in farewell
	c.wmu.Lock()
	c.cut(r, "")
	c.wmu.Unlock()
}

// cut is disconnect for whoever holds wmu. The text says why when the reason alone does not; "" is the reason's usual one.
func (c *conn) cut(r mqtt.ReasonCode, text string) {
	c.amu.Lock()
	told := c.greeted && c.version == mqtt.V5
	c.amu.Unlock()
	if !told {
		c.shut(nil)
		return
	}
	c.shut(c.disconnectPacket(r, text))
}

// shut sends the last words, as far as the wire takes them, behind what waits, and ends our side. The caller holds wmu.
func (c *conn) shut(last []byte) {
	c.abandon()
	if c.broken {
		return
	}
	c.amu.Lock()
	b := append(append(c.rest, c.pend...), last...)
	c.rest, c.pend = nil, nil
	c.amu.Unlock()
	if len(b) > 0 {
		c.wire.write(b)
		c.server.traffic.bytesOut.Add(uint64(len(b)))
	}
	if len(last) > 0 {
		c.server.traffic.packetsOut.Add(1)
	}
	c.broken = true
	c.wire.finish()
}
