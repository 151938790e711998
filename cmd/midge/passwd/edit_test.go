package passwd

import (
	"strings"
	"testing"

	"midge/broker/auth"
)

func TestSetUser(t *testing.T) {
	rows := []struct {
		rule, file, want string
		replaced         bool
	}{
		{"the first record", "", "bob:H\n", false},
		{"one more", "eve:1\n", "eve:1\nbob:H\n", false},
		{"behind a last line without end", "eve:1", "eve:1\nbob:H\n", false},
		{"in place, whatever stands around", "# users\neve:1\r\n\nbob:2\nno colon\n", "# users\neve:1\r\n\nbob:H\nno colon\n", true},
		{"with blanks around the name", " bob : 2 \neve:1\n", "bob:H\neve:1\n", true},
		{"once, though it stood there twice", "bob:1\neve:1\nbob:2", "bob:H\neve:1\n", true},
		{"a comment is no record", "#bob:1\n", "#bob:1\nbob:H\n", false},
		{"a longer name is another", "bobby:1\n", "bobby:1\nbob:H\n", false},
	}
	for _, row := range rows {
		got, replaced := setUser(row.file, "bob", "H")
		if got != row.want || replaced != row.replaced {
			t.Errorf("%s: %q becomes %q (%v), want %q (%v)", row.rule, row.file, got, replaced, row.want, row.replaced)
		}
	}
}

func TestRemoveUser(t *testing.T) {
	rows := []struct {
		rule, file, want string
		found            bool
	}{
		{"nobody to remove", "#bob:1\neve:1", "#bob:1\neve:1", false},
		{"every record of the user", "a:1\n bob:1\nb:2\nbob:2", "a:1\nb:2\n", true},
	}
	for _, row := range rows {
		got, found := removeUser(row.file, "bob")
		if got != row.want || found != row.found {
			t.Errorf("%s: %q becomes %q (%v), want %q (%v)", row.rule, row.file, got, found, row.want, row.found)
		}
	}
}

func TestHashAll(t *testing.T) {
	known, err := auth.Encode(auth.SHA512, 0, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	mark := func(password string) (string, error) { return "<" + password + ">", nil }
	rows := []struct {
		rule, file, want, err string
		hashed                int
	}{
		{"every record", "a:1\n b : two words \r\nc:3", "a:<1>\nb:<two words>\nc:<3>\n", "", 3},
		{"a ':' is a part of the password", "a:1:2\n", "a:<1:2>\n", "", 1},
		{"comments and other lines stay", "# a:1\n\nno colon\na:1\n", "# a:1\n\nno colon\na:<1>\n", "", 1},
		{"what is hashed stays", "a:" + known + "\nb:1\n", "a:" + known + "\nb:<1>\n", "", 1},
		{"what was a hash once is not hashed", "a:1\nb:$7$1$x$y\n", "", `line 2: user "b" has a damaged hash, or one of a kind that is not known`, 0},
		{"an empty password", "a:\n", "", "line 1: the password is empty", 0},
		{"an empty name", ":1\n", "", "line 1: the user name is empty", 0},
	}
	for _, row := range rows {
		got, hashed, err := hashAll(row.file, mark)
		if text := message(err); got != row.want || hashed != row.hashed || text != row.err {
			t.Errorf("%s: %q becomes %q (%d, %q), want %q (%d, %q)", row.rule, row.file, got, hashed, text, row.want, row.hashed, row.err)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Whatever stands in a file, a user that was set can be read back and is gone once removed, and nobody else's line changes.
func FuzzEdit(f *testing.F) {
	f.Add("# users\neve:1\r\n bob : 2\nbob:3", "bob")
	f.Add("a:\x00\n:\n#b:1", "#b")
	f.Fuzz(func(t *testing.T, file, user string) {
		if auth.ValidUser(user) != nil {
			return
		}
		set, _ := setUser(file, user, "H")
		if got := records(set, user); len(got) != 1 || got[0] != "H" {
			t.Fatalf("after setting %q in %q there is %q", user, file, got)
		}
		without, found := removeUser(set, user)
		if !found || len(records(without, user)) != 0 {
			t.Fatalf("%q is still in %q", user, without)
		}
		before, _ := removeUser(file, user)
		if strings.TrimSuffix(without, "\n") != strings.TrimSuffix(before, "\n") {
			t.Fatalf("other lines of %q changed: %q", file, without)
		}
	})
}

func records(file, user string) (secrets []string) {
	for line := range strings.Lines(file) {
		if name, secret, ok := auth.SplitRecord(line); ok && name == user {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}
