package auth

import (
	"strings"
	"testing"

	"midge/broker/topic"
)

// FuzzPasswords reads files of any content. What is accepted has users that a file may have, and is read the same again from what it says.
func FuzzPasswords(f *testing.F) {
	for _, kind := range []Kind{SHA512, PBKDF2, Argon2id} {
		hash, err := Encode(kind, 0, []byte("secret"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add("joe:" + hash + "\n# comment\nann:" + hash + ":more\r\n")
	}
	f.Add("joe:secret\n")
	f.Add("joe:$7$10000001$c2FsdHNhbHRzYWx0$\n:\nx")
	f.Add("joe:$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA\njoe:x\n")
	f.Fuzz(func(t *testing.T, file string) {
		p, err := ParsePasswords("f", strings.NewReader(file))
		if err != nil {
			return
		}
		var again strings.Builder
		for user, r := range p.records {
			if err := ValidUser(user); err != nil {
				t.Fatalf("an accepted file has valid users: %q: %v", user, err)
			}
			if r.weight() > 2*memoryKiBMax<<10 || len(r.salt) == 0 || len(r.hash) < hashBytesMin {
				t.Fatalf("an accepted record is within bounds: %q", r.text)
			}
			again.WriteString(user + ":" + r.text + "\n")
		}
		q, err := ParsePasswords("again", strings.NewReader(again.String()))
		if err != nil || len(q.Changed(p)) > 0 {
			t.Fatalf("what was read says the same when it is read again: %v, %q", err, again.String())
		}
	})
}

// FuzzACL reads files of any content and asks what was accepted. Rules that hold whatever it says are those that keep clients apart.
func FuzzACL(f *testing.F) {
	f.Add("topic read a\nuser joe\ntopic deny a/#\npattern write %c/%u\n# x\n", "joe", "c", "a/b")
	f.Add("pattern readwrite #\ntopic $SYS/#\n", "", "$x", "$SYS/a")
	f.Add("user a b\ntopic read x y\n", "a b", "#", "x y")
	f.Add("topics\nuser\ntopic\npattern deny +/%c", "u", "c", "x/c")
	f.Fuzz(func(t *testing.T, file, user, client, name string) {
		acl, err := ParseACL("f", strings.NewReader(file))
		if err != nil || topic.ValidName(name) != nil {
			return
		}
		a := acl.For(user, client)
		if a.MayWrite(name) && strings.HasPrefix(name, "$SYS") && !topic.Match("$SYS/broker/connection/+/state", name) {
			t.Fatalf("nobody writes %q", name)
		}
		if a.MayRead(name) && !a.MaySubscribe(name) {
			t.Fatalf("%q may be read and so be subscribed to", name)
		}
		if (a.MayRead(name) || a.MayWrite(name)) && !strings.Contains(file, "topic") && !strings.Contains(file, "pattern") {
			t.Fatalf("without an entry %q is closed", name)
		}
	})
}
