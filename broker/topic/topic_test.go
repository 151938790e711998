package topic

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestValid(t *testing.T) {
	for _, row := range []struct {
		text         string
		name, filter error
	}{
		{"sport/tennis", nil, nil},
		{"/", nil, nil},
		{"/finance", nil, nil},
		{"a//b", nil, nil},
		{" ", nil, nil},
		{"", ErrEmpty, ErrEmpty},
		{"a\x00b", ErrNUL, ErrNUL},
		{"a\xff", ErrNotUTF8, ErrNotUTF8},
		{"a/\xed\xa0\x80", ErrNotUTF8, ErrNotUTF8},
		{strings.Repeat("a", 65536), ErrTooLong, ErrTooLong},
		{strings.Repeat("a", 65535), nil, nil},
		{strings.Repeat("/", 127), nil, nil},
		{strings.Repeat("/", 128), ErrTooDeep, ErrTooDeep},
		{"#", ErrWildcard, nil},
		{"+", ErrWildcard, nil},
		{"+/+/#", ErrWildcard, nil},
		{"a/#", ErrWildcard, nil},
		{"a/#/b", ErrWildcard, ErrHash},
		{"a#", ErrWildcard, ErrHash},
		{"a/b#", ErrWildcard, ErrHash},
		{"#/a", ErrWildcard, ErrHash},
		{"a+", ErrWildcard, ErrPlus},
		{"a/+b/c", ErrWildcard, ErrPlus},
		{"$share/g/a", nil, nil},
		{"$share/g//", nil, nil},
		{"$share/g/+/#", ErrWildcard, nil},
		{"$shared/a", nil, nil},
		{"$share", nil, ErrShare},
		{"$share/", nil, ErrShare},
		{"$share/g", nil, ErrShare},
		{"$share/g/", nil, ErrShare},
		{"$share//a", nil, ErrShare},
		{"$share/+/a", ErrWildcard, ErrShare},
		{"$share/#/a", ErrWildcard, ErrHash},
		{"$share/g+/a", ErrWildcard, ErrPlus},
	} {
		short := row.text
		if len(short) > 20 {
			short = short[:20] + "…"
		}
		if got := ValidName(row.text); !errors.Is(got, row.name) {
			t.Errorf("ValidName(%q) = %v, want %v", short, got, row.name)
		}
		if got := ValidFilter(row.text); !errors.Is(got, row.filter) {
			t.Errorf("ValidFilter(%q) = %v, want %v", short, got, row.filter)
		}
	}
}

func TestUnshared(t *testing.T) {
	for _, row := range []struct {
		filter, plain string
		shared        bool
	}{
		{"a/b", "a/b", false},
		{"$share/g/a/b", "a/b", true},
		{"$share/g//", "/", true},
		{"$share/g/$SYS/#", "$SYS/#", true},
		{"$shared/g/a", "$shared/g/a", false},
	} {
		if plain, shared := Unshared(row.filter); plain != row.plain || shared != row.shared {
			t.Errorf("Unshared(%q) = %q, %v, want %q, %v", row.filter, plain, shared, row.plain, row.shared)
		}
	}
}

