package guard

import (
	"context"
	"time"

	"midge/broker/listener"
	"midge/broker/mqtt"
)

// How a client came in, kept as its verdict's Proof; nil: anonymously.
type (
	byPassword    string   // the record that its password was held against
	byCertificate struct{} // its transport vouches for it
)

// Login is listener.Authenticator's. All refusals of clients that are not who they have to be say the same.
func (d *Door) Login(now time.Time, l listener.Login) (v listener.Verdict, later func(context.Context) listener.Verdict) {
	r := d.rules.Load()
	switch {
	case l.Identity != "":
		return listener.Verdict{Username: l.Identity, Proof: byCertificate{}}, nil
	case r.Passwords == nil || !l.HasUsername:
		// A name that nobody has verified opens nothing: the client is anonymous.
		if !r.Anonymous {
			return d.refuse(now, l, mqtt.NotAuthorized, "anonymous clients are not allowed"), nil
		}
		return listener.Verdict{}, nil
	case !l.HasPassword:
		return d.refuse(now, l, mqtt.NotAuthorized, "a user name without a password"), nil
	case !d.guard.admit():
		return d.refuse(now, l, mqtt.ServerBusy, "too many log-ins are waiting"), nil
	}
	return v, func(ctx context.Context) listener.Verdict {
		defer d.guard.dismiss()
		return d.check(ctx, r, l)
	}
}

// check holds a password against its record, as slowly as the package's documentation says.
func (d *Door) check(ctx context.Context, r *Rules, l listener.Login) listener.Verdict {
	g, a := d.guard, attemptOf(l, l.Username)
	place := g.stand(ctx, a.Address)
	defer g.leave(a.Address, place)
	if !place || !g.turn(ctx, a) {
		return d.refuse(time.Now(), l, mqtt.ServerBusy, "log-ins of this address or user are held back after failures, or came too many at once")
	}
	ok := r.Passwords.Verify(ctx, l.Username, l.Password)
	now := time.Now()
	if !ok && ctx.Err() != nil {
		return d.refuse(now, l, mqtt.ServerBusy, "the password could not be checked in time")
	}
	g.report(now, a, ok)
	if !ok {
		return d.refuse(now, l, mqtt.NotAuthorized, "wrong user name or password")
	}
	return listener.Verdict{Username: l.Username, Proof: byPassword(r.Passwords.Record(l.Username))}
}

// refuse says no, and to the log once a minute for each address. It does not name the user: a password typed into the wrong field would stand in the log.
func (d *Door) refuse(now time.Time, l listener.Login, reason mqtt.ReasonCode, why string) listener.Verdict {
	d.guard.mu.Lock()
	ok, unsaid := d.guard.refusals.Take(now, addressOf(l.Peer))
	d.guard.mu.Unlock()
	if ok {
		d.guard.log.Warn("log-in refused", "listener", d.name, "client", l.ClientID, "peer", l.Peer, "reason", why, "not_logged", unsaid)
	}
	return listener.Verdict{Reason: reason, Why: why}
}

// Stays is listener.Authenticator's.
func (d *Door) Stays(v *listener.Verdict) bool {
	r := d.rules.Load()
	switch proof := v.Proof.(type) {
	case byCertificate:
		return true
	case byPassword:
		return r.Passwords.Record(v.Username) == string(proof)
	}
	return r.Anonymous
}
