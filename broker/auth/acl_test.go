package auth

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// rights writes what the access allows as "rw", "r-", "-w" or "--".
func rights(a *Access, name string) string {
	s := []byte("--")
	if a.MayRead(name) {
		s[0] = 'r'
	}
	if a.MayWrite(name) {
		s[1] = 'w'
	}
	return string(s)
}

func mustACL(t testing.TB, file string) *ACL {
	t.Helper()
	acl, err := ParseACL("acl", strings.NewReader(file))
	if err != nil {
		t.Fatalf("the file is good:\n%s\n%v", file, err)
	}
	return acl
}

func TestWhatAnACLAllows(t *testing.T) {
	const some = "topic read anon/a\nuser bob\ntopic read r\ntopic write w\ntopic readwrite rw\ntopic both\ntopic deny d\n"
	rows := []struct {
		rule, file, user, client, topic, want string
	}{
		{"an empty file denies everything", "", "bob", "c", "a", "--"},
		{"read is read only", some, "bob", "c", "r", "r-"},
		{"write is write only", some, "bob", "c", "w", "-w"},
		{"readwrite is both", some, "bob", "c", "rw", "rw"},
		{"without an access word it is both", some, "bob", "c", "both", "rw"},
		{"what no entry names is denied", some, "bob", "c", "other", "--"},
		{"a user without entries has none", some, "eve", "c", "r", "--"},
		{"entries before the first user are for clients without a name", some, "", "c", "anon/a", "r-"},
		{"and for nobody else", some, "bob", "c", "anon/a", "--"},
		{"a client without a name has no user's entries", some, "", "c", "r", "--"},
		{"names are case-sensitive", some, "Bob", "c", "r", "--"},

		{"# stands for the rest", "user b\ntopic a/#", "b", "c", "a/b/c", "rw"},
		{"a/# also is a", "user b\ntopic a/#", "b", "c", "a", "rw"},
		{"but not ab", "user b\ntopic a/#", "b", "c", "ab", "--"},
		{"nor the parent", "user b\ntopic a/b/#", "b", "c", "a", "--"},
		{"+ stands for one level", "user b\ntopic a/+/c", "b", "c", "a/x/c", "rw"},
		{"and no more", "user b\ntopic a/+/c", "b", "c", "a/x/y/c", "--"},
		{"+ stands for an empty level", "user b\ntopic a/+/c", "b", "c", "a//c", "rw"},
		{"+ at the end stands for an empty level", "user b\ntopic a/+", "b", "c", "a/", "rw"},
		{"# alone is all", "user b\ntopic #", "b", "c", "/x", "rw"},
		{"/# is not x", "user b\ntopic /#", "b", "c", "x", "--"},
		{"a longer topic is not the filter", "user b\ntopic a/b", "b", "c", "a/bc", "--"},
		{"a shorter one neither", "user b\ntopic a/b", "b", "c", "a/", "--"},

		{"deny goes first wherever it stands", "user b\ntopic a/#\ntopic deny a/secret", "b", "c", "a/secret", "--"},
		{"and takes nothing else", "user b\ntopic a/#\ntopic deny a/secret", "b", "c", "a/open", "rw"},
		{"a match that grants something else decides nothing", "user b\ntopic read a/#\ntopic write a/b", "b", "c", "a/b", "rw"},
		{"a user may come again", "user b\ntopic x\nuser c\ntopic y\nuser b\ntopic z", "b", "c", "x", "rw"},
		{"and its entries accumulate", "user b\ntopic x\nuser c\ntopic y\nuser b\ntopic z", "b", "c", "z", "rw"},
		{"without those between", "user b\ntopic x\nuser c\ntopic y\nuser b\ntopic z", "b", "c", "y", "--"},
		{"a user name may contain spaces", "user two words\ntopic x", "two words", "c", "x", "rw"},
		{"a filter with spaces needs the access word", "user b\ntopic read two words", "b", "c", "two words", "r-"},
		{"a lone access word is a filter", "user b\ntopic read", "b", "c", "read", "rw"},
		{"spaces around words do not count", "  user   b  \r\n   topic   read   x  \t\r\n", "b", "c", "x", "r-"},
		{"comments and blank lines do not count", "# one\n\n   \nuser b\n# two\ntopic x", "b", "c", "x", "rw"},
		{"%c in a topic line is text", "user b\ntopic dev/%c", "b", "c", "dev/c", "--"},
		{"literally", "user b\ntopic dev/%c", "b", "c", "dev/%c", "rw"},

		{"%c is the client id", "pattern dev/%c/#", "b", "c7", "dev/c7/x", "rw"},
		{"and no other", "pattern dev/%c/#", "b", "c7", "dev/c8/x", "--"},
		{"%u is the user name", "pattern read dev/%u", "b", "c7", "dev/b", "r-"},
		{"%c and %u together", "pattern write %u/%c", "b", "c7", "b/c7", "-w"},
		{"they are replaced inside a level", "pattern x-%c-%u-y", "b", "c7", "x-c7-b-y", "rw"},
		{"as often as they come", "pattern %c/%c", "b", "c7", "c7/c7", "rw"},
		{"what was filled in is not looked at again", "pattern %c/%u", "b", "%u", "%u/b", "rw"},
		{"%% is no escape", "pattern %%c", "b", "c7", "%c7", "rw"},
		{"a pattern without either is for everybody", "pattern read news", "b", "c7", "news", "r-"},
		{"patterns are for clients without a user name too", "pattern dev/%c", "", "c7", "dev/c7", "rw"},
		{"unless they have %u", "pattern dev/%u/x", "", "c7", "dev//x", "--"},
		{"wherever they stand", "user eve\npattern dev/%c", "b", "c7", "dev/c7", "rw"},
		{"a pattern's deny goes first", "pattern dev/%c/#\npattern deny dev/+/secret", "b", "c7", "dev/c7/secret", "--"},
		{"a user's grant beats a pattern's deny", "user b\ntopic dev/#\npattern deny dev/#", "b", "c7", "dev/x", "rw"},
		{"a user's deny beats a pattern", "user b\ntopic deny dev/c7\npattern dev/%c", "b", "c7", "dev/c7", "--"},
		{"a user's grant to read leaves writing to the patterns", "user b\ntopic read x\npattern write x", "b", "c7", "x", "rw"},

		{"a client id with + has no patterns", "pattern dev/%c", "b", "+", "dev/x", "--"},
		{"nor one with #", "pattern dev/%c", "b", "a/#", "dev/a/b", "--"},
		{"nor a user name with +", "pattern dev/%u", "+", "c7", "dev/x", "--"},
		{"nor one with #, whatever the pattern", "pattern read news", "a#", "c7", "news", "--"},
		{"its own entries it has", "user +\ntopic x\npattern read news", "+", "c#", "x", "rw"},
		{"'/' in a client id goes through", "pattern dev/%c/x", "b", "a/b", "dev/a/b/x", "rw"},

		{"# is not for $ topics", "user b\ntopic read #", "b", "c", "$SYS/broker/uptime", "--"},
		{"nor is +", "user b\ntopic read +/x", "b", "c", "$other/x", "--"},
		{"nor a pattern", "pattern read #", "b", "c", "$other/x", "--"},
		{"nor one that the client fills with $", "pattern %c/#", "b", "$other", "$other/x", "--"},
		{"a filter that begins with $ is", "user b\ntopic $other/#", "b", "c", "$other/x", "rw"},
		{"a pattern too", "pattern $other/%c", "b", "c", "$other/c", "rw"},
		{"$SYS can be read", "user b\ntopic $SYS/#", "b", "c", "$SYS/broker/uptime", "r-"},
		{"but not written, not even so named", "user b\ntopic write $SYS/broker/uptime", "b", "c", "$SYS/broker/uptime", "--"},
		{"apart from the state of a bridge", "user b\ntopic write $SYS/broker/connection/+/state", "b", "c", "$SYS/broker/connection/x/state", "-w"},
		{"if it is granted", "user b\ntopic #", "b", "c", "$SYS/broker/connection/x/state", "--"},
		{"$share is no topic", "user b\ntopic $share/#", "b", "c", "$share/g/a", "--"},
		{"nothing is nothing", "user b\ntopic #", "b", "c", "", "--"},
	}
	for _, row := range rows {
		if got := rights(mustACL(t, row.file).For(row.user, row.client), row.topic); got != row.want {
			t.Errorf("%s: %q as %q gives %q (client id %q) %s, want %s", row.rule, row.topic, row.file, row.user, row.client, got, row.want)
		}
	}
}

