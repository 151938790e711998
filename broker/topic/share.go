package topic

import (
	"errors"
	"strings"
)

// SharePrefix begins the filter of a shared subscription, "$share/NAME/FILTER" (MQTT 5 §4.8.2).
const SharePrefix = "$share/"

// ErrShare is what may be wrong with a shared subscription beside its wildcards.
var ErrShare = errors.New("a shared subscription is $share/NAME/FILTER, NAME without '+' and '#'")

// Unshared returns FILTER of a valid "$share/NAME/FILTER", and any other filter as it is.
func Unshared(filter string) (plain string, shared bool) {
	if !IsShared(filter) {
		return filter, false
	}
	_, plain, _ = cut(filter[len(SharePrefix):])
	return plain, true
}

// IsShared reports whether a valid filter is that of a shared subscription.
func IsShared(filter string) bool { return strings.HasPrefix(filter, SharePrefix) }

// validShare looks at what a shared subscription has in front of its filter.
//
// "A Shared Subscription's Topic Filter MUST start with $share/ and MUST contain a ShareName that is at least one character long"
// [MQTT-4.8.2-1]; "The ShareName MUST NOT contain the characters "/", "+" or "#", but MUST be followed by a "/" character. This "/" character
// MUST be followed by a Topic Filter" [MQTT-4.8.2-2].
func validShare(filter string) error {
	first, rest, _ := cut(filter)
	if first != "$share" {
		return nil
	}
	name, plain, _ := cut(rest)
	if name == "" || plain == "" || strings.ContainsAny(name, "+#") {
		return ErrShare
	}
	return nil
}
