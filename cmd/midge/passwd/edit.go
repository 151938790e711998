package passwd

import (
	"fmt"
	"strings"

	"midge/broker/auth"
)

// setUser returns the file with the user's record changed, or appended. Should the user stand there more than once, one record is left:
// no reader takes two.
func setUser(file, user, hash string) (out string, replaced bool) {
	var b strings.Builder
	for line := range strings.Lines(file) {
		if name, _, ok := auth.SplitRecord(line); !ok || name != user {
			b.WriteString(line)
			continue
		}
		if !replaced {
			replaced = true
			fmt.Fprintf(&b, "%s:%s\n", user, hash)
		}
	}
	if replaced {
		return b.String(), true
	}
	if file != "" && !strings.HasSuffix(file, "\n") {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s:%s\n", user, hash)
	return b.String(), false
}

// removeUser returns the file without the user.
func removeUser(file, user string) (out string, found bool) {
	var b strings.Builder
	for line := range strings.Lines(file) {
		if name, _, ok := auth.SplitRecord(line); ok && name == user {
			found = true
			continue
		}
		b.WriteString(line)
	}
	return b.String(), found
}

// hashAll returns the plain-text file with every password hashed, and their number. Records that are hashed already stay. An error says
// in which line it is.
func hashAll(file string, hash func(password string) (string, error)) (out string, hashed int, err error) {
	var b strings.Builder
	number := 0
	for line := range strings.Lines(file) {
		number++
		user, secret, ok := auth.SplitRecord(line)
		if !ok || isHash(secret) {
			b.WriteString(line)
			continue
		}
		if err := checkPlain(user, secret); err != nil {
			return "", 0, fmt.Errorf("line %d: %w", number, err)
		}
		text, err := hash(secret)
		if err != nil {
			return "", 0, fmt.Errorf("line %d: %w", number, err)
		}
		fmt.Fprintf(&b, "%s:%s\n", user, text)
		hashed++
	}
	return b.String(), hashed, nil
}

// checkPlain tells why a record cannot be hashed. What begins as a hash and is none was a hash once: hashed again it would let nobody in.
func checkPlain(user, secret string) error {
	if err := auth.ValidUser(user); err != nil {
		return err
	}
	for _, prefix := range []string{"$6$", "$7$", "$argon2", "SCRAM-SHA-"} {
		if strings.HasPrefix(secret, prefix) {
			return fmt.Errorf("user %q has a damaged hash, or one of a kind that is not known", user)
		}
	}
	return checkPassword(secret)
}

func isHash(secret string) bool {
	_, err := auth.ParsePasswords("", strings.NewReader("u:"+secret))
	return err == nil
}

// problems are what is wrong with the file as a whole, one sentence each.
func problems(name, file string) []string {
	if _, err := auth.ParsePasswords(name, strings.NewReader(file)); err != nil {
		return strings.Split(err.Error(), "\n")
	}
	return nil
}
