package auth

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Passwords are the users of a password file and their hashes. They never change.
type Passwords struct {
	records map[string]*record
	dummy   *record // of the commonest cost; nil when there are no records
	gate    *gate
	scram   scramFile
}

// LoadPasswords reads the password file at path.
func LoadPasswords(path string) (*Passwords, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the password file: %w", err)
	}
	defer f.Close()
	return ParsePasswords(path, f)
}

// ParsePasswords reads a password file: one record "user:hash" per line in the formats of mosquitto_passwd. Lines that begin with '#' and lines
// without ':' are skipped, what stands after a second ':' is not read. Whatever is wrong, an empty or repeated user, a hash
// that nobody could check, is an error of one [Problem] a line; name is the file's name in them.
func ParsePasswords(name string, r io.Reader) (*Passwords, error) {
	p := &Passwords{records: map[string]*record{}, gate: hashing}
	src := &source{file: name}
	first := map[string]int{} // user → line
	var inOrder []*record
	src.lines(r, func(line string) {
		user, secret, ok := SplitRecord(line)
		if !ok {
			return
		}
		rec, err := parseRecord(hashOf(secret))
		switch before, twice := first[user]; {
		case ValidUser(user) != nil:
			src.addf("%v", ValidUser(user))
		case twice:
			src.addf("user %q stands in line %d already", user, before)
		case err != nil:
			src.addf("user %q: %v", user, err)
		default:
			p.records[user] = rec
			inOrder = append(inOrder, rec)
		}
		if first[user] == 0 {
			first[user] = src.line
		}
	})
	if err := src.err(); err != nil {
		return nil, err
	}
	p.dummy = dummyOf(inOrder)
	p.scram = newScramFile(inOrder)
	return p, nil
}

// hashOf is what stands behind the user's name without what follows another ':'. A SCRAM record has two in it.
func hashOf(secret string) string {
	fields := strings.Split(secret, ":")
	n := 1
	if strings.HasPrefix(secret, scramPrefix) {
		n = min(3, len(fields))
	}
	return trim(strings.Join(fields[:n], ":"))
}

// Len is the number of users.
func (p *Passwords) Len() int {
	if p == nil {
		return 0
	}
	return len(p.records)
}

// Record is what stands behind the user's name in the file, "" when it is not there: as long as it stays the same, a password that was right is right.
func (p *Passwords) Record(user string) string {
	if r := p.all()[user]; r != nil {
		return r.text
	}
	return ""
}

// Verify reports whether the user exists and this is its password. It takes a millisecond to a second of processor time, may
// wait for others that are being verified, and returns false when ctx ends first: ctx.Err tells that from a wrong password.
//
// The comparison takes constant time. A user who does not exist costs as much as the commonest kind of record in the file, so that an
// answer's delay does not tell who exists.
func (p *Passwords) Verify(ctx context.Context, user string, password []byte) bool {
	if p == nil || p.dummy == nil {
		return false
	}
	rec, known := p.records[user]
	if !known {
		rec = p.dummy
	}
	weight := rec.weight()
	if p.gate.acquire(ctx, weight) != nil {
		return false
	}
	defer p.gate.release(weight)
	return subtle.ConstantTimeCompare(rec.derive(password), rec.hash) == 1 && known
}

// Changed returns the users whose record is not the same in old, sorted: changed, added and removed ones. After a reload these and no others
// have to be authenticated again. old may be nil, for no users.
func (p *Passwords) Changed(old *Passwords) []string {
	var users []string
	for user, rec := range p.all() {
		if was := old.all()[user]; was == nil || was.text != rec.text {
			users = append(users, user)
		}
	}
	for user := range old.all() {
		if p.all()[user] == nil {
			users = append(users, user)
		}
	}
	slices.Sort(users)
	return users
}

func (p *Passwords) all() map[string]*record {
	if p == nil {
		return nil
	}
	return p.records
}

// dummyOf makes a record that costs what most of the records cost; of equally common costs the first in the file counts.
func dummyOf(records []*record) *record {
	count := map[cost]int{}
	var most *record
	for _, r := range records {
		count[r.cost]++
	}
	for _, r := range records {
		if most == nil || count[r.cost] > count[most.cost] {
			most = r
		}
	}
	if most == nil {
		return nil
	}
	return &record{cost: most.cost, salt: make([]byte, len(most.salt)), hash: make([]byte, len(most.hash))}
}