func TestWithoutAnACLEverythingIsAllowed(t *testing.T) {
	var none *ACL
	if a := none.For("b", "c"); a != nil || rights(a, "a/b") != "rw" || rights(a, "$SYS/x") != "rw" {
		t.Error("no file means no restriction")
	}
	if none.Warnings() != nil {
		t.Error("no file warns of nothing")
	}
}

func TestFaultsOfAnACL(t *testing.T) {
	rows := []struct{ file, want string }{
		{"topics read a", `acl:1: the line begins with the unknown word "topics": there are user, topic and pattern`},
		{"topic\tread a", `acl:1: the line begins with "topic\tread": words must be separated by spaces`},
		{" # x", "acl:1: a comment must begin at the start of its line"},
		{"user", "acl:1: user needs a name"},
		{"user  \t", "acl:1: user needs a name"},
		{"user a\x01", `acl:1: the user name "a\x01" contains a control character`},
		{"user " + strings.Repeat("u", 65536), "acl:1: the user name is longer than 65535 bytes"},
		{"topic", "acl:1: a topic filter is missing"},
		{"pattern ", "acl:1: a topic filter is missing"},
		{"topic a b", `acl:1: the access "a" is unknown: there are read, write, readwrite and deny, and a filter with spaces needs one of them`},
		{"topic READ a", `acl:1: the access "READ" is unknown: there are read, write, readwrite and deny, and a filter with spaces needs one of them`},
		{"topic read\ta", `acl:1: the topic filter "read\ta" contains a control character`},
		{"topic read a/#/b", `acl:1: the topic filter "a/#/b" is not valid: '#' must be the last level and stand alone in it`},
		{"topic a+", `acl:1: the topic filter "a+" is not valid: '+' must stand alone in its level`},
		{"pattern %c#", `acl:1: the topic filter "%c#" is not valid: '#' must be the last level and stand alone in it`},
		{"topic a\xff", `acl:1: the topic filter "a\xff" is not valid: topic is not valid UTF-8`},
		{"topic ok\n" + strings.Repeat("x", lineBytesMax+1), "acl:2: the line is longer than 131072 bytes"},
		{"user\n\ntopic #a\ntopic ok", "acl:1: user needs a name\nacl:3: the topic filter \"#a\" is not valid: '#' must be the last level and stand alone in it"},
		{strings.Repeat("x\n", 23), strings.TrimSuffix(numbered(20, `acl:%d: the line begins with the unknown word "x": there are user, topic and pattern`), "\n") + "\nacl: and 3 more problems"},
	}
	for _, row := range rows {
		_, err := ParseACL("acl", strings.NewReader(row.file))
		if err == nil || err.Error() != row.want {
			t.Errorf("%.80q gives\n%v\nwant\n%s", row.file, err, row.want)
		}
	}
	if _, err := LoadACL("/nowhere/acl"); err == nil || err.Error() != "read the ACL file: open /nowhere/acl: no such file or directory" {
		t.Errorf("a missing file is said in one sentence: %v", err)
	}
}

