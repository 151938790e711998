package auth

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// userBytesMax is the longest user name: its length travels in 16 bits.
const userBytesMax = 65535

// ValidUser tells why name cannot be the user name of a record in a password file; nil means that it can.
func ValidUser(name string) error {
	switch {
	case name == "":
		return errors.New("the user name is empty")
	case len(name) > userBytesMax:
		return errors.New("the user name is longer than 65535 bytes")
	case !utf8.ValidString(name):
		return errors.New("the user name is not valid UTF-8")
	case strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("the user name contains a control character")
	case strings.Contains(name, ":"):
		return errors.New("the user name contains ':', which ends it in a password file")
	case name[0] == '#':
		return errors.New("the user name begins with '#', which makes its line a comment")
	case trim(name) != name:
		return errors.New("the user name begins or ends with a blank")
	}
	return nil
}

// SplitRecord takes a line of a password file apart: user and secret, which is a hash, or a password in a file that is yet to be
// hashed, both trimmed. ok is false for lines that hold no record: comments and lines without ':'.
func SplitRecord(line string) (user, secret string, ok bool) {
	if strings.HasPrefix(line, "#") {
		return "", "", false
	}
	user, secret, ok = strings.Cut(line, ":")
	return trim(user), trim(secret), ok
}

// blanks are what C calls space, as Mosquitto trims it.
const blanks = " \t\n\v\f\r"

func trim(s string) string { return strings.Trim(s, blanks) }
