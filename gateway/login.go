package gateway

import (
	"context"
	"slices"
	"time"

	"midge/mqttsn"
	"midge/transports"
)

// Login is what a device says of itself in AUTH.
type Login struct {
	Link     string
	ClientID string
	Address  string // as the link formats it
	Username string
	Password []byte // the callee's to keep
}

// Verdict is the answer to a Login.
type Verdict struct {
	OK       bool
	Later    bool   // refused for the moment only: the device hears «later», whatever Config.RefuseLater says
	Username string // what its user is called; Access is asked with it
}

// login is a CONNECT on a link with LinkConfig.Auth: AUTH is awaited, or being checked. It belongs to an address and to no client: whoever has not
// proved who he is must not touch what belongs to the client id.
type login struct {
	from     peer
	connect  mqttsn.Connect
	until    instant
	checking bool
}

// check is a login that the shell has LinkConfig.Auth judge.
type check struct {
	of    *login
	login Login
	ask   func(context.Context, Login) Verdict
}

const (
	loginsMax = 1024 // logins open on one link
	checksMax = 64   // of which so many are being checked
)

// await begins the login of whoever says CONNECT. Nothing is sent: AUTH follows unasked.
func (l *link) await(from peer, p mqttsn.Connect) {
	switch w := l.logins[from]; {
	case w == nil && len(l.logins) >= loginsMax:
		l.turnAway(&from, p.ClientID, Congested, mqttsn.Congestion, "too many others have not sent their AUTH yet")
	case w == nil:
		w = &login{from: from, connect: p, until: l.t + instant(l.cfg.RetryInterval)*instant(l.cfg.RetryCount+1)}
		if l.logins == nil {
			l.logins = make(map[peer]*login)
		}
		l.logins[from] = w
		l.forgetLogins()
		l.awaited = append(l.awaited, w)
	case !w.checking:
		w.connect = p // it has started anew; its time has not
	}
}

// forgetLogins takes those that are over out of awaited when they are as many as those that may be open: who fails at once may try again at once, long
// before his time comes up.
func (l *link) forgetLogins() {
	if len(l.awaited) >= 2*loginsMax {
		l.awaited = slices.DeleteFunc(l.awaited, func(w *login) bool { return l.logins[w.from] != w })
	}
}

// auth handles AUTH. It counts once, after CONNECT; copies of it, and those that nobody has asked for, are dropped.
func (l *link) auth(from peer, p mqttsn.Auth) {
	w := l.logins[from]
	if w == nil || w.checking {
		l.drop(Unexpected)
		return
	}
	user, password, ok := p.Plain()
	switch {
	case !ok:
		delete(l.logins, from)
		l.turnAway(&from, w.connect.ClientID, LoginRefused, mqttsn.NotSupported, "its AUTH is not SASL PLAIN")
	case l.checking >= checksMax:
		delete(l.logins, from)
		l.turnAway(&from, w.connect.ClientID, Congested, mqttsn.Congestion, "too many passwords are being checked")
	default:
		w.checking = true
		l.checking++
		in := Login{Link: l.name, ClientID: w.connect.ClientID, Address: l.format(from.addr), Username: user, Password: append([]byte(nil), password...)}
		l.checks = append(l.checks, check{w, in, l.cfg.Auth})
	}
}

// judged takes the verdict on a login.
func (l *link) judged(w *login, v Verdict) {
	l.checking--
	if l.logins[w.from] != w {
		return // the link has ended meanwhile
	}
	delete(l.logins, w.from)
	switch {
	case v.OK:
		l.letIn(w.from, w.connect, v.Username)
	case v.Later:
		l.rebuff(&w.from, LoginRefused, mqttsn.Congestion) // whoever has judged it tells the log why
	default:
		l.rebuff(&w.from, LoginRefused, l.sp.refused())
	}
}

// endLogins refuses those who have not sent AUTH in time. All have the same time, so they come up in the order in which they began.
func (l *link) endLogins() {
	for len(l.awaited) > 0 && l.awaited[0].until <= l.t {
		w := l.awaited[0]
		l.awaited[0], l.awaited = nil, l.awaited[1:]
		if l.logins[w.from] == w && !w.checking {
			delete(l.logins, w.from)
			l.turnAway(&w.from, w.connect.ClientID, LoginRefused, l.sp.refused(), "it has sent no AUTH")
		}
	}
}

// takeChecks returns the logins that are to be judged, and forgets them.
func (l *link) takeChecks() []check {
	checks := l.checks
	l.checks = nil
	return checks
}

// judge is the shell's part of a login: it asks, for as long as that takes, and tells the machine.
func (g *Gateway) judge(ctx context.Context, l *link, t transports.Link, c check) {
	v := c.ask(ctx, c.login)
	if ctx.Err() != nil {
		return // the link has ended, and the device is told nothing
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	l.ready.begin()
	l.enter(now)
	l.judged(c.of, v)
	g.out(l, t, now)
}
