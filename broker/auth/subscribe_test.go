package auth

import (
	"math/rand/v2"
	"strings"
	"testing"

	"midge/broker/topic"
)

func TestWhatMayBeSubscribedTo(t *testing.T) {
	for _, row := range []struct {
		rule, file, filter string
		want               bool
	}{
		{"an empty file leaves nothing to read", "", "#", false},
		{"what may be read", "user b\ntopic read a/b", "a/b", true},
		{"a filter around it", "user b\ntopic read a/b", "a/+", true},
		{"one around everything", "user b\ntopic read a/b", "#", true},
		{"one inside it", "user b\ntopic read a/#", "a/b/+", true},
		{"one that meets it somewhere", "user b\ntopic read a/+/c", "+/b/#", true},
		{"one beside it", "user b\ntopic read a/b", "a/c", false},
		{"what may be written only", "user b\ntopic write a/b", "a/b", false},
		{"a closed topic amid open ones", "user b\ntopic #\ntopic deny test/nosubscribe", "test/nosubscribe", false},
		{"the open ones around it", "user b\ntopic #\ntopic deny test/nosubscribe", "test/+", true},
		{"a closed subtree", "user b\ntopic #\ntopic deny test/#", "test/+/x", false},
		{"what a pattern opens", "pattern read dev/%c/#", "dev/c/x", true},
		{"and for nobody else", "pattern read dev/%c/#", "dev/d/x", false},
		{"a user's grant beats a pattern's deny", "user b\ntopic read x\npattern deny x", "x", true},
		{"a pattern's deny", "pattern read #\npattern deny x/%u", "x/b", false},
		{"$ topics are not in #", "user b\ntopic read #", "$SYS/#", false},
		{"but in a filter that begins with $", "user b\ntopic read $SYS/#", "$SYS/broker/+", true},
		{"a shared subscription is about its filter", "user b\ntopic read a/#", "$share/g/a/b", true},
		{"also when it is closed", "user b\ntopic read a/#", "$share/g/b", false},
		{"one without a filter is nothing", "user b\ntopic read #", "$share/g", false},
	} {
		if got := mustACL(t, row.file).For("b", "c").MaySubscribe(row.filter); got != row.want {
			t.Errorf("%s: %q may be subscribed to: %v, not %v, with\n%s", row.rule, row.filter, row.want, got, row.file)
		}
	}
	if !(*Access)(nil).MaySubscribe("x") {
		t.Error("without a file everything may be subscribed to")
	}
}

// TestRefusedFiltersBringNothing tries files by chance: what may be read is never behind a filter that is refused.
func TestRefusedFiltersBringNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	level := func() string { return pick("a", "b", "+") }
	filter := func() string {
		f := level()
		for r.IntN(2) == 0 {
			f += "/" + level()
		}
		if r.IntN(3) == 0 {
			f += "/#"
		}
		return f
	}
	refused := 0
	for range 2000 {
		file := "user b\n"
		for range r.IntN(30) { // lists and trees
			file += pick("topic", "pattern") + " " + pick("read", "read", "write", "deny") + " " + filter() + "\n"
		}
		access, f := mustACL(t, file).For("b", "c"), filter()
		if access.MaySubscribe(f) {
			continue
		}
		refused++
		name := strings.NewReplacer("+", pick("a", "b", "c"), "#", pick("a", "b", "a/b")).Replace(f)
		if topic.Match(f, name) && access.MayRead(name) {
			t.Fatalf("%q may be read, but %q, which matches it, may not be subscribed to, with\n%s", name, f, file)
		}
	}
	if refused < 100 {
		t.Errorf("many filters are refused, not %d", refused)
	}
}
