package guard

import (
	"midge/broker"
	"midge/broker/auth"
)

// access is what one client may do, by the rules that its door has at the moment. Only the core asks it, under its lock.
type access struct {
	door         *Door
	user, client string
	rules        *Rules // that made was made from
	made         *auth.Access
}

// denial is a publish that was refused.
type denial struct{ client, user, topic string }

// Access is what a client may do. user is "" for an anonymous one. Without an ACL file it is nil, which allows everything and costs nothing; when there comes to be one,
// listener.Server.Review gives clients theirs.
func (d *Door) Access(user, clientID string) broker.Access {
	if d.rules.Load().ACL == nil {
		return nil
	}
	return d.Follow(user, clientID)
}

// Follow is Access for sessions that nobody reviews: it is never nil.
func (d *Door) Follow(user, clientID string) broker.Access {
	return &access{door: d, user: user, client: clientID}
}

func (a *access) now() *auth.Access {
	if r := a.door.rules.Load(); r != a.rules {
		a.rules, a.made = r, r.ACL.For(a.user, a.client)
	}
	return a.made
}

// MayRead is broker.Access's.
func (a *access) MayRead(topic string) bool { return a.now().MayRead(topic) }

// MaySubscribe is broker.Access's.
func (a *access) MaySubscribe(filter string) bool {
	may := a.now()
	return !a.rules.CheckSubscribe || may.MaySubscribe(filter)
}

// MayWrite is broker.Access's. What is refused is logged.
func (a *access) MayWrite(topic string) bool {
	if a.now().MayWrite(topic) {
		return true
	}
	select {
	case a.door.guard.denied <- denial{a.client, a.user, topic}:
	default: // the log is behind: this one is only counted
	}
	return false
}