// The rows are the examples of MQTT 5 §4.7 and their neighbours.
var matches = []struct {
	filter, name string
	want         bool
}{
	{"sport/tennis/player1/#", "sport/tennis/player1", true},
	{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
	{"sport/#", "sport", true},
	{"sport/#", "sports", false},
	{"#", "a", true},
	{"#", "/", true},
	{"#", "$SYS/x", false},
	{"+/x", "$SYS/x", false},
	{"$SYS/#", "$SYS/x", true},
	{"$SYS/#", "$SYS", true},
	{"$SYS/+", "$SYS/x", true},
	{"a/+", "a/$x", true},
	{"sport/tennis/+", "sport/tennis/player1", true},
	{"sport/tennis/+", "sport/tennis/player1/ranking", false},
	{"sport/+", "sport", false},
	{"sport/+", "sport/", true},
	{"+/+", "/finance", true},
	{"/+", "/finance", true},
	{"+", "/finance", false},
	{"+", "a", true},
	{"+/#", "a", true},
	{"a/b", "a/b", true},
	{"a/b", "a/b/", false},
	{"a//b", "a//b", true},
	{"a/+/b", "a//b", true},
	{"a", "a/b", false},
	{"a/b/c", "a/b", false},
}

func TestMatch(t *testing.T) {
	for _, row := range matches {
		if got := Match(row.filter, row.name); got != row.want {
			t.Errorf("filter %q matches name %q = %v, want %v", row.filter, row.name, got, row.want)
		}
		if got := treeMatches(row.filter, row.name); got != row.want {
			t.Errorf("Tree: filter %q matches name %q = %v, want %v", row.filter, row.name, got, row.want)
		}
		if got := namesMatch(row.filter, row.name); got != row.want {
			t.Errorf("Names: filter %q matches name %q = %v, want %v", row.filter, row.name, got, row.want)
		}
	}
}

func treeMatches(filter, name string) (found bool) {
	var tree Tree[int, int]
	tree.Set(filter, 1, 1)
	tree.Match(name, func(int, int) { found = true })
	return found
}

func namesMatch(filter, name string) (found bool) {
	var names Names[int]
	names.Set(name, 1)
	names.Match(filter, func(string, int) { found = true })
	return found
}

// TestTreesAgree holds the three ways to match against each other over random names and filters, through insertions and deletions.
func TestTreesAgree(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	many := strings.Split("abcdefghijkl", "") // more than a node searches one by one
	word := func(words []string) string {
		levels := make([]string, 1+rnd.IntN(3))
		for i := range levels {
			levels[i] = words[rnd.IntN(len(words))]
		}
		return strings.Join(levels, "/")
	}
	var tree Tree[string, string]
	var names Names[bool]
	filters, topics := map[string]bool{}, map[string]bool{}
	for range 2500 {
		if f := word(append(many, "+", "#", "", "$s")); ValidFilter(f) == nil {
			if rnd.IntN(3) == 0 {
				if got := tree.Delete(f, f); got != filters[f] {
					t.Fatalf("Delete(%q) = %v, want %v: it reports whether the filter was there", f, got, filters[f])
				}
				delete(filters, f)
			} else {
				if got := tree.Set(f, f, f); got != filters[f] {
					t.Fatalf("Set(%q) = %v, want %v: it reports whether the filter was there", f, got, filters[f])
				}
				filters[f] = true
			}
		}
		if n := word(append(many, "", "$s")); ValidName(n) == nil {
			if rnd.IntN(3) == 0 {
				if got := names.Delete(n); got != topics[n] {
					t.Fatalf("Names.Delete(%q) = %v, want %v", n, got, topics[n])
				}
				delete(topics, n)
			} else {
				names.Set(n, true)
				topics[n] = true
			}
			var got, want []string
			tree.Match(n, func(_, f string) { got = append(got, f) })
			for f := range filters {
				if Match(f, n) {
					want = append(want, f)
				}
			}
			same(t, "filters that match "+n, got, want)
		}
		if f := word(append(many, "+", "#", "", "$s")); ValidFilter(f) == nil {
			var got, want []string
			names.Match(f, func(n string, _ bool) { got = append(got, n) })
			for n := range topics {
				if Match(f, n) {
					want = append(want, n)
				}
			}
			same(t, "names that "+f+" matches", got, want)
		}
		if tree.Len() != len(filters) || names.Len() != len(topics) {
			t.Fatalf("lengths %d and %d, want %d and %d", tree.Len(), names.Len(), len(filters), len(topics))
		}
	}
	for f := range filters {
		tree.Delete(f, f)
	}
	if n := tree.root.children.Len(); n != 0 {
		t.Errorf("a tree without filters still holds %d nodes: deleted filters must leave nothing", n)
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

func FuzzMatch(f *testing.F) {
	for _, row := range matches {
		f.Add(row.filter, row.name)
	}
	f.Fuzz(func(t *testing.T, filter, name string) {
		if ValidFilter(filter) != nil || ValidName(name) != nil || IsShared(filter) {
			t.Skip()
		}
		want := Match(filter, name)
		if got := treeMatches(filter, name); got != want {
			t.Errorf("Tree says %v, Match says %v for filter %q and name %q", got, want, filter, name)
		}
		if got := namesMatch(filter, name); got != want {
			t.Errorf("Names says %v, Match says %v for filter %q and name %q", got, want, filter, name)
		}
	})
}

func BenchmarkTreeMatch(b *testing.B) {
	var tree Tree[int, int]
	for i := range 10000 {
		tree.Set("site/"+string(rune('a'+i%26))+"/device/"+strings.Repeat("x", i%50)+"/temp", i, i)
	}
	tree.Set("site/+/device/#", 1, 1)
	b.ReportAllocs()
	for b.Loop() {
		tree.Match("site/c/device/xxxx/temp", func(int, int) {})
	}
}
