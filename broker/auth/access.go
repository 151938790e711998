package auth

import (
	"strings"

	"midge/broker/topic"
)

// Access is what one client may read and write. It never changes; nil allows everything.
//
// What decides, in this order: the user's own deny entries, its own grants, deny patterns, patterns; what none of them decides is
// denied. So a grant to the user beats a deny pattern.
type Access struct {
	own      *rules // shared by all clients of the user; nil = none
	patterns rules  // with the client's names filled in
}

// For returns what a client may do. user is "" for a client without a user name, to which the entries before the first user line
// apply.
//
// While the file has patterns, a user name or client id that contains '+' or '#' gets none of them: filled in, it would open other
// clients' topics.
func (a *ACL) For(user, clientID string) *Access {
	if a == nil {
		return nil
	}
	own := a.anonymous
	if user != "" {
		own = a.users[user]
	}
	if strings.ContainsAny(user, "+#") || strings.ContainsAny(clientID, "+#") {
		return &Access{own: own}
	}
	return &Access{own: own, patterns: newRules(a.fill(user, clientID))}
}

// fill puts the names into the patterns. Patterns with %u do not apply to a client without a user name.
func (a *ACL) fill(user, clientID string) []entry {
	if len(a.patterns) == 0 {
		return nil
	}
	names := strings.NewReplacer("%c", clientID, "%u", user)
	filled := make([]entry, 0, len(a.patterns))
	for _, p := range a.patterns {
		if p.hasUser && user == "" {
			continue
		}
		e := p.entry
		if p.hasClient || p.hasUser {
			e.filter = names.Replace(e.filter)
		}
		// A client must not choose its way into '$' topics: only an entry that is written with '$' opens them.
		if e.filter == "" || e.what != deny && e.filter[0] == '$' && p.filter[0] != '$' {
			continue
		}
		filled = append(filled, e)
	}
	return filled
}

// MayRead reports whether messages of the topic may be delivered to the client. It allocates nothing.
func (a *Access) MayRead(name string) bool {
	return a == nil || a.may(name, read)
}

// MayWrite reports whether the client may publish to the topic. It allocates nothing.
func (a *Access) MayWrite(name string) bool {
	return a == nil || !reserved(name) && a.may(name, write)
}

// MaySubscribe reports whether there is a topic that the filter matches and that the client may read. With a group of a shared subscription in front,
// it is about the filter behind it.
func (a *Access) MaySubscribe(filter string) bool {
	if a == nil {
		return true
	}
	if rest, shared := strings.CutPrefix(filter, "$share/"); shared {
		if _, filter, shared = strings.Cut(rest, "/"); !shared || filter == "" {
			return false
		}
	}
	if a.own != nil {
		if said := a.own.reach(filter); said != 0 {
			return said == read
		}
	}
	return a.patterns.reach(filter) == read
}

func (a *Access) may(name string, want access) bool {
	if name == "" || strings.HasPrefix(name, "$share") {
		return false // "$share/…" is a word of subscriptions and no topic
	}
	if a.own != nil {
		if said := a.own.ask(name, want); said != 0 {
			return said == want
		}
	}
	return a.patterns.ask(name, want) == want
}

// reserved topics are written by the broker alone, whatever the file says; bridges tell their state in one of them.
func reserved(name string) bool {
	return strings.HasPrefix(name, "$SYS") && !topic.Match("$SYS/broker/connection/+/state", name)
}