func numbered(n int, format string) (all string) {
	for i := range n {
		all += fmt.Sprintf(format, i+1) + "\n"
	}
	return all
}

func TestPatternWithoutPlaceholderIsWarnedOf(t *testing.T) {
	got := mustACL(t, "user b\npattern read news\npattern a/%c\n").Warnings()
	want := `acl:2: the pattern "news" contains neither %c nor %u: it is the same for every client`
	if len(got) != 1 || got[0] != want {
		t.Errorf("one pattern is the same for every client: %q", got)
	}
}

// Short lists are walked and long ones are a tree; both must say the same.
func TestListAndTreeAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	levels := []string{"a", "b", "", "+", "$x", "$SYS"}
	word := func(n int) string {
		parts := make([]string, 1+r.IntN(3))
		for i := range parts {
			parts[i] = levels[r.IntN(n)]
		}
		return strings.Join(parts, "/")
	}
	var decided int
	for round := range 20_000 {
		var l ruleList
		for range 1 + r.IntN(6) {
			e := entry{word(len(levels)), []access{read, write, read | write, deny}[r.IntN(4)]}
			if r.IntN(3) == 0 {
				e.filter = strings.TrimPrefix(e.filter+"/#", "/")
			}
			if e.filter != "" {
				l.add(e)
			}
		}
		list := append(l.denies, l.grants...)
		walked, tree := newRules(list), rules{tree: newTree(list)}
		name := strings.ReplaceAll(word(len(levels)), "+", "b")
		if name == "" {
			continue
		}
		for _, want := range []access{read, write} {
			got, other := walked.ask(name, want), tree.ask(name, want)
			if got != other {
				t.Fatalf("round %d: %q asked for %d in %v: the walk says %d, the tree %d", round, name, want, list, got, other)
			}
			if got != 0 {
				decided++
			}
		}
	}
	if decided < 5_000 {
		t.Errorf("only %d questions were decided by an entry: the test does not test", decided)
	}
}

