// Package topic knows topic names and topic filters (MQTT 5 §4.7) and matches one against the other.
//
// A name is what a message carries, a filter is what a subscription asks for; '/' separates levels,
// '+' stands for one level, '#' for the rest. [Tree] holds filters and finds those that match a name; [Names] holds
// names and finds those that match a filter. Both walk levels in place and allocate nothing while matching. Neither
// locks: the owner does.
package topic
