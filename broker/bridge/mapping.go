package bridge

import (
	"fmt"
	"strings"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/broker/topic"
)

// Direction says which way a line carries messages.
type Direction uint8

// The directions, as seen from this broker.
const (
	Out  Direction = iota // to the other broker
	In                    // from it
	Both                  // each way
)

// Topic is one line of what a bridge carries. The local filter is LocalPrefix+Filter, the remote one RemotePrefix+Filter: a
// message that crosses loses one prefix and gets the other.
type Topic struct {
	Filter       string // the only part that may hold wildcards; may be empty when both prefixes are whole topics
	Direction    Direction
	QoS          mqtt.QoS // a message crosses at the lower of this and its own
	LocalPrefix  string
	RemotePrefix string
}

func (t Topic) local() string  { return t.LocalPrefix + t.Filter }
func (t Topic) remote() string { return t.RemotePrefix + t.Filter }
func (t Topic) out() bool      { return t.Direction != In }
func (t Topic) in() bool       { return t.Direction != Out }

// mapping translates topic names. Where several lines match, the first in configuration order decides.
type mapping []Topic

// newMapping refuses lines that no broker could subscribe to.
func newMapping(lines []Topic) (mapping, error) {
	for _, t := range lines {
		for _, f := range []string{t.local(), t.remote()} {
			if err := topic.ValidFilter(f); err != nil {
				return nil, fmt.Errorf("topic %q cannot be bridged as %q: %w", t.Filter, f, err)
			}
		}
		if strings.ContainsAny(t.LocalPrefix+t.RemotePrefix, "+#") {
			return nil, fmt.Errorf("topic %q cannot be bridged: a prefix holds a wildcard, which belongs into the filter", t.Filter)
		}
	}
	return mapping(lines), nil
}

// toRemote gives the name upstream of a local topic. ok is false when no line carries it out or the name would be invalid.
func (m mapping) toRemote(local string) (remote string, line Topic, ok bool) {
	for _, t := range m {
		rest, has := strings.CutPrefix(local, t.LocalPrefix) // "a/#" matches "a", which does not begin with "a/"
		if has && t.out() && topic.Match(t.local(), local) {
			remote = t.RemotePrefix + rest
			return remote, t, topic.ValidName(remote) == nil
		}
	}
	return "", Topic{}, false
}

// toLocal gives the local name of a topic upstream. ok is false when no line carries it in or one of the names is invalid.
func (m mapping) toLocal(remote string) (local string, line Topic, ok bool) {
	if topic.ValidName(remote) != nil {
		return "", Topic{}, false
	}
	for _, t := range m {
		rest, has := strings.CutPrefix(remote, t.RemotePrefix)
		if has && t.in() && topic.Match(t.remote(), remote) {
			local = t.LocalPrefix + rest
			return local, t, topic.ValidName(local) == nil
		}
	}
	return "", Topic{}, false
}

// comesBack reports whether the upstream would send a message on this remote topic to the bridge too.
func (m mapping) comesBack(remote string) bool {
	for _, t := range m {
		if t.in() && topic.Match(t.remote(), remote) {
			return true
		}
	}
	return false
}

// localSubscriptions are those of the bridge's own session. No Local keeps what came in from going out again; retained messages are
// sent when the subscription is new and not again after each loss of the link.
func (m mapping) localSubscriptions() []broker.Subscription {
	var subs []broker.Subscription
	at := make(map[string]int)
	for _, t := range m {
		if !t.out() {
			continue
		}
		if i, again := at[t.local()]; again {
			subs[i].QoS = max(subs[i].QoS, t.QoS)
			continue
		}
		at[t.local()] = len(subs)
		subs = append(subs, broker.Subscription{Filter: t.local(), QoS: t.QoS, NoLocal: true, RetainAsPublished: true, RetainHandling: 1})
	}
	return subs
}

// filter is one remote subscription.
type filter struct {
	name string
	qos  mqtt.QoS
}

// remoteFilters are the subscriptions upstream, each filter once.
func (m mapping) remoteFilters() []filter {
	var filters []filter
	at := make(map[string]int)
	for _, t := range m {
		if !t.in() {
			continue
		}
		if i, again := at[t.remote()]; again {
			filters[i].qos = max(filters[i].qos, t.QoS)
			continue
		}
		at[t.remote()] = len(filters)
		filters = append(filters, filter{t.remote(), t.QoS})
	}
	return filters
}
