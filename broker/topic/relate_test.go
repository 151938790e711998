package topic

import (
	"slices"
	"strings"
	"testing"
)

// paths are all ways of joining up to depth of the levels.
func paths(levels []string, depth int) []string {
	all := slices.Clone(levels)
	for from := 0; depth > 1; depth-- {
		until := len(all)
		for _, p := range all[from:until] {
			for _, l := range levels {
				all = append(all, p+"/"+l)
			}
		}
		from = until
	}
	return all
}

// TestOverlapAndCovers holds both against Match, over all small filters and names. "z" stands for every level that no filter names.
func TestOverlapAndCovers(t *testing.T) {
	valid := func(s string) bool { return s != "" && ValidFilter(s) == nil }
	filters := slices.DeleteFunc(paths([]string{"a", "$b", "+", "#", ""}, 3), func(f string) bool { return !valid(f) })
	names := slices.DeleteFunc(paths([]string{"a", "$b", "z", ""}, 4), func(n string) bool { return !valid(n) })
	// "#" and "/#" by their form match a name without any character too, which no name is.
	formal := func(f string) bool { return f == "#" || f == "/#" }
	for _, f := range filters {
		for _, g := range filters {
			overlap, covers := false, true
			for _, n := range names {
				inF, inG := Match(f, n), Match(g, n)
				overlap = overlap || inF && inG
				covers = covers && (inF || !inG)
			}
			if got := Overlap(f, g); got != overlap && !(got && (formal(f) || formal(g))) {
				t.Errorf("a name matches both %q and %q: %v, not %v", f, g, overlap, got)
			}
			if got := Covers(f, g); got != covers && !(covers && formal(g)) {
				t.Errorf("%q matches all that %q matches: %v, not %v", f, g, covers, got)
			}
		}
	}
	if n := strings.Count(strings.Join(filters, "\n"), "\n"); n < 100 {
		t.Errorf("there are many filters to try, not %d", n)
	}
}
