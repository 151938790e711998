package topic

import (
	"errors"
	"strings"
)

// A Mount stands in front of every topic of a client, as Mosquitto's mount_point does: the client lives in the branch below and sees no more of it
// than that. "" is no mount.
type Mount string

// ValidMount returns an error for what cannot stand in front of a topic.
func ValidMount(pattern string) error {
	switch {
	case pattern == "":
		return nil
	case hidden(pattern):
		return errors.New("begins with '$', as only the server's own topics do")
	}
	return ValidName(pattern)
}

// MountFor is the mount of one client: pattern with %c for its client id and %u for its user name, "-" if it has none. Both are one level of the topic, so that
// nobody gets into another's branch by how he is called: '_' stands for the characters that mean something in topics.
func MountFor(pattern, clientID, user string) Mount {
	if !strings.Contains(pattern, "%") {
		return Mount(pattern)
	}
	return Mount(strings.NewReplacer("%c", oneLevel(clientID), "%u", oneLevel(user)).Replace(pattern))
}

var meaningless = strings.NewReplacer("/", "_", "+", "_", "#", "_", "$", "_")

func oneLevel(s string) string {
	if s == "" {
		return "-"
	}
	return meaningless.Replace(s)
}

// Name is the topic that the client means by name.
func (m Mount) Name(name string) string {
	if m == "" {
		return name
	}
	return string(m) + name
}

// Filter is the filter that the client means. In a shared subscription it is behind the name of the group.
func (m Mount) Filter(filter string) string {
	if m == "" {
		return filter
	}
	return behindGroup(filter, m.Name)
}

// StripFilter is the filter as the client has written it.
func (m Mount) StripFilter(filter string) string { return behindGroup(filter, m.Strip) }

// behindGroup changes what of a filter is no name of a group.
func behindGroup(filter string, change func(string) string) string {
	plain, _ := Unshared(filter)
	return strings.TrimSuffix(filter, plain) + change(plain)
}

// Strip is what the client is told of a topic. One that is not below the mount, which a session may hold that was used elsewhere before, stays whole.
func (m Mount) Strip(name string) string {
	if len(name) == len(m) {
		return name // no topic is empty
	}
	return strings.TrimPrefix(name, string(m))
}
