package topic

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// LengthMax is the longest name or filter in octets: its length travels in 16 bits.
const LengthMax = 65535

// LevelsMax bounds the depth of a name or filter, so that no client can make the tree deep.
const LevelsMax = 128

// What may be wrong with a name or a filter.
var (
	ErrEmpty    = errors.New("topic is empty")
	ErrTooLong  = errors.New("topic is longer than 65535 octets")
	ErrTooDeep  = errors.New("topic has more than 128 levels")
	ErrNotUTF8  = errors.New("topic is not valid UTF-8")
	ErrNUL      = errors.New("topic contains U+0000")
	ErrWildcard = errors.New("topic name contains a wildcard")
	ErrHash     = errors.New("'#' must be the last level and stand alone in it")
	ErrPlus     = errors.New("'+' must stand alone in its level")
)

// ValidName tells whether a message may be published to name; nil means yes.
//
// "The Topic Name in the PUBLISH packet MUST NOT contain wildcard characters" [MQTT-3.3.2-2].
func ValidName(name string) error {
	if err := validText(name); err != nil {
		return err
	}
	if strings.ContainsAny(name, "+#") {
		return ErrWildcard
	}
	return nil
}

// ValidFilter tells whether filter may be subscribed to, alone or by a group; nil means yes. See [MQTT-4.7.1-1], [MQTT-4.7.1-2] and [MQTT-4.8.2-2].
func ValidFilter(filter string) error {
	if err := validText(filter); err != nil {
		return err
	}
	for rest, more := filter, true; more; {
		var level string
		level, rest, more = cut(rest)
		switch {
		case strings.Contains(level, "#") && (level != "#" || more):
			return ErrHash
		case strings.Contains(level, "+") && level != "+":
			return ErrPlus
		}
	}
	return validShare(filter)
}

func validText(s string) error {
	switch {
	case s == "":
		return ErrEmpty
	case len(s) > LengthMax:
		return ErrTooLong
	case !utf8.ValidString(s):
		return ErrNotUTF8
	case strings.IndexByte(s, 0) >= 0:
		return ErrNUL
	case strings.Count(s, "/") >= LevelsMax:
		return ErrTooDeep
	}
	return nil
}

// Levels is how many levels a name or filter has.
func Levels(s string) int { return strings.Count(s, "/") + 1 }

// HasWildcard reports whether a valid filter can match more than one name.
func HasWildcard(filter string) bool { return strings.ContainsAny(filter, "+#") }

// Match reports whether the valid filter matches the valid name.
func Match(filter, name string) bool {
	if hidden(name) && isWildcard(filter[0]) {
		return false
	}
	for {
		f, frest, fmore := cut(filter)
		if f == "#" {
			return true
		}
		n, nrest, nmore := cut(name)
		if f != "+" && f != n {
			return false
		}
		switch {
		case fmore && nmore:
			filter, name = frest, nrest
		case fmore:
			return frest == "#" // "sport/#" also matches "sport"
		default:
			return !nmore
		}
	}
}

// cut splits the first level off; more tells whether a '/' followed it.
func cut(s string) (level, rest string, more bool) {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// hidden names are those that a leading wildcard must not match [MQTT-4.7.2-1].
func hidden(name string) bool { return name[0] == '$' }

func isWildcard(c byte) bool { return c == '+' || c == '#' }