func TestChecksAllocateNothing(t *testing.T) {
	for _, n := range []int{1, linearMax, linearMax + 1, 200} {
		file := "user b\n" + numbered(n, "topic read a/%d/+/c") + numbered(n, "pattern write a/%%c/%d")
		a := mustACL(t, file).For("b", "c")
		if got := testing.AllocsPerRun(100, func() { a.MayRead("a/1/x/c"); a.MayWrite("a/c/1"); a.MayWrite("$SYS/x") }); got != 0 {
			t.Errorf("a check of %d entries allocates %v times", n, got)
		}
	}
}

func FuzzParseACL(f *testing.F) {
	f.Add("user b\ntopic read a/+\n# c\npattern deny x/%c/%u\n", "b", "c", "a/b")
	f.Add("topic read two words\r\nuser  x y \ntopic $SYS/#", "", "a+", "$SYS/x")
	f.Add("pattern %c/%u/#\npattern deny %u", "%c", "$SYS", "$SYS/%c")
	f.Fuzz(func(t *testing.T, file, user, client, name string) {
		acl, err := ParseACL("acl", strings.NewReader(file))
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "acl:") {
					t.Fatalf("a problem is one line with its place: %q", line)
				}
			}
			return
		}
		a := acl.For(user, client)
		switch {
		case strings.HasPrefix(name, "$SYS/") && a.MayWrite(name) && !strings.HasSuffix(name, "/state"):
			t.Fatalf("%q may be written", name)
		case strings.HasPrefix(name, "$") && a.MayRead(name) && !strings.Contains(file, "$"):
			t.Fatalf("%q may be read through a file without '$'", name)
		case name != "" && a.MayRead(name) && !strings.Contains(file, "topic") && !strings.Contains(file, "pattern"):
			t.Fatalf("%q may be read through a file without entries", name)
		case strings.ContainsAny(client, "+#") && !strings.Contains(file, "topic") && (a.MayRead(name) || a.MayWrite(name)):
			t.Fatalf("%q is open to a client id with wildcards", name)
		}
	})
}
