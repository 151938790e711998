package listener

import (
	"context"
	"net"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// An Authenticator decides who may come in. Any goroutine may call it.
type Authenticator interface {
	// Login decides about a client that wants to come in. It does not block: when the answer takes time, later is not nil and gives it. later is
	// called once, in another goroutine, and returns soon after its context has ended. It must not keep the Login's octets.
	Login(now time.Time, l Login) (v Verdict, later func(context.Context) Verdict)
	// Enhanced begins an authentication by a method of MQTT 5 §4.12, for a client that wants to come in or one that is in and proves itself again; nil when
	// there is no such method.
	Enhanced(method string, l Login) Exchange
	// Access is what a client may do that has come in; nil = everything.
	Access(username, clientID string) broker.Access
	// Stays reports whether a client that came in with this verdict may stay under what holds now.
	Stays(v *Verdict) bool
}

// Login is what a client says of itself in CONNECT, and what its connection says of it.
type Login struct {
	ClientID    string // assigned by the server if the client has sent none
	Username    string
	Password    []byte
	HasUsername bool // also with an empty name
	HasPassword bool
	Identity    string   // the user name that the transport vouches for; "" = none
	Peer        net.Addr // where it comes from
}

// Verdict is what an Authenticator says of a Login.
type Verdict struct {
	Reason   mqtt.ReasonCode // Success, or why the client does not come in
	Why      string          // the same for the log, when it does not
	Username string          // under which the client is known; "" = anonymous
	Proof    any             // what the Authenticator wants to see again in Stays
}

// everyone lets everyone do everything: a Policy without an Authenticator.
type everyone struct{}

func (everyone) Login(_ time.Time, l Login) (Verdict, func(context.Context) Verdict) {
	return Verdict{Username: l.Username}, nil
}

func (everyone) Enhanced(string, Login) Exchange { return nil }

func (everyone) Access(string, string) broker.Access { return nil }

func (everyone) Stays(*Verdict) bool { return true }

// loginTimeout is how long a decision may take from the beginning of the connection. It leaves time to tell the client.
const loginTimeout = connectTimeout - time.Second

// attempt is a CONNECT that waits for its verdict. The reader does not read meanwhile: what it has read already stays in partial.
type attempt struct {
	connect mqtt.Connect
	id      string // client id
	verdict Verdict
}

// authenticate asks who the client is, and goes on with the answer at once or when it is there.
func (c *conn) authenticate(p *mqtt.Connect) error {
	now := time.Now()
	a := &attempt{connect: *p, id: p.ClientID}
	if a.id == "" {
		a.id = c.server.assignID(now)
	}
	if p.Props.Has(mqtt.PropAuthMethod) {
		return c.beginEnhanced(a)
	}
	v, later := c.policy.Auth.Login(now, c.login(a))
	if a.verdict = v; later == nil {
		return c.conclude(a)
	}
	ctx, cancel := context.WithDeadline(c.ctx, c.lastRead.Add(loginTimeout))
	c.amu.Lock()
	c.giveUp = cancel
	c.amu.Unlock()
	c.attempt = a
	if c.wire.consult(func() { a.verdict = later(ctx) }) {
		return c.resume()
	}
	return nil
}

func (c *conn) login(a *attempt) Login {
	p := &a.connect
	return Login{ClientID: a.id, Username: p.Username, HasUsername: p.HasUsername, Password: p.Password, HasPassword: p.HasPassword,
		Identity: c.identity, Peer: c.peer}
}

// resume goes on with the CONNECT whose verdict has come.
func (c *conn) resume() error {
	a := c.attempt
	c.attempt = nil
	c.abandon()
	return c.conclude(a)
}

// abandon ends the wait for a verdict, if there is one. Any goroutine may call it.
func (c *conn) abandon() {
	c.amu.Lock()
	cancel := c.giveUp
	c.giveUp = nil
	c.amu.Unlock()
	if cancel != nil {
		cancel()
	}
}

func (c *conn) conclude(a *attempt) error {
	if v := &a.verdict; v.Reason != mqtt.Success {
		c.refused = true
		return c.refuse(v.Reason, "CONNECT refused: "+v.Why)
	}
	if err := c.accept(&a.connect, a.id, &a.verdict); err != nil {
		return err
	}
	// Review may have come after the verdict and before it could see this client.
	if !c.judge(c.session, c.verdict) {
		return &mqtt.Error{Reason: mqtt.NotAuthorized, Text: "no longer allowed"}
	}
	return nil
}

// Review gives the clients that may stay the access that they have now, disconnects the others and returns how many those were: to be called when what an
// Authenticator goes by has changed.
func (s *Server) Review() (gone int) {
	for _, c := range s.all() {
		if session, v := c.standing(); session != nil && !c.judge(session, v) {
			s.log.Info("client may no longer stay", "client", session.ClientID(), "user", v.Username, "peer", c.peer)
			c.disconnect(mqtt.NotAuthorized)
			gone++
		}
	}
	return gone
}

// Kick disconnects the client of that id, and reports whether there was one.
func (s *Server) Kick(clientID string) (ok bool) {
	for _, c := range s.all() {
		if session, _ := c.standing(); session != nil && session.ClientID() == clientID {
			s.log.Info("client kicked", "client", clientID, "peer", c.peer)
			c.disconnect(mqtt.AdministrativeAction)
			ok = true
		}
	}
	return ok
}

// trusted reports whether the client's certificate would do under the policy that its listener has by now.
func (c *conn) trusted() bool {
	if c.listener == nil {
		return true
	}
	p := c.listener.Policy()
	return p == c.policy || p.TLS == nil || p.TLS.trusts(time.Now(), c.shown) == nil
}

// standing is the client's session and how it came in; nil before its CONNECT is accepted.
func (c *conn) standing() (*broker.Session, *Verdict) {
	c.amu.Lock()
	defer c.amu.Unlock()
	return c.session, c.verdict
}

// judge reports whether the client may stay, and gives it its access if so.
func (c *conn) judge(session *broker.Session, v *Verdict) bool {
	auth := c.policy.Auth
	if !auth.Stays(v) || !c.trusted() {
		return false
	}
	if _, open := auth.(everyone); !open {
		session.SetAccess(auth.Access(v.Username, session.ClientID())) // an error says that the session is another's: it is judged there
	}
	return true
}
