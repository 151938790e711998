package guard

import (
	"time"

	"midge/broker/auth"
	"midge/broker/listener"
	"midge/broker/mqtt"
)

// Enhanced is listener.Authenticator's. SCRAM-SHA-256 is offered where the password file has a record for it. A name that the client or its transport
// has said before must be the one that it proves.
func (d *Door) Enhanced(method string, l listener.Login) listener.Exchange {
	r := d.rules.Load()
	if method != auth.ScramMethod {
		return nil
	}
	x := r.Passwords.Exchange()
	if x == nil {
		return nil
	}
	return &exchange{scram: x, door: d, rules: r, login: l}
}

// exchange is one log-in by SCRAM-SHA-256. A check costs next to nothing, so it stands in no line; failures count as those of passwords do.
type exchange struct {
	scram *auth.Exchange
	door  *Door
	rules *Rules
	login listener.Login
	tried bool // the throttle has let it be tried
}

// Step is listener.Exchange's.
func (x *exchange) Step(now time.Time, data []byte) (answer []byte, v *listener.Verdict) {
	g := x.door.guard
	answer, done, err := x.scram.Step(data)
	user := x.scram.User()
	a := attemptOf(x.login, user)
	if user != "" && !x.tried {
		if x.tried = g.mayTry(now, a); !x.tried {
			return nil, x.refuse(now, mqtt.ServerBusy, "log-ins of this address or user are held back after failures")
		}
	}
	switch {
	case err != nil:
		g.report(now, a, false)
		return nil, x.refuse(now, mqtt.NotAuthorized, "wrong user name or password")
	case !done:
		return answer, nil
	}
	g.report(now, a, true)
	if named := x.login.Username; x.login.HasUsername && named != user || x.login.Identity != "" && x.login.Identity != user {
		return nil, x.refuse(now, mqtt.NotAuthorized, "the user is not the one who was named")
	}
	return answer, &listener.Verdict{Username: user, Proof: byPassword(x.rules.Passwords.Record(user))}
}

func (x *exchange) refuse(now time.Time, reason mqtt.ReasonCode, why string) *listener.Verdict {
	v := x.door.refuse(now, x.login, reason, why)
	return &v
}
